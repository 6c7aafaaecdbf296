"""Who gets a second look, and how a night's level is divided."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rl.errors import EvaluationError
from rl.gate.alpha_spending import night_level
from rl.gate.rules import GateEvidence, GateRules, GuardrailEvidence, judge
from rl.gate.second_look import is_just_short, is_short_of_sessions, split_level
from rl.gate.split_losses import SplitLosses
from rl.ope.intervals.intervals import Interval
from rl.ope.samples.ratio_balance import RatioBalance

RULES = GateRules(alpha=0.004, min_effective_sample_size=150, min_effective_rewarded=75)
KEPT = GuardrailEvidence("clicks", max_relative_decrease=0.1, relative_increase=0.0, lower_bound=-0.05)


def evidence(value: float = 2.0, error: float = 1.0, **overrides: Any) -> GateEvidence:
    """Of a candidate that passes all but the bound on its gain."""
    content: dict[str, Any] = {
        "candidate": "one",
        "baseline": "behavior",
        "estimator": "dr",
        "unit_of_value": "points",
        "is_logged": True,
        "difference": Interval(value, value - 2.6 * error, value + 2.6 * error, 0.99, "student", error),
        "effective_sample_size": 900.0,
        "effective_rewarded": 400.0,
        "effective_differing": 500.0,
        "losses": SplitLosses.__new__(SplitLosses),
        "balances": {"one": RatioBalance(1.0, 0.01)},
        "guardrails": (KEPT,),
    }
    return GateEvidence(**{**content, **overrides})


def gets_one(found: GateEvidence, rules: GateRules = RULES) -> bool:
    return is_just_short(judge(found, rules), found)


def test_a_candidate_whose_bound_alone_is_short_gets_one() -> None:
    assert gets_one(evidence())


@pytest.mark.parametrize("floor", ["effective_sample_size", "effective_rewarded", "effective_differing"])
def test_a_floor_that_is_not_reached_is_no_harm(floor: str) -> None:
    assert gets_one(evidence(**{floor: 20.0}))
    assert gets_one(evidence(5.0, **{floor: 20.0}))


def test_what_passes_needs_none() -> None:
    assert not gets_one(evidence(5.0))


@pytest.mark.parametrize("value", [-2.0, 0.0, 0.99])
def test_what_looks_no_better_than_chance_gets_none(value: float) -> None:
    assert not gets_one(evidence(value))
    assert gets_one(evidence(1.0))


@pytest.mark.parametrize(
    "harm",
    [
        {"withheld": ("The log is cut.",)},
        {"is_logged": False},
        {"estimator": "dm"},
        {"refusal": "no weights"},
        {"difference": None},
        {"losses": None},
        {"effective_differing": None},
        {"balances": {"one": RatioBalance(0.6, 0.01)}},
        {"balances": {"one": None}},
        {"guardrails": (replace(KEPT, lower_bound=-0.3),)},
        {"guardrails": (replace(KEPT, lower_bound=None, refusal="too rare"),)},
    ],
)
def test_whatever_else_stands_in_its_way_forbids_one(harm: dict[str, Any]) -> None:
    """Also beside a bound that is short; more sessions would not mend it, or would not be all that it needs."""
    assert not gets_one(evidence(**harm))


@pytest.mark.parametrize("error", [0.0, math.inf, math.nan])
def test_a_gain_of_unknown_doubt_gets_none(error: float) -> None:
    found = evidence(effective_sample_size=20.0)
    assert found.difference is not None
    assert not gets_one(replace(found, difference=replace(found.difference, standard_error=error)))


def test_short_of_sessions_is_who_spent_nothing_on_the_first_look() -> None:
    """A floor on weights kept it back; one on rewards, or the bound, reads what was earned and spends."""
    for short, expected in (
        ({"effective_sample_size": 20.0}, True),
        ({"effective_differing": 20.0}, True),
        ({"effective_rewarded": 20.0}, False),
        ({}, False),
        ({"effective_sample_size": 20.0, "withheld": ("The log is cut.",)}, False),
    ):
        found = evidence(**short)
        assert is_short_of_sessions(judge(found, RULES), found) is expected, short
    assert not is_short_of_sessions(judge(evidence(-2.0, effective_sample_size=20.0), RULES), evidence(-2.0))


def test_both_looks_together_spend_the_night_s_level() -> None:
    level = night_level(4, date(2026, 1, 1))
    for share in (0.2, 0.5, 0.9):
        found = split_level(level, share)
        assert found.first.level == pytest.approx(share * level.level)
        assert found.first.level + found.second == pytest.approx(level.level)
        assert replace(found.first, level=level.level) == level


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_share_that_leaves_nothing_is_refused(share: float) -> None:
    with pytest.raises(EvaluationError, match="share of a night's level"):
        split_level(night_level(4, date(2026, 1, 1)), share)
