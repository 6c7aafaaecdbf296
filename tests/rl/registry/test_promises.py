"""What a version is promoted on, as its evaluation has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from scipy.stats import norm

from rl.figures.values import Gain, ValueFigures
from rl.night.figures.values import value_figures
from rl.registry.promises import promise_of
from tests.rl.figures.test_values import REPORT


def report(policy: str, value: float, error: float | None, estimator: str = "dr") -> ValueFigures:
    (made,) = value_figures([REPORT])
    return made.model_copy(update={"policy": policy, "value": value, "standard_error": error, "estimator": estimator})


def figures(**given: Any) -> Any:
    """An evaluation, as far as a promise reads it."""
    content = {
        "facts": SimpleNamespace(reward_unit="points", steps=40),
        "selected": SimpleNamespace(name="cql-1"),
        "estimator": "dr",
        "gain": Gain(
            baseline="champion (version 2)", estimator="dr", value=0.5, lower=0.1, upper=0.9, level=0.975, corrected=0.3
        ),
        "reports": (report("cql-1", 2.0, 0.3), report("behavior", 1.0, 0.4), report("champion (version 2)", 1.5, 0.1)),
    }
    return SimpleNamespace(**(content | given))


def test_a_promise_over_a_champion_is_also_one_over_control() -> None:
    """The difference of both reports, as if they were independent; the same luck is taken out."""
    promise = promise_of(figures())
    assert promise is not None
    assert (promise.gain.value, promise.gain.corrected, promise.gain.is_paired) == (0.5, 0.3, True)
    over = promise.against_control
    assert over is not None
    reach = norm.ppf(0.975) * 0.5
    assert (over.baseline, over.is_paired) == ("behavior", False)
    assert (over.value, over.lower, over.upper) == pytest.approx((1.0, 1 - reach, 1 + reach))
    assert over.corrected == pytest.approx(0.8)


def test_a_promise_over_the_behavior_policy_is_the_one_over_control() -> None:
    gain = Gain(baseline="behavior", estimator="dr", value=0.5, lower=0.1, upper=0.9, level=0.975)
    promise = promise_of(figures(gain=gain))
    assert promise is not None
    assert promise.against_control == promise.gain


def test_a_behavior_policy_that_was_only_logged_counts_by_its_mean() -> None:
    reports = (report("cql-1", 2.0, 0.3), report("behavior", 1.2, 0.4, "on_policy"))
    promise = promise_of(figures(reports=reports))
    assert promise is not None
    assert promise.against_control is not None
    assert promise.against_control.value == pytest.approx(0.8)


@pytest.mark.parametrize("missing", ["candidate", "error"])
def test_what_was_not_estimated_is_not_promised(missing: str) -> None:
    reports = [report("behavior", 1.0, 0.4)]
    if missing == "error":
        reports.append(report("cql-1", 2.0, None))
    promise = promise_of(figures(reports=reports))
    assert promise is not None
    assert promise.against_control is None


def test_without_a_gain_there_is_no_promise() -> None:
    assert promise_of(figures(gain=None)) is None
