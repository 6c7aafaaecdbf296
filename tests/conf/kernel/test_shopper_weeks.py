"""The clock of weeks against loops over rows, and what it says of weeks told by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from conf.kernel import attribution, timed_blocks, window_features
from conf.kernel.calendar import calendar_of, date_of, day_number
from conf.kernel.clocks import shopper_week
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.observation_features import WINDOWED_FEATURES
from conf.specs.scenario import MONEY_WINDOWS
from tests.conf.kernel.comparison import differences
from tests.conf.kernel.made_logs import MadeLog, made_logs, many_logs, week_pipelines
from tests.conf.kernel.planted_faults import Fault
from tests.conf.kernel.test_cuts import transitions as told

PIPELINES = week_pipelines(120, seed=5)
LOGS = made_logs(PIPELINES)
SEARCH = settings(max_examples=4_000, deadline=None, derandomize=True, database=None, phases=[Phase.generate])

FAULTS = {
    "weeks start at midnight": Fault(ShopperWeek._week, "if not self.hour or not len(week)", "if True"),
    "weeks start on Mondays": Fault(ShopperWeek._first_day, "+ _A_MONDAY + self.weekday", "+ _A_MONDAY"),
    "a block is a week": Fault(ShopperWeek.block, "// self.weeks", "// 1"),
    "a block closes where it ends": Fault(
        timed_blocks.block_points, "merged.of(own, row_end)", "merged.of(own, sessions.starts[block[is_last] + 1])"
    ),
    "a closing sees what happens at its moment": Fault(
        shopper_week.rows_before, "(is_row, moments, units)", "(~is_row, moments, units)"
    ),
    "an episode of weeks is terminal": Fault(
        timed_blocks.block_points, "np.zeros_like(is_last)", "np.ones_like(is_last)"
    ),
    "nothing is an offer": Fault(window_features._is_offer, "(action != rows.nothing) & ", ""),
    "a window is a day longer": Fault(window_features.sums_over, "+ days + 1", "+ days + 2"),
    "a late event counts at once": Fault(
        window_features.daily_sums, "np.maximum(day, stream.delivery_day[counted])", "day"
    ),
    "a day with two deliveries counts twice": Fault(
        window_features._first_of_days, "changes(daily.unit, daily.day)", "np.ones(len(daily.day), dtype=np.bool_)"
    ),
    "the last visit counts however long ago": Fault(window_features._days_since, "- days", "- 1000"),
    "a last decision must name the item": Fault(
        attribution.links, 'if rule.link == "last_decision"', 'if rule.link == "none"'
    ),
}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LOGS)
def test_weeks_are_those_of_loops_over_the_rows(log: MadeLog) -> None:
    """Every feature, reward, end and outcome of every row, whatever the weekday, hour, zone and length of blocks."""
    assert differences(log) == []


def test_weeks_of_many_shoppers_are_those_of_loops_over_the_rows() -> None:
    """The same of a thousand logs, twelve at once."""
    logs = [many_logs(PIPELINES, seed) for seed in range(60)]
    assert [found for log in logs if (found := differences(log))] == []
    made = [row for log in logs for row in told(log)]
    assert len(made) > 500
    assert {row["step"] for row in made} >= {0, 1, 2}
    assert not any(row["terminal"] for row in made)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, kernel and reference differ."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    found = find(LOGS, lambda log: differences(log) != [], settings=SEARCH)
    monkeypatch.undo()
    assert differences(found) == []


def test_each_window_has_its_meaning() -> None:
    """What the kernel computes is what specs may name, and what needs money is read with it."""
    assert set(window_features.NAMES) == set(WINDOWED_FEATURES)
    assert set(MONEY_WINDOWS) <= set(window_features.SUMS)


def test_blocks_hold_together_over_a_change_of_clocks() -> None:
    """Weeks start at their hour on the wall, where clocks change on that very day, too."""
    clock = ShopperWeek(weekday=6, hour=6, weeks=1, max_steps=10)
    calendar = calendar_of("Europe/Berlin", day_number(date(2026, 3, 1)), day_number(date(2026, 4, 30)))
    days = [date(2026, 3, 22), date(2026, 3, 29), date(2026, 4, 5)]
    weeks = clock._week_of_day(np.array([day_number(day) for day in days], dtype=np.int64))
    starts = [datetime.fromtimestamp(one / 1e6, UTC) for one in clock.starts_us(weeks, calendar).tolist()]
    assert starts == [
        datetime(2026, 3, 22, 5, tzinfo=UTC),
        datetime(2026, 3, 29, 4, tzinfo=UTC),
        datetime(2026, 4, 5, 4, tzinfo=UTC),
    ]


@pytest.mark.parametrize("weeks", [1, 3, 8])
def test_each_day_has_one_partition_that_starts_before_it(weeks: int) -> None:
    """A block's first day answers for its days; a first day holds moments of the block before, too."""
    clock = ShopperWeek(weekday=2, hour=6, weeks=weeks, max_steps=100)
    days = np.arange(day_number(date(2026, 1, 1)), day_number(date(2026, 12, 31)), dtype=np.int64)
    owners = clock.partition_days(days)
    assert ((days - owners >= 0) & (days - owners < 7 * weeks)).all()
    assert {date_of(one).weekday() for one in owners.tolist()} == {2}
    assert (np.diff(np.unique(owners)) == 7 * weeks).all()
    first: Any = owners[days == owners][:1]
    assert clock.starting_days(first).tolist() == [first[0] - 7 * weeks, first[0]]
    assert clock.starting_days(first + 1).tolist() == [first[0]]
