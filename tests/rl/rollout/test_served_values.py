"""Shoppers' values since a stage began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from rl.rollout.served_values import ServedRows, StageValues, date_of, day_number, stage_values

LAUNCHED = date(2026, 3, 2)
NEW = {"nina", "noah"}


def rows(served: Sequence[tuple[str, int, float, str]], unsettled: Sequence[int] = ()) -> ServedRows:
    """Rows of (shopper, days since the launch, reward, who decided: new, old or other)."""
    names = sorted({one[0] for one in served})
    by = np.array([one[3] for one in served])
    return ServedRows(
        shopper=np.array([names.index(one[0]) for one in served], dtype=np.int64),
        names=tuple(names),
        day=np.array([day_number(LAUNCHED) + one[1] for one in served], dtype=np.int64),
        reward=np.array([one[2] for one in served]),
        is_settled=np.array([one[1] not in unsettled for one in served]),
        is_new_version=by == "new",
        is_replaced_version=by == "old",
    )


def stage(served: ServedRows, *, first: int = 0, last: int = 9, **given: Any) -> StageValues | str:
    content: dict[str, Any] = {
        "gets_new": lambda name: name in NEW,
        "launched": LAUNCHED,
        "first_day": date_of(day_number(LAUNCHED) + first),
        "horizon": date_of(day_number(LAUNCHED) + last),
        "covariate_days": 28,
    }
    return stage_values(served, **(content | given))


def told(found: StageValues | str) -> dict[str, list[tuple[int, float, float]]]:
    """Entry, value and value before, by arm."""
    assert isinstance(found, StageValues), found
    units = found.units
    every = list(zip(units.entry.tolist(), units.value.tolist(), units.before.tolist(), strict=True))
    return {
        "new": [one for one, is_new in zip(every, units.is_new, strict=True) if is_new],
        "old": [one for one, is_new in zip(every, units.is_new, strict=True) if not is_new],
    }


SERVED = [
    ("nina", -3, 5.0, "old"),
    ("olga", -40, 9.0, "old"),
    ("nina", 0, 1.0, "new"),
    ("olga", 0, 2.0, "old"),
    ("nina", 2, 3.0, "new"),
    ("otto", 2, 4.0, "old"),
    ("nina", 3, 6.0, "other"),
]


def test_values_are_sums_since_the_first_decision_of_the_stage() -> None:
    """What a fallback brought counts for its shopper; what came before the launch is what a shopper is worth anyway."""
    found = stage(rows(SERVED))
    assert told(found) == {"new": [(0, 10.0, 5.0)], "old": [(0, 2.0, 0.0), (2, 4.0, 0.0)]}
    assert isinstance(found, StageValues)
    assert (found.days.n, found.n_first_new, found.n_first_replaced, found.stray) == (10, 1, 2, 0.0)


def test_both_arms_count_up_to_the_last_day_whose_attribution_has_closed() -> None:
    """A day with a single open decision doesn't count, nor do days after it, in either arm."""
    found = stage(rows(SERVED, unsettled=[2]))
    assert told(found) == {"new": [(0, 1.0, 5.0)], "old": [(0, 2.0, 0.0)]}
    assert isinstance(found, StageValues)
    assert found.days.n == 2


def test_days_before_the_shares_were_in_force_do_not_count() -> None:
    """On the day of a growth some are still served what they had."""
    served = [("noah", 0, 7.0, "old"), ("nina", 0, 7.0, "new"), *SERVED[4:]]
    found = stage(rows(served))
    assert told(found) == {"new": [(0, 9.0, 0.0)], "old": [(0, 4.0, 0.0)]}
    assert isinstance(found, StageValues)
    assert (found.n_first_new, found.n_first_replaced) == (0, 1)  # nina came before, on the day that doesn't count


def test_stray_decisions_after_the_first_day_are_told() -> None:
    found = stage(rows([*SERVED, ("noah", 4, 1.0, "old")]))
    assert isinstance(found, StageValues)
    assert found.stray == 1 / 5


def test_who_has_nothing_but_fallbacks_is_in_no_arm() -> None:
    assert told(stage(rows([*SERVED, ("oleg", 1, 3.0, "other")]))) == told(stage(rows(SERVED)))


def test_nothing_counts_before_a_day_has_closed_or_was_served() -> None:
    assert stage(rows(SERVED, unsettled=[0])) == "no day since 2026-03-02 has its attribution closed yet"
    assert stage(rows(SERVED[:2])) == "no day from 2026-03-02 to 2026-03-11 was served by these shares yet"
