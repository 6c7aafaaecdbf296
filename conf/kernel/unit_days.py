"""A unit and a business day as one number, ascending by unit and then by day."""

from __future__ import annotations

from dataclasses import dataclass

from conf.kernel.arrays import IntArray


@dataclass(frozen=True)
class UnitDays:
    """How units and days become numbers: days count from `first_day`, and each unit has `n_days` of them."""

    first_day: int
    n_days: int

    def number(self, unit: IntArray, day: IntArray) -> IntArray:
        """Return the numbers of units at days, shaped as they are."""
        return unit * self.n_days + (day - self.first_day)

    def parts(self, number: IntArray) -> tuple[IntArray, IntArray]:
        """Return the unit and the day of each number; the unit of -1 is -1."""
        return number // self.n_days, number % self.n_days + self.first_day


def unit_days(*days: IntArray) -> UnitDays:
    """Return the numbering that has room for all of the days."""
    known = [one for one in days if len(one)]
    if not known:
        return UnitDays(0, 1)
    first, last = min(int(one.min()) for one in known), max(int(one.max()) for one in known)
    return UnitDays(first, last - first + 1)
