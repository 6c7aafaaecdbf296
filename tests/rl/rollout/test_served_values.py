"""Shoppers' values since a stage began."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest

from rl.rollout.served_values import (
    ArmSizes,
    ComparedUnits,
    ServedRows,
    StageAsked,
    StageShares,
    StageValues,
    date_of,
    day_number,
    stage_values,
)
from rl.rollout.silence import SilentDays

LAUNCHED = date(2026, 3, 2)
START = day_number(LAUNCHED)
LOTS = {"nina": 0.02, "noah": 0.1, "nora": 0.2, "olga": 0.6, "otto": 0.7, "oleg": 0.9}

FIRST = StageShares(first=0.25, former=0.0, present=0.25)

Row = tuple[str, int, float, str]


def rows(served: Sequence[Row], unsettled: Sequence[int] = ()) -> ServedRows:
    """Rows of (shopper, days since the launch, reward, who decided: new, old, fallback or earlier)."""
    served = sorted(served, key=lambda one: one[1])
    names = sorted({one[0] for one in served})
    by = np.array([one[3] for one in served], dtype=np.str_)
    return ServedRows(
        shopper=np.array([names.index(one[0]) for one in served], dtype=np.int64),
        names=tuple(names),
        day=np.array([START + one[1] for one in served], dtype=np.int64),
        reward=np.array([one[2] for one in served], dtype=np.float64),
        is_settled=np.array([one[1] not in unsettled for one in served], dtype=np.bool_),
        is_new_version=by == "new",
        is_replaced_version=by == "old",
        is_fallback=by == "fallback",
    )


def stage(
    served: ServedRows,
    *,
    first: int = 0,
    last: int = 9,
    shares: StageShares = FIRST,
    return_days: int = 20,
    off: Collection[int] = (),
) -> StageValues | str:
    asked = StageAsked(
        shares=shares,
        launched=LAUNCHED,
        first_day=date_of(START + first),
        horizon=date_of(START + last),
        covariate_days=28,
        return_days=return_days,
        off=frozenset(date_of(START + number) for number in off),
    )
    lots = np.array([int(LOTS[name.split(":")[0]] * 2**64) for name in served.names], dtype=np.uint64)
    return stage_values(served, lots, asked)


def found_of(found: StageValues | str) -> StageValues:
    assert isinstance(found, StageValues), found
    return found


def told(found: ComparedUnits | None) -> dict[str, list[tuple[int, float, float]]]:
    """Entry, value and value before, by arm."""
    assert found is not None
    units = found.units
    every = list(zip(units.entry.tolist(), units.value.tolist(), units.before.tolist(), strict=True))
    return {
        "new": sorted(one for one, is_new in zip(every, units.is_new, strict=True) if is_new),
        "old": sorted(one for one, is_new in zip(every, units.is_new, strict=True) if not is_new),
    }


SERVED: list[Row] = [
    ("nina", -3, 5.0, "old"),
    ("olga", -40, 9.0, "earlier"),
    ("nina", 0, 1.0, "new"),
    ("olga", 0, 2.0, "old"),
    ("nina", 2, 3.0, "new"),
    ("otto", 2, 4.0, "old"),
    ("nina", 3, 6.0, "fallback"),
]


def test_values_are_sums_since_the_stage_began() -> None:
    """What a fallback brought counts for its shopper; what came before is what a shopper is worth anyway."""
    found = found_of(stage(rows(SERVED)))
    assert told(found.stage) == {"new": [(0, 10.0, 5.0)], "old": [(0, 2.0, 0.0), (3, 4.0, 0.0)]}
    assert (found.stage.days.n, found.sizes, found.stray) == (10, (ArmSizes(1, 2, 0.25),), 0.0)


def test_who_was_known_counts_with_nothing_where_they_stay_away() -> None:
    """In both arms: otherwise those who were driven away would be missing from one of them."""
    stayed_away: list[Row] = [("noah", -5, 3.0, "old"), ("oleg", -6, 2.0, "earlier")]
    found = found_of(stage(rows([*SERVED, *stayed_away])))
    assert told(found.stage)["new"] == [(0, 0.0, 3.0), (0, 10.0, 5.0)]
    assert told(found.stage)["old"] == [(0, 0.0, 2.0), (0, 2.0, 0.0), (3, 4.0, 0.0)]
    assert found.sizes == (ArmSizes(1, 2, 0.25),)  # sizes are of those who came


LATER: list[Row] = [
    ("nina", -3, 5.0, "old"),
    ("nina", 1, 7.0, "new"),
    ("noah", 1, 2.0, "old"),
    ("oleg", 1, 3.0, "old"),
    ("noah", 4, 9.0, "new"),
    ("nora", 5, 8.0, "new"),
    ("otto", 5, 6.0, "old"),
    ("nina", 6, 1.0, "new"),
]
SECOND = StageShares(first=0.05, former=0.05, present=0.25)


def test_a_later_stage_compares_who_was_drawn_in_it_with_who_is_not_drawn_yet() -> None:
    """Who got the version before is in neither arm; who was last seen before the stage counts with what it brings."""
    found = found_of(stage(rows(LATER), first=4, shares=SECOND))
    assert told(found.stage) == {"new": [(0, 9.0, 2.0), (2, 8.0, 0.0)], "old": [(0, 0.0, 3.0), (2, 6.0, 0.0)]}
    assert found.stage.share == pytest.approx(0.2 / 0.95)


def test_whether_a_version_keeps_its_former_shoppers_changes_nothing_in_a_later_stage() -> None:
    stays = found_of(stage(rows(LATER), first=4, shares=SECOND))
    leaves = found_of(stage(rows(LATER[:-1]), first=4, shares=SECOND))
    assert told(stays.stage) == told(leaves.stage)
    assert stays.sizes == leaves.sizes


def test_who_was_drawn_first_is_compared_once_most_have_come_back() -> None:
    """Over the whole launch, from the first day of its first stage that counts; who left since then brings nothing."""
    found = found_of(stage(rows(LATER), first=4, shares=SECOND, return_days=3))
    assert found.lasting_from == date_of(START + 4)
    assert told(found.lasting) == {"new": [(0, 1.0, 5.0)], "old": [(0, 0.0, 0.0), (2, 6.0, 0.0)]}
    assert found.lasting is not None
    assert found.lasting.share == pytest.approx(0.05 / 0.8)
    left = found_of(stage(rows(LATER[:-1]), first=4, shares=SECOND, return_days=3))
    assert told(left.lasting)["new"] == [(0, 0.0, 5.0)]
    early = found_of(stage(rows(LATER), first=4, shares=SECOND, return_days=9))
    assert (early.lasting, early.lasting_from) == (None, date_of(START + 10))


def test_the_first_stage_knows_who_was_drawn_first_too() -> None:
    found = found_of(stage(rows(SERVED), return_days=2))
    assert told(found.lasting) == {"new": [(0, 9.0, 5.0)], "old": [(0, 0.0, 0.0), (1, 4.0, 0.0)]}


def test_sizes_are_of_those_who_were_never_served_before_they_came() -> None:
    """Of the stage, and of the whole launch; who came back before the stage counted isn't new to either."""
    found = found_of(stage(rows(LATER), first=4, shares=SECOND))
    assert found.sizes == (ArmSizes(2, 1, pytest.approx(0.2 / 0.95)), ArmSizes(1, 2, pytest.approx(0.05 / 0.8)))


def test_both_arms_count_up_to_the_last_day_whose_attribution_has_closed() -> None:
    """A day with a single open decision doesn't count, nor do days after it, in either arm."""
    found = found_of(stage(rows(SERVED, unsettled=[2])))
    assert told(found.stage) == {"new": [(0, 1.0, 5.0)], "old": [(0, 2.0, 0.0)]}
    assert found.stage.days.n == 2


def test_days_before_the_shares_were_in_force_do_not_count() -> None:
    """On the day of a growth some are still served what they had; who came first on it was known since."""
    served: list[Row] = [("noah", 0, 7.0, "old"), ("nina", 0, 7.0, "new"), *SERVED[4:]]
    found = found_of(stage(rows(served)))
    assert told(found.stage) == {"new": [(0, 0.0, 0.0), (0, 9.0, 0.0)], "old": [(1, 4.0, 0.0)]}
    assert found.sizes == (ArmSizes(0, 1, 0.25),)


def test_stray_decisions_after_the_first_day_are_told() -> None:
    assert found_of(stage(rows([*SERVED, ("noah", 4, 1.0, "old")]))).stray == 1 / 5


def test_names_that_had_nothing_but_fallbacks_before_are_not_known() -> None:
    """Those of one request each, of shoppers who opted out, never come again, and would count for nothing for ever."""
    once: list[Row] = [(f"oleg:{n}", -n, 1.0, "fallback") for n in range(1, 9)]
    assert told(found_of(stage(rows([*SERVED, *once]))).stage) == told(found_of(stage(rows(SERVED))).stage)


def test_a_version_that_fails_keeps_the_shoppers_of_its_arm() -> None:
    """A newcomer for whom the fallback decided belongs to the arm even so: others of the same kind are in the other."""
    found = found_of(stage(rows([*SERVED, ("noah", 1, 3.0, "fallback")])))
    assert told(found.stage)["new"] == [(0, 10.0, 5.0), (2, 3.0, 0.0)]


def crowd(day: int, by: str = "old", n: int = 25) -> list[Row]:
    """So many others of a day that some of a quarter should have come among them: .75^25 is below .001."""
    return [(f"olga:{number}", day, 2.0, by) for number in range(n)]


FAILED: list[Row] = [("nina", -3, 5.0, "old"), ("nina", 2, 1.0, "fallback"), ("noah", 3, 1.0, "fallback")]


def test_days_on_which_a_version_fails_for_all_its_shoppers_count() -> None:
    """From the first of them on, by what its shoppers brought: nobody else knows that it fails."""
    found = found_of(stage(rows([*FAILED, *crowd(2), *crowd(3)])))
    assert (found.stage.days.first, found.stray) == (START + 2, 0.0)
    assert told(found.stage)["new"] == [(0, 1.0, 5.0), (2, 1.0, 0.0)]
    assert found.silent == SilentDays(date_of(START + 2), n_days=2, n_decisions=2, n_fallback=2)
    assert found.lasting_from == date_of(START + 2 + 20)


def test_days_of_which_no_decision_of_its_shoppers_arrived_count() -> None:
    """Who was known and isn't seen brings nothing."""
    found = found_of(stage(rows([FAILED[0], *crowd(2)])))
    assert told(found.stage)["new"] == [(0, 0.0, 5.0)]
    assert found.silent == SilentDays(date_of(START + 2), n_days=1, n_decisions=0, n_fallback=0)


def test_days_on_which_a_version_failed_for_all_count_once_it_decides() -> None:
    """Nor is it silent any more."""
    found = found_of(stage(rows([*FAILED, *crowd(2), *crowd(3), ("nina", 4, 9.0, "new")])))
    assert (found.stage.days.first, found.silent) == (START + 2, None)
    assert told(found.stage)["new"] == [(0, 10.0, 5.0), (2, 1.0, 0.0)]


def test_a_later_stage_in_which_a_version_fails_counts_and_so_does_the_launch() -> None:
    """Its shoppers are those drawn anew; the first stage began on the first day that some got it."""
    served: list[Row] = [*LATER[:4], ("nina", 4, 9.0, "fallback"), ("nora", 5, 8.0, "fallback"), *crowd(5, n=40)]
    found = found_of(stage(rows(served), first=4, shares=SECOND, return_days=3))
    assert (found.stage.days.first, found.lasting_from) == (START + 5, date_of(START + 4))
    assert found.silent == SilentDays(date_of(START + 5), n_days=1, n_decisions=1, n_fallback=1)


def test_days_on_which_the_whole_service_is_down_are_not_the_versions_fault() -> None:
    """Not the first one that counts, nor among those on which the version was silent; within a stage they count."""
    down: list[Row] = [("nina", 1, 1.0, "fallback"), *crowd(1, "fallback")]
    assert stage(rows(down)) == (
        "no day from 2026-03-02 to 2026-03-11 was served by these shares yet: 1 decision of its shoppers arrived (0 by "
        "the version, 0 by what it replaces, 1 by the fallback) and 25 decisions of the others arrived (0 by the "
        "version, 0 by what it replaces, 25 by the fallback)"
    )
    later: list[Row] = [("nina", 3, 1.0, "fallback"), *crowd(3, "fallback"), *crowd(4)]
    found = found_of(stage(rows([*down, *FAILED[:2], *crowd(2), *later])))
    assert (found.stage.days.first, found.silent and found.silent.n_days) == (START + 2, 2)
    decided: list[Row] = [("nina", 0, 1.0, "new"), *crowd(0)]
    found = found_of(stage(rows([*decided, *down])))
    assert (found.stage.days.first, found.silent) == (START, None)


@pytest.mark.parametrize(
    "served",
    [
        [*FAILED, *crowd(2, n=12), *crowd(3, n=12)],  # the same shoppers again: it may be by lots that none was its own
        [("nina", 2, 1.0, "old"), *crowd(2)],  # its shoppers got what it replaces
        [*FAILED[:2], *crowd(2, n=20), ("nina", 3, 1.0, "old"), *crowd(3, n=20)],
    ],
)
def test_a_version_is_not_said_to_fail_where_it_may_not_be_served_yet(served: list[Row]) -> None:
    found = stage(rows(served))
    assert isinstance(found, str) and "was served by these shares yet" in found


def test_a_day_on_which_its_shoppers_got_the_other_version_ends_the_silence() -> None:
    """It may have been taken off all services by then, which its shoppers don't suffer from."""
    found = found_of(stage(rows([*FAILED, *crowd(2), *crowd(3), ("nina", 4, 1.0, "old"), *crowd(4)])))
    assert (found.silent, found.stray) == (None, 1 / 76)


@pytest.mark.parametrize(
    ("served", "unsettled", "why"),
    [
        (SERVED, [0], "no day since 2026-03-02 has its attribution closed yet"),
        (SERVED[:2], [], "no day from 2026-03-02 to 2026-03-11 was served by these shares yet"),
        ([], [], "no day from 2026-03-02 to 2026-03-11 was served by these shares yet"),
    ],
)
def test_nothing_counts_before_a_day_has_closed_or_was_served(served: Any, unsettled: list[int], why: str) -> None:
    assert stage(rows(served, unsettled=unsettled)) == why


def test_days_on_which_a_person_turned_it_off_are_not_the_versions_fault() -> None:
    """Nor are they once it is on again: those who weren't drawn stay with the shop's own rule meanwhile."""
    decided: list[Row] = [("nina", 0, 1.0, "new"), *crowd(0)]
    down: list[Row] = [row for day in (1, 2, 3) for row in (("nina", day, 1.0, "fallback"), *crowd(day))]
    served = rows([*decided, *down])
    found = found_of(stage(served))
    assert found.silent is not None
    assert found.silent.n_days == 3
    assert found_of(stage(served, off=(1, 2, 3))).silent is None
    found = found_of(stage(served, off=(1, 2)))
    assert found.silent is not None
    assert found.silent.n_days == 1
    assert isinstance(stage(rows(down), off=(1, 2, 3)), str)


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_a_small_share_that_is_not_in_force_yet_is_not_silent(share: float) -> None:
    """What it replaces decides for everybody, among them the few who will get it: so few that they hardly stray."""
    generator = np.random.default_rng(3)
    lots = generator.integers(0, 2**64, 4000, dtype=np.uint64)
    shopper = np.concatenate([generator.choice(4000, 1500, replace=False) for _ in range(8)])
    every = np.ones(len(shopper), dtype=np.bool_)
    served = ServedRows(
        shopper=shopper,
        names=tuple(map(str, range(4000))),
        day=START + np.repeat(np.arange(-4, 4), 1500),
        reward=generator.poisson(1, len(shopper)).astype(np.float64),
        is_settled=every,
        is_new_version=~every,
        is_replaced_version=every,
        is_fallback=~every,
    )
    shares = StageShares(first=share, former=0.0, present=share)
    asked = StageAsked(shares, LAUNCHED, LAUNCHED, date_of(START + 3), covariate_days=28, return_days=20)
    assert "was served by these shares yet" in str(stage_values(served, lots, asked))
