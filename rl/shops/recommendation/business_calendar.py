"""Business days, hours and half-days of microsecond timestamps, as arrays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.shops.recommendation.measures import HOUR

DAY = 24 * HOUR
TAIL_DAYS = 4


@dataclass(frozen=True)
class BusinessCalendar:
    """Days of a zone, counted from the first date (0); covers two days before it to `TAIL_DAYS` after the last.

    Zones change their offset on whole UTC hours only, so a table of hourly offsets is exact.
    """

    first_date: dt.date
    first_hour: int
    hourly_offset: IntArray

    @classmethod
    def of(cls, *, zone: str, first_date: dt.date, n_days: int) -> BusinessCalendar:
        """Return the calendar of `n_days` days from the first date in an IANA zone."""
        start = dt.datetime(first_date.year, first_date.month, first_date.day, tzinfo=dt.UTC) - dt.timedelta(days=2)
        hours = [start + dt.timedelta(hours=hour) for hour in range((n_days + 2 + TAIL_DAYS) * 24)]
        offsets = [hour.astimezone(ZoneInfo(zone)).utcoffset() or dt.timedelta(0) for hour in hours]
        microseconds = np.array([round(offset.total_seconds()) * 1_000_000 for offset in offsets], dtype=np.int64)
        return cls(first_date, round(start.timestamp()) * 1_000_000, microseconds)

    def local(self, time: IntArray) -> IntArray:
        """Return microseconds on the zone's clock since the first date's midnight; the offset at the ends holds on."""
        index = np.clip((time - self.first_hour) // HOUR, 0, len(self.hourly_offset) - 1)
        return time + self.hourly_offset[index] - (self.first_hour + 2 * DAY)

    def day(self, time: IntArray) -> IntArray:
        """Return the business day, 0 on the first date."""
        return self.local(time) // DAY

    def hour(self, time: IntArray) -> IntArray:
        """Return the hour of the business day, 0 to 23."""
        return self.local(time) % DAY // HOUR

    def weekday(self, time: IntArray) -> IntArray:
        """Return the day of the week of the business day, 1 Monday to 7 Sunday."""
        return (self.day(time) + self.first_date.weekday()) % 7 + 1

    def half_day(self, time: IntArray) -> IntArray:
        """Return the half-day: 0 for the morning of the first date, 1 for its afternoon (from noon), and so on."""
        return self.local(time) // (DAY // 2)

    def half_day_start(self, half_day: int) -> int:
        """Return the first microsecond of a half-day, since the epoch."""
        wall = half_day * (DAY // 2)
        guess = self.first_hour + 2 * DAY + wall
        candidates = np.arange(guess - 14 * HOUR, guess + 14 * HOUR, HOUR // 4, dtype=np.int64)
        return int(candidates[self.half_day(candidates) >= half_day][0])

    def date(self, day: int) -> dt.date:
        """Return the date of a business day."""
        return self.first_date + dt.timedelta(days=int(day))

    def index(self, day: dt.date) -> int:
        """Return the business day of a date."""
        return (day - self.first_date).days
