"""Moments lie in their week and on the zone's clock, across its changes too."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from rl.shops.promotion.week_calendar import FIRST_WAKING_HOUR, LAST_WAKING_HOUR, MICROSECONDS, WeekCalendar

BERLIN = ZoneInfo("Europe/Berlin")
# The clock goes back on 25 October 2026 and forward on 28 March 2027.
FIRST = dt.date(2026, 10, 12)
CALENDAR = WeekCalendar.of(zone="Europe/Berlin", first_monday=FIRST, n_weeks=26, decision_hour=9)


def berlin(time: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time / MICROSECONDS, dt.UTC).astimezone(BERLIN)


@pytest.mark.parametrize("week", range(0, 26, 5))
def test_weeks_are_decided_at_the_hour_of_the_zone(week: int) -> None:
    """A decision stands on a Monday at the hour that the zone's clock shows, whatever its offset."""
    decided = berlin(CALENDAR.decision_time(week))
    assert decided.replace(tzinfo=None) == dt.datetime.combine(FIRST + dt.timedelta(weeks=week), dt.time(9))


@pytest.mark.parametrize("hour", [7, 9, 22])
def test_moments_lie_between_two_decisions_in_waking_hours(hour: int) -> None:
    """The first and the last moment of every week lie within it, and nobody does anything at night."""
    calendar = WeekCalendar.of(zone="Europe/Berlin", first_monday=FIRST, n_weeks=26, decision_hour=hour)
    place = np.array([0.0, 0.001, 0.3, 0.7, 0.9999, np.nextafter(1, 0)])
    for week in range(26):
        times = calendar.moment(week, place)
        assert (np.diff(times) > 0).all()
        assert calendar.decision_time(week) + 15 * 60 * MICROSECONDS <= times[0]
        assert times[-1] < calendar.decision_time(week + 1)
        assert all(FIRST_WAKING_HOUR <= berlin(time).hour < LAST_WAKING_HOUR for time in times.tolist())


def test_days_and_local_times_are_those_of_the_zone() -> None:
    """Days and local times agree with the zone's own for moments of half a year."""
    times = np.concatenate([CALENDAR.moment(week, np.linspace(0, 0.999, 50)) for week in range(26)])
    local = CALENDAR.local(times)
    for time, day, clock in zip(times.tolist(), CALENDAR.day(times).tolist(), local.tolist(), strict=True):
        there = berlin(time)
        assert CALENDAR.date(day) == there.date()
        wall = dt.datetime.fromtimestamp(clock / MICROSECONDS, dt.UTC).replace(tzinfo=None)
        assert wall == there.replace(tzinfo=None)


def test_later_days_are_so_many_days_later() -> None:
    """A refund of three days later stands on the third day after, at a waking hour."""
    times = CALENDAR.moment(1, np.array([0.0, 0.5, 0.99]))
    later = CALENDAR.later_day(times, np.array([1, 3, 20]), np.array([0.0, 0.5, 0.999]))
    assert (CALENDAR.day(later) - CALENDAR.day(times)).tolist() == [1, 3, 20]
    assert all(FIRST_WAKING_HOUR <= berlin(time).hour < LAST_WAKING_HOUR for time in later.tolist())
