"""The weekdays on which orders are placed, and what an order on each of them has to last for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY_DAY = tuple(range(len(WEEKDAY_NAMES)))


@dataclass(frozen=True)
class OrderDays:
    """Weekdays on which orders are placed, week after week; stock is sold and held on all others, too.

    Attributes:
        weekdays: 0 Monday to 6 Sunday, ascending, at least one; all of them where orders are placed every day.
    """

    weekdays: tuple[int, ...] = _EVERY_DAY

    def __post_init__(self) -> None:
        if not self.weekdays or list(self.weekdays) != sorted(set(self.weekdays) & set(_EVERY_DAY)):
            raise InventoryError(f"orders are placed on weekdays {self.weekdays}; expected some of 0 to 6, ascending")

    @classmethod
    def of(cls, names: Sequence[str]) -> OrderDays:
        """Return the days of weekdays by name, such as `monday`; every day where none is named."""
        return cls(tuple(day for day, name in enumerate(WEEKDAY_NAMES) if name.lower() in names) or _EVERY_DAY)

    @property
    def is_daily(self) -> bool:
        return self.weekdays == _EVERY_DAY

    @property
    def longest_gap(self) -> int:
        """Most days from one order to the next."""
        return int(self.gaps(np.array(self.weekdays, dtype=np.int64)).max())

    def gaps(self, weekday: IntArray) -> IntArray:
        """Return days from each weekday's order to the next one, 0 where none is placed on it.

        >>> OrderDays((0, 3)).gaps(np.arange(7)).tolist()
        [3, 0, 0, 4, 0, 0, 0]
        """
        found = np.zeros(len(_EVERY_DAY), dtype=np.int64)
        for day, following in zip(self.weekdays, (*self.weekdays[1:], self.weekdays[0] + 7), strict=True):
            found[day] = following - day
        return found[weekday]

    def has(self, day: date) -> bool:
        """Return whether orders are placed on the day."""
        return day.weekday() in self.weekdays

    def next_from(self, day: date) -> date:
        """Return the first day from this one on, itself included, on which orders are placed."""
        return next(one for one in (day + timedelta(days=ahead) for ahead in range(7)) if self.has(one))

    def __str__(self) -> str:
        """Return the days in words: `every day`, `every Monday and Thursday`."""
        if self.is_daily:
            return "every day"
        *others, last = (WEEKDAY_NAMES[day] for day in self.weekdays)
        return f"every {', '.join(others)} and {last}" if others else f"every {last}"


EVERY_DAY = OrderDays()


@dataclass(frozen=True)
class DemandAhead:
    """What is expected to be asked for from a day on, and for how long an order placed on it has to last.

    Attributes:
        forecasts: of the day itself and of days after it, units, `(n, lead_time + longest_gap)`.
        lead_time: days from an order to its arrival.
        gaps: days until the next order is placed, at least 1, `(n,)`.
    """

    forecasts: FloatArray
    lead_time: int
    gaps: IntArray

    @property
    def covered(self) -> FloatArray:
        """Forecasts of the days until the next order arrives, and 0 for those behind, of the same shape."""
        return covered_days(self.forecasts, self.lead_time, self.gaps)


def covered_days(forecasts: FloatArray, lead_time: int, gaps: IntArray) -> FloatArray:
    """Return forecasts with 0 behind the day before the next order's arrival; those without a gap count one day of it.

    Args:
        forecasts: of a day and days after it, units, `(..., n_ahead)`.
        lead_time: days from an order to its arrival.
        gaps: days until the next order, 0 where none is placed, `(...)`.
    """
    last = lead_time + np.maximum(gaps, 1)
    return np.asarray(np.where(np.arange(forecasts.shape[-1]) < last[..., None], forecasts, 0.0))
