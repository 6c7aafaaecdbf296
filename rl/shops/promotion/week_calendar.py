"""Weeks of a zone's calendar: when each is decided, and moments within it at which a shopper may be awake."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray

MICROSECONDS = 1_000_000
HOUR = 3600 * MICROSECONDS
DAY = 24 * HOUR
DAYS_A_WEEK = 7

# No zone moves its clock in these hours, so that a day has one offset in them and local times are said once.
FIRST_WAKING_HOUR = 7
LAST_WAKING_HOUR = 23
WAKING_SECONDS = (LAST_WAKING_HOUR - FIRST_WAKING_HOUR) * 3600

# A purchase comes so long after its week's decision that the visit that led to it does too.
VISIT_SECONDS = 15 * 60


@dataclass(frozen=True)
class WeekCalendar:
    """Weeks counted from the one that is decided on the first Monday (0).

    Attributes:
        first_monday: the day of the first decision.
        decision_hour: hour of the zone at which a week is decided.
        day_starts: microseconds since the epoch at which each day's midnight would be on the clock of its waking
            hours, from the first Monday, `(n_days,)`.
        offsets: that clock's offset from UTC by day, microseconds, `(n_days,)`.
    """

    first_monday: dt.date
    decision_hour: int
    day_starts: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, *, zone: str, first_monday: dt.date, n_weeks: int, decision_hour: int) -> WeekCalendar:
        """Return the calendar of the weeks, and of some after them for what comes late."""
        n_days = (n_weeks + 16) * DAYS_A_WEEK
        noons = [
            dt.datetime.combine(first_monday + dt.timedelta(days=day), dt.time(12), ZoneInfo(zone))
            for day in range(n_days)
        ]
        offsets = [round((noon.utcoffset() or dt.timedelta(0)).total_seconds()) * MICROSECONDS for noon in noons]
        starts = [round(noon.timestamp()) * MICROSECONDS - DAY // 2 for noon in noons]
        return cls(first_monday, decision_hour, np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64))

    def decision_time(self, week: int) -> int:
        """Return when a week is decided, microseconds since the epoch."""
        return int(self.day_starts[week * DAYS_A_WEEK]) + self.decision_hour * HOUR

    def moment(self, week: int, place: FloatArray) -> IntArray:
        """Return waking moments of a week, in whole seconds: a visit's length after its decision, before the next one.

        Args:
            week: the week.
            place: shares of that time, in [0, 1).
        """
        earliest = (self.decision_hour - FIRST_WAKING_HOUR) * 3600 + VISIT_SECONDS
        seconds = earliest + np.floor(place * (DAYS_A_WEEK * WAKING_SECONDS - VISIT_SECONDS)).astype(np.int64)
        day, rest = np.divmod(seconds, WAKING_SECONDS)
        return self._waking(week * DAYS_A_WEEK + day, rest)

    def later_day(self, time: IntArray, n_days: IntArray, place: FloatArray) -> IntArray:
        """Return waking moments, at shares of the day, of the day so many days after that of the times."""
        day = np.minimum(self.day(time) + n_days, len(self.day_starts) - 1)
        return self._waking(day, np.floor(place * WAKING_SECONDS).astype(np.int64))

    def _waking(self, day: IntArray, second: IntArray) -> IntArray:
        found: IntArray = self.day_starts[day] + FIRST_WAKING_HOUR * HOUR + second * MICROSECONDS
        return found

    def day(self, time: IntArray) -> IntArray:
        """Return the day of waking moments, 0 on the first Monday."""
        return np.asarray(np.searchsorted(self.day_starts, time, side="right") - 1)

    def local(self, time: IntArray) -> IntArray:
        """Return waking moments on the zone's clock, as microseconds since the epoch of that clock."""
        return np.asarray(time + self.offsets[self.day(time)])

    def date(self, day: int) -> dt.date:
        """Return the date of a day."""
        return self.first_monday + dt.timedelta(days=int(day))
