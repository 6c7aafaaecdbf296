"""What an estimator says, as a model and as it is computed."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from rl.figures.values import Spread, ValueFigures, WeightLimit
from rl.night.figures.values import value_figures
from rl.ope.estimators.slope import ChosenLevel
from rl.ope.policy_value import PolicyValueReport

REPORT = PolicyValueReport(
    policy="bc-1",
    estimator="sg_ips",
    outcome="reward",
    value=1.5,
    lower=1.0,
    upper=2.0,
    standard_error=0.25,
    level=0.95,
    interval_method="percentile bootstrap",
    n_episodes=10,
    n_units=8,
    effective_sample_size=5.0,
    n_effective_rewarded=3.0,
    mean_weight=1.0,
    max_weight=4.0,
    clip=None,
    share_clipped=0.0,
    share_outside_support=0.0,
    steps=None,
    share_cut=0.0,
    is_bootstrapped_at_cut=False,
    is_prediction=False,
    refusal=None,
    chosen_level=ChosenLevel(float("inf"), (1.0, float("inf")), (1.4, 1.5), (0.2, 0.4), 0.9),
)


def test_every_field_of_a_report_is_kept() -> None:
    """A field added to the one and not to the other would be lost, or stop the night."""
    assert set(ValueFigures.model_fields) == {field.name for field in fields(PolicyValueReport)}
    assert set(WeightLimit.model_fields) == {field.name for field in fields(ChosenLevel)}


def test_numbers_that_are_not_finite_are_kept_as_unknown() -> None:
    """JSON has no other, and a reader must not take one for a figure."""
    (found,) = value_figures([replace(REPORT, value=float("nan"), upper=float("inf"))])
    assert (found.value, found.lower, found.upper) == (None, 1.0, None)
    assert found.chosen_level is not None
    assert (found.chosen_level.level, found.chosen_level.levels) == (None, (1.0, None))
    assert ValueFigures.model_validate_json(found.model_dump_json()) == found
    json.loads(found.model_dump_json(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_a_spread_takes_whatever_has_bounds() -> None:
    assert Spread.of(Spread(value=1, lower=0, upper=2)) == Spread(value=1, lower=0, upper=2)
