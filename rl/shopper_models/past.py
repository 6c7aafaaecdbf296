"""Sums over what is known of shoppers at as-of days, as two running sums: what had appeared less what had gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes
from conf.kernel.unit_days import UnitDays, unit_days
from rl.shopper_models.daily_activity import DailyActivity


@dataclass(frozen=True)
class Past:
    """What shoppers did before as-of days, as far as it was known there.

    Attributes:
        activity: rows by shopper, day and visible_from.
        shopper: whose past is asked for, `(n_asked,)`.
        as_of_day: the business day before which everything must lie, `(n_asked,)`.
        history_days: how many business days before the as-of day count at most.
        order: shoppers and days as single numbers.
    """

    activity: DailyActivity
    shopper: IntArray
    as_of_day: IntArray
    history_days: int
    order: UnitDays

    def summed(self, values: IntArray, days: int) -> IntArray:
        """Return the sum of the values of rows on the last days before each asked day, `(n_asked,)`.

        Args:
            values: one for each row of the activity.
            days: how far back rows count.
        """
        gone = self.activity.day + days + 1
        counted = (values != 0) & (self.activity.visible_from < gone)
        shopper, values = self.activity.shopper[counted], values[counted]
        appeared = self._running(shopper, self.activity.visible_from[counted], values)
        return appeared - self._running(shopper, gone[counted], values)

    def n_days(self, flag: BoolArray, days: int) -> IntArray:
        """Return the distinct days of flagged rows, `(n_asked,)`; a flag holds for its day once it is known."""
        return self.summed(self._first_flagged(flag).astype(np.int64), days)

    def latest(self, flag: BoolArray) -> IntArray:
        """Return the last day of a flagged row, -1 where the history has none, `(n_asked,)`."""
        return self._extreme(flag, is_latest=True)

    def earliest(self, flag: BoolArray) -> IntArray:
        """Return the first day within the history of a flagged row, -1 where it has none, `(n_asked,)`."""
        return self._extreme(flag, is_latest=False)

    def days_of_log(self) -> IntArray:
        """Return how many days before each asked day the log reaches back, by what is known there, `(n_asked,)`."""
        found = np.zeros(len(self.as_of_day), dtype=np.int64)
        for as_of_day in np.unique(self.as_of_day):
            known = self.activity.day[self.activity.visible_from <= as_of_day]
            found[self.as_of_day == as_of_day] = as_of_day - known.min() if len(known) else 0
        return found

    def _first_flagged(self, flag: BoolArray) -> BoolArray:
        found = np.zeros(len(flag), dtype=np.bool_)
        rows = np.flatnonzero(flag)
        if len(rows):
            found[rows[changes(self.activity.shopper[rows], self.activity.day[rows])]] = True
        return found

    def _running(self, shopper: IntArray, since: IntArray, values: IntArray) -> IntArray:
        at = self.order.number(shopper, since)
        order = np.argsort(at, kind="stable")
        total = np.append(0, np.cumsum(values[order]))
        asked = self.order.number(self.shopper, self.as_of_day)
        found: IntArray = total[np.searchsorted(at[order], asked, side="right")]
        return found

    def _extreme(self, flag: BoolArray, *, is_latest: bool) -> IntArray:
        """Return the last or first flagged day known at each asked day and within its history."""
        found = np.full(len(self.shopper), -1, dtype=np.int64)
        for as_of_day in np.unique(self.as_of_day):
            known = flag & (self.activity.visible_from <= as_of_day)
            known &= self.activity.day >= as_of_day - self.history_days
            rows = np.flatnonzero(known)
            day = np.full(len(self.activity.shoppers), -1, dtype=np.int64)
            # Rows of a shopper ascend by day, and of several values for one place the last one stays.
            place = rows if is_latest else rows[::-1]
            day[self.activity.shopper[place]] = self.activity.day[place]
            asked = self.as_of_day == as_of_day
            found[asked] = day[self.shopper[asked]]
        return found


def past_of(activity: DailyActivity, shopper: IntArray, as_of_day: IntArray, *, history_days: int) -> Past:
    """Return the past of shoppers at as-of days."""
    gone = activity.day + history_days + 1
    order = unit_days(activity.day, activity.visible_from, gone, as_of_day)
    return Past(activity, shopper, as_of_day, history_days, order)
