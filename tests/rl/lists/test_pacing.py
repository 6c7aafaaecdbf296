"""A period's budget is spread over its weeks: what one leaves the later ones get, and together they never overrun."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from conf.paths import Lake
from conf.publication import read_pointer, swap_pointer
from conf.specs.budget import Pacing
from rl.errors import DatasetError, PolicyError
from rl.lists.list_publishing import ListOrigin, ListPrices, publish_list
from rl.lists.pacing import PacedWeek, paced_week, period_of, read_paced_week
from tests.rl.lists.test_list_checks import decided

STARTS = date(2026, 1, 5)
WEEKLY = 100_000_000
PACING = Pacing(weeks=5, starts=STARTS)


def monday(week: int) -> date:
    return STARTS + timedelta(weeks=week)


def week_of(week: int, committed: dict[int, int], pacing: Pacing = PACING) -> PacedWeek:
    lists = {monday(other): one for other, one in committed.items()}
    return paced_week(pacing, monday(week), weekly=WEEKLY, committed=lists)


def test_periods_follow_one_another_on_both_sides_of_the_named_day() -> None:
    assert period_of(PACING, monday(0)) == (monday(0), monday(5))
    assert period_of(PACING, monday(7)) == (monday(5), monday(10))
    assert period_of(PACING, monday(-1)) == (monday(-5), monday(0))


def test_what_a_week_leaves_is_spread_over_the_later_ones() -> None:
    assert week_of(0, {}).weekly_budget == WEEKLY
    assert week_of(1, {0: 60_000_000}).weekly_budget == (5 * WEEKLY - 60_000_000) // 4
    assert week_of(4, {0: WEEKLY, 1: WEEKLY, 2: WEEKLY, 3: 20_000_000}).weekly_budget == 180_000_000
    assert week_of(1, {}).weekly_budget == 125_000_000  # no list was made of week 0


def test_no_week_gets_more_than_its_most() -> None:
    assert week_of(4, {}).weekly_budget == 2 * WEEKLY
    assert week_of(4, {}, Pacing(weeks=5, starts=STARTS, most=1.0)).weekly_budget == WEEKLY


def test_other_periods_count_for_nothing() -> None:
    assert week_of(5, dict.fromkeys(range(5), 3 * WEEKLY)).weekly_budget == WEEKLY
    assert week_of(0, {5: 3 * WEEKLY, -1: 3 * WEEKLY}).weekly_budget == WEEKLY


@pytest.mark.parametrize("seed", range(5))
def test_periods_are_never_overspent_and_hardly_underspent(seed: int) -> None:
    """Fifty weeks of lists that commit between nothing and all they may; each ends within its period's budget.

    Weeks that commit 60% of their share on average leave less than the last week's own remainder.
    """
    rng = np.random.default_rng(seed)
    pacing, committed = Pacing(weeks=10, starts=STARTS, most=4.0), dict[int, int]()
    for week in range(50):
        found = week_of(week, committed, pacing)
        used = int(rng.uniform(0.2, 1.0) * found.weekly_budget)
        found.refuse_overrun(used)
        committed[week] = used
    totals = np.array([committed[week] for week in range(50)]).reshape(5, 10).sum(axis=1)
    assert (totals <= 10 * WEEKLY).all()
    assert (totals > 7 * WEEKLY).all()  # without carrying over, 60% of ten shares


def test_a_planted_overrun_is_caught_and_leaves_nothing_to_the_later_weeks() -> None:
    spent = {0: 5 * WEEKLY + 1}
    assert week_of(1, spent).weekly_budget == 0
    assert week_of(1, spent).to_json()["is_overspent"] is True
    with pytest.raises(PolicyError, match=r"has -0\.000001 left of its 500\.00"):
        week_of(1, spent).refuse_overrun(1)
    week_of(1, spent).refuse_overrun(0)  # a list without offers is always possible


def test_a_week_decided_again_has_the_budget_it_had_but_not_what_later_lists_spent() -> None:
    before, again = week_of(1, {0: WEEKLY}), week_of(1, {0: WEEKLY, 2: 2 * WEEKLY, 3: WEEKLY, 4: 50_000_000})
    assert again.weekly_budget == before.weekly_budget == WEEKLY
    again.refuse_overrun(50_000_000)
    with pytest.raises(PolicyError, match=r"has 50\.000000 left .* decide its later lists again after this one"):
        again.refuse_overrun(50_000_001)


def publish(lake: Lake, as_of: date, *, rows: pa.Table | None = None) -> int:
    """Publish forty shoppers' list of the week; return what it commits."""
    found = decided(as_of=as_of).rows if rows is None else rows
    origin = ListOrigin(
        "promotion", as_of, as_of, "s", "c", "k", 60_000_000, {"observations": str(as_of)}, ListPrices(0.5, None)
    )
    publish_list(lake, found, origin)
    return sum(found["committed"].to_pylist())


def test_lists_are_added_up_from_their_rows(tmp_path: Path) -> None:
    """Its own week's list and those of other periods are left out."""
    lake = Lake(tmp_path, "shop")
    committed = [publish(lake, monday(week)) for week in (0, 1, 2, 5)]
    assert min(committed) > 0
    found = read_paced_week(PACING, lake, "promotion", monday(1), weekly=WEEKLY)
    assert (found.committed_before, found.committed_after) == (committed[0], committed[2])
    assert read_paced_week(PACING, lake, "promotion", monday(9), weekly=WEEKLY).committed_before == committed[3]


def test_a_list_that_commits_more_than_its_manifest_says_is_caught(tmp_path: Path) -> None:
    """The planted fault is in the pointer; the rows are as they were published."""
    lake = Lake(tmp_path, "shop")
    publish(lake, monday(0))
    path = Lake.pointer(lake.decisions("promotion"), f"as_of={monday(0)}")
    pointer = read_pointer(path)
    assert pointer is not None
    told = pointer.manifest.model_copy(update={"counters": {**pointer.manifest.counters, "committed": 1}})
    swap_pointer(path, pointer.model_copy(update={"manifest": told}))
    with pytest.raises(DatasetError, match=r"by its rows and 1 by its manifest; run `python -m rl decide .*2026-01-04"):
        read_paced_week(PACING, lake, "promotion", monday(1), weekly=WEEKLY)
