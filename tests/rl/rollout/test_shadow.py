"""What follows from a version's days in the shadow."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from conf.specs.rollout import Rollout
from rl.rollout.shadow import ShadowTally, judge_shadow

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
ROLLOUT = Rollout(shadow_days=2)


def tally_of(*decided: tuple[int, bool | None, bool, str], n: int = 1) -> ShadowTally:
    tally = ShadowTally()
    for day, is_other, has_action, failure in decided * n:
        tally.count(DAYS[day], is_other=is_other, has_action=has_action, failure=failure)
    return tally


ALIKE, OTHER, NOTHING = (False, True, ""), (True, True, ""), (None, False, "")
FAILED, UNSEEN = (None, False, "PolicyError"), (None, True, "")


@pytest.mark.parametrize(
    ("tally", "decision", "why"),
    [
        (
            ShadowTally(),
            "hold",
            "0 of 2 days in the shadow; no decision in the shadow on 2026-03-02, 2026-03-03, 2026-03-04",
        ),
        (
            tally_of((0, *ALIKE)),
            "hold",
            "1 of 2 days in the shadow; no decision in the shadow on 2026-03-03, 2026-03-04",
        ),
        (
            tally_of((0, *ALIKE), (1, *OTHER), (1, *OTHER), (1, *NOTHING)),
            "grow",
            "2 days in the shadow: 4 decisions, 67% of them other than what was answered, "
            "1 without an action that it knows",
        ),
        (tally_of((0, *UNSEEN), (2, *UNSEEN)), "grow", "2 days in the shadow: 2 decisions"),
        (
            tally_of((0, *ALIKE), (1, *FAILED), (2, *ALIKE)),
            "hold",
            "1 of 3 decisions in the shadow failed (PolicyError 1): roll back, and mend it",
        ),
    ],
)
def test_days_without_failures_let_it_grow(tally: ShadowTally, decision: str, why: str) -> None:
    look = judge_shadow(ROLLOUT, tally, DAYS)
    assert (look.decision, look.why, look.day) == (decision, why, DAYS[-1])


def test_few_failures_are_borne() -> None:
    """One in a hundred, and not one more."""
    borne = tally_of((0, *ALIKE), (1, *ALIKE), n=50)
    borne.count(DAYS[0], is_other=None, has_action=False, failure="PolicyError")
    assert judge_shadow(ROLLOUT, borne, DAYS).decision == "grow"
    borne.count(DAYS[0], is_other=None, has_action=False, failure="StoreError")
    found = judge_shadow(ROLLOUT, borne, DAYS)
    assert (found.decision, found.first_day, found.last_day) == ("hold", DAYS[0], DAYS[1])
    assert found.why.startswith("2 of 102 decisions in the shadow failed (PolicyError 1, StoreError 1)")
