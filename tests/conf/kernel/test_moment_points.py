"""A point of every unit at one moment, on the business day of its zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np

from conf.kernel.calendar import calendar_of, day_number
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel.moment_points import moment_points
from conf.kernel.stream import STREAM_COLUMNS, stream_of

DAY = date(2026, 3, 30)  # a Monday, the day after clocks went forward
CALENDAR = calendar_of("Europe/Berlin", day_number(DAY) - 8, day_number(DAY) + 8)


def micros(day: int, hour: int) -> int:
    return int(datetime(2026, 3, day, hour, tzinfo=UTC).timestamp() * 1_000_000)


def test_each_unit_has_one_point_that_sees_no_running_episode() -> None:
    """In the units' order, on the business day; rows of the stream are seen through history alone."""
    columns = {name: np.zeros(5, dtype=np.int64) for name in STREAM_COLUMNS}
    columns |= {"unit": np.array([0, 0, 1, 2, 2]), "time_us": np.array([1, 2, 1, 1, 2])}
    found = moment_points(stream_of(columns), micros(30, 4), CALENDAR)
    assert found.unit.tolist() == [0, 1, 2]
    assert found.as_of_day.tolist() == [day_number(DAY)] * 3
    assert (found.local_us % 86_400_000_000 // 3_600_000_000).tolist() == [6] * 3
    assert found.first_row.tolist() == found.row_end.tolist() == [2, 3, 5]
    assert not found.is_decision.any()


def test_moments_are_of_the_week_that_has_started() -> None:
    """Weeks that start on Mondays at six: five o'clock in Berlin is of the week before."""
    clock = ShopperWeek(weekday=0, hour=6, weeks=4, max_steps=8)
    weeks = clock.weeks_of(np.array([micros(23, 5), micros(30, 3), micros(30, 4), micros(31, 0)]), CALENDAR)
    assert (weeks - weeks[0]).tolist() == [0, 0, 1, 1]
    assert clock.starts_us(weeks[2:3], CALENDAR).tolist() == [micros(30, 4)]
