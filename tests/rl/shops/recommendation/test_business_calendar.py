"""The calendar agrees with the zone's own clock at every instant, changes of summer time included."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.shops.recommendation.business_calendar import BusinessCalendar

ZONES = ["Europe/Berlin", "UTC", "America/New_York", "Asia/Shanghai"]


@given(
    zone=st.sampled_from(ZONES),
    first_date=st.sampled_from([date(2026, 3, 24), date(2026, 10, 20), date(2026, 7, 1), date(2026, 3, 3)]),
    seconds=st.integers(0, 10 * 86400 - 1),
    microseconds=st.integers(0, 999_999),
)
def test_day_hour_and_weekday_are_the_zones(zone: str, first_date: date, seconds: int, microseconds: int) -> None:
    """Date, hour and weekday are those of zoneinfo."""
    calendar = BusinessCalendar.of(zone=zone, first_date=first_date, n_days=10)
    start = datetime(first_date.year, first_date.month, first_date.day, tzinfo=UTC)
    moment = start + timedelta(seconds=seconds, microseconds=microseconds)
    time = np.array([round(start.timestamp()) * 1_000_000 + seconds * 1_000_000 + microseconds])
    local = moment.astimezone(ZoneInfo(zone))
    assert calendar.date(int(calendar.day(time)[0])) == local.date()
    assert calendar.hour(time)[0] == local.hour
    assert calendar.weekday(time)[0] == local.isoweekday()
    assert calendar.half_day(time)[0] == 2 * (local.date() - first_date).days + (local.hour >= 12)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("first_date", [date(2026, 3, 27), date(2026, 10, 23), date(2026, 3, 7), date(2026, 10, 30)])
def test_half_day_starts_at_midnight_and_noon_of_the_zone(zone: str, first_date: date) -> None:
    """Half-days start at midnight and at noon on the zone's clock, on days of 23 and 25 hours too."""
    calendar = BusinessCalendar.of(zone=zone, first_date=first_date, n_days=4)
    for half_day in range(8):
        start = datetime.fromtimestamp(calendar.half_day_start(half_day) / 1_000_000, UTC).astimezone(ZoneInfo(zone))
        assert (start.date(), start.hour, start.minute) == (
            first_date + timedelta(days=half_day // 2),
            12 * (half_day % 2),
            0,
        )
