"""The table of a zone's clock changes against the zone itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.kernel.arrays import MICROS_PER_DAY
from conf.kernel.calendar import calendar_of, day_number
from tests.conf.kernel.columns_of_rows import array, micros

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # clocks skip midnight in spring, and show it twice in autumn
    "Africa/Casablanca",  # four changes within some years
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
]
FIRST, LAST = date(2024, 12, 30), date(2027, 1, 2)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(ZONES), st.datetimes(datetime(2024, 12, 29), datetime(2027, 1, 4), timezones=st.just(UTC)))
def test_wall_clock_is_the_zone_s(zone: str, moment: datetime) -> None:
    """To the microsecond."""
    calendar = calendar_of(zone, day_number(FIRST), day_number(LAST))
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    assert calendar.local_us(array([micros(moment)])).tolist() == [micros(shown)]
    assert calendar.day(array([micros(moment)])).tolist() == [day_number(shown.date())]


@pytest.mark.parametrize("zone", ZONES)
def test_clock_changes_are_found_to_the_second(zone: str) -> None:
    """Around each change, the second before and the second itself."""
    calendar = calendar_of(zone, day_number(FIRST), day_number(LAST))
    moments = np.concatenate([calendar.changes_us[1:] - 1, calendar.changes_us[1:]])
    shown = [
        micros(
            (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=one))
            .astimezone(ZoneInfo(zone))
            .replace(tzinfo=UTC)
        )
        for one in moments.tolist()
    ]
    assert calendar.local_us(moments).tolist() == shown


@pytest.mark.parametrize("zone", ZONES)
def test_days_start_when_the_zone_says(zone: str) -> None:
    """Every day of two years, those that lack a midnight or have two as well."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    calendar = calendar_of(zone, day_number(FIRST), day_number(LAST))
    expected = [micros(datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)) for day in days]
    assert calendar.start_of_day(array(day_number(day) for day in days)).tolist() == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [1, 2, 3, 4, 23])
def test_an_hour_is_when_wall_clocks_show_it(zone: str, hour: int) -> None:
    """Every day of two years, those whose clocks skip it or show it twice as well."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    calendar = calendar_of(zone, day_number(FIRST), day_number(LAST))
    expected = [micros(datetime.combine(day, time(hour), tzinfo=ZoneInfo(zone)).astimezone(UTC)) for day in days]
    assert calendar.at_hour(array(day_number(day) for day in days), hour).tolist() == expected


def test_moments_it_does_not_know_are_refused() -> None:
    """Another offset might hold there."""
    calendar = calendar_of("UTC", 10, 12)
    with pytest.raises(ValueError, match="make it of more days"):
        calendar.local_us(array([7 * MICROS_PER_DAY]))
