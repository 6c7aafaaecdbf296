"""Wall clocks and business days of a zone, from one table of when its clocks changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, IntArray

_EPOCH = date(1970, 1, 1)
_SECONDS_PER_HOUR = 3600
_SECONDS_PER_DAY = 24 * _SECONDS_PER_HOUR


@dataclass(frozen=True)
class Calendar:
    """What clocks of a zone show between two moments; `calendar_of` makes it.

    Attributes:
        first_us: the first moment it knows, UTC microseconds.
        end_us: the first moment it doesn't know any more.
        changes_us: from when each offset holds, ascending, `(n,)`; the first one is `first_us`.
        offsets_us: what clocks are ahead of UTC from then on, microseconds, `(n,)`.
    """

    first_us: int
    end_us: int
    changes_us: IntArray
    offsets_us: IntArray

    def local_us(self, time_us: IntArray) -> IntArray:
        """Return the wall clock at moments, as microseconds since midnight of 1970-01-01 on that clock.

        Raises:
            ValueError: moments outside what the calendar knows.
        """
        if len(time_us) and not (self.first_us <= time_us.min() and time_us.max() < self.end_us):
            raise ValueError(
                f"moments from {time_us.min()} to {time_us.max()} microseconds, but the calendar knows "
                f"{self.first_us} to {self.end_us}: make it of more days"
            )
        found: IntArray = time_us + self.offsets_us[np.searchsorted(self.changes_us, time_us, side="right") - 1]
        return found

    def day(self, time_us: IntArray) -> IntArray:
        """Return the business day of moments, days since the epoch."""
        return self.local_us(time_us) // MICROS_PER_DAY

    def start_of_day(self, day: IntArray) -> IntArray:
        """Return when business days start, UTC microseconds.

        Where clocks skip midnight, that is the moment they do; where they show it twice, the first.
        """
        return self.at_hour(day, 0)

    def at_hour(self, day: IntArray, hour: int) -> IntArray:
        """Return when wall clocks show an hour of business days, UTC microseconds.

        Where clocks skip a full hour, that is the moment they do; where they show it twice, the first.
        """
        offsets = self.offsets_us
        later_offsets = np.maximum(offsets, np.append(offsets[:1], offsets[:-1]))
        holds_from = self.changes_us + later_offsets
        shown = day * MICROS_PER_DAY + hour * MICROS_PER_HOUR
        place = np.searchsorted(holds_from, shown, side="right") - 1
        found: IntArray = shown - offsets[np.maximum(place, 0)]
        return found


@lru_cache(maxsize=64)
def calendar_of(zone: str, first_day: int, last_day: int) -> Calendar:
    """Return the calendar of a zone (IANA name) for business days since the epoch, two days around them included."""
    first, end = (first_day - 2) * _SECONDS_PER_DAY, (last_day + 3) * _SECONDS_PER_DAY
    clock = ZoneInfo(zone)
    changes, offsets = [first], [_offset(clock, first)]
    for moment in range(first, end, _SECONDS_PER_HOUR):
        offset = _offset(clock, moment)
        if offset != offsets[-1]:
            changes.append(_change(clock, moment - _SECONDS_PER_HOUR, moment))
            offsets.append(offset)
    return Calendar(
        first_us=first * MICROS_PER_SECOND,
        end_us=end * MICROS_PER_SECOND,
        changes_us=np.array(changes, dtype=np.int64) * MICROS_PER_SECOND,
        offsets_us=np.array(offsets, dtype=np.int64) * MICROS_PER_SECOND,
    )


def date_of(day: int) -> date:
    """Return the date of a day since the epoch."""
    return _EPOCH + timedelta(days=day)


def day_number(day: date) -> int:
    """Return the day as days since the epoch."""
    return (day - _EPOCH).days


def _change(clock: ZoneInfo, before: int, after: int) -> int:
    """Return the first second at which the offset is that of `after` and no longer that of `before`."""
    offset = _offset(clock, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(clock, middle) == offset else (before, middle)
    return after


def _offset(clock: ZoneInfo, moment: int) -> int:
    """Return what the clock is ahead of UTC at a second since the epoch, in seconds."""
    shown = datetime.fromtimestamp(moment, UTC).astimezone(clock).utcoffset()
    return (shown or timedelta(0)) // timedelta(seconds=1)
