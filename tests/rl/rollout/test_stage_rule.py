"""What follows from a look."""

from __future__ import annotations

from typing import Any

import pytest

from conf.specs.rollout import Rollout, Schedule
from rl.rollout.comparison import Comparison
from rl.rollout.stage_rule import StageLook, judge_stage

RULE = Rollout()
SMALL = Rollout(schedule=Schedule(days=7, margin=0.2))


def a_look(gain: float, error: float, **given: Any) -> StageLook:
    found = Comparison(1000, 9000, 1 + gain, 1.0, gain, error)
    return StageLook(**({"share": 0.05, "n_days": 5, "found": found} | given))


@pytest.mark.parametrize(
    ("look", "decision", "why"),
    [
        (a_look(0.02, 0.015), "grow", "within the margin of 5%: +2.0% a shopper, at least"),
        (a_look(0.02, 0.015, share=0.5), "complete", "within the margin"),
        (a_look(0.02, 0.05), "hold", "not shown to be within the margin of 5%: +2.0% a shopper, at least -1"),
        (a_look(0.02, 0.05), "hold", "about 7.8 times these shoppers"),
        (a_look(-0.10, 0.02), "retreat", "it earns less a shopper: -10.0%, at most -"),
        (a_look(-0.10, 0.05), "hold", "not shown"),
        (a_look(0.02, 0.01, n_days=2), "hold", "2 of 3 days are counted"),
        (a_look(0.02, 0.01, mismatch=0.0009), "hold", "not as large as 0.05 draws them (p = 0.0009)"),
        (a_look(0.02, 0.01, stray=0.02), "hold", "2.0% of the decisions are by another version"),
        (a_look(-0.10, 0.02, mismatch=0.0009, n_days=1), "retreat", "it earns less"),
        (a_look(0.0, 0.1, found="too few"), "hold", "too few"),
        (a_look(0.0, 0.1, found="too few", mismatch=1e-6), "hold", "not as large"),
    ],
)
def test_a_stage_grows_holds_or_retreats(look: StageLook, decision: str, why: str) -> None:
    found = judge_stage(RULE, look)
    assert found.decision == decision
    assert why in found.why


def test_a_version_just_below_the_margin_does_not_grow() -> None:
    """However sure it is."""
    assert judge_stage(RULE, a_look(-0.0501, 1e-6)).decision == "retreat"
    assert judge_stage(Rollout(margin=0.06), a_look(-0.0501, 0.01)).decision == "retreat"


def test_the_level_is_shared_by_the_stages_that_are_tested() -> None:
    assert judge_stage(RULE, a_look(0.0, 0.1)).level == pytest.approx(0.05 / 3)
    assert judge_stage(Rollout(stages=(0.5, 1.0)), a_look(0.0, 0.1)).level == pytest.approx(0.05)


def test_a_small_shop_grows_on_its_days_alone() -> None:
    """By its wide margin; whether the version is worse is asked every day."""
    waiting = judge_stage(SMALL, a_look(0.02, 0.05, n_days=9))
    assert (waiting.decision, waiting.why) == ("hold", "growth is decided every 7 days of a stage, next after 5 more")
    assert judge_stage(SMALL, a_look(0.02, 0.05, n_days=7, scheduled=1)).decision == "grow"
    assert judge_stage(SMALL, a_look(0.02, 0.11, n_days=7, scheduled=1)).decision == "hold"
    assert judge_stage(SMALL, a_look(-0.3, 0.05, n_days=2)).decision == "retreat"
