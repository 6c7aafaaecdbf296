"""Features of delay `delivery`: what deliveries before a decision's business day had brought about the unit.

A row of daily counts is seen at as-of days from its `visible_from` to `history_days` after its day, so what is seen at
a day is what had appeared by then less what had gone: two running sums.

Each feature is one function, and one entry in HISTORY_SCALARS or HISTORY_LISTS. A scalar is `(n_asked,)` int64, a list
`(n_asked, length)` id hashes, 0 where there are no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import IntArray, changes
from conf.kernel.daily_counts import DailyCounts
from conf.kernel.favorites import most_of
from conf.kernel.stream import NO_ID
from conf.kernel.unit_days import UnitDays, unit_days


@dataclass(frozen=True)
class HistoryQuery:
    """What the features are made of, and the units and days they are asked for.

    Attributes:
        daily: counts that can be seen at all: each before it goes.
        gone: the first as-of day at which each row of them is seen no more, `(n,)`.
        unit: whose history, `(n_asked,)`.
        as_of_day: the business day before which everything must lie, `(n_asked,)`.
        history_days: how many business days before the as-of day count.
        order: units and days as single numbers.
    """

    daily: DailyCounts
    gone: IntArray
    unit: IntArray
    as_of_day: IntArray
    history_days: int
    order: UnitDays

    def seen(self, counts: IntArray) -> IntArray:
        """Return the sum of the counts that are seen at each asked unit and day, `(n_asked,)`."""
        counted = counts != 0
        unit, since, until = self.daily.unit[counted], self.daily.visible_from[counted], self.gone[counted]
        return self.running(unit, since, counts[counted]) - self.running(unit, until, counts[counted])

    def running(self, unit: IntArray, since: IntArray, counts: IntArray) -> IntArray:
        """Return the sum of the counts that hold from days up to each asked one, over all units up to its unit."""
        at = self.order.number(unit, since)
        order = np.argsort(at, kind="stable")
        total = np.append(0, np.cumsum(counts[order]))
        asked = self.order.number(self.unit, self.as_of_day)
        found: IntArray = total[np.searchsorted(at[order], asked, side="right")]
        return found


def history_features(
    daily: DailyCounts,
    unit: IntArray,
    as_of_day: IntArray,
    lengths: Mapping[str, int | None],
    *,
    history_days: int,
) -> dict[str, IntArray]:
    """Return features of delay `delivery` of units at days, by name; `lengths` bounds list features."""
    asked = _asked(daily, unit, as_of_day, history_days)
    return {
        name: HISTORY_SCALARS[name](asked) if length is None else HISTORY_LISTS[name](asked, length)
        for name, length in lengths.items()
    }


def n_past_sessions_days(asked: HistoryQuery) -> IntArray:
    """Return the distinct business days with an event of the unit."""
    # The first row of a day is the one that is visible first.
    return asked.seen(changes(asked.daily.unit, asked.daily.day).astype(np.int64))


def days_since_last_visit(asked: HistoryQuery) -> IntArray:
    """Return the days back to the last of them, -1 where there is none."""
    appears = asked.order.number(asked.daily.unit, asked.daily.visible_from)
    order = np.argsort(appears, kind="stable")
    latest = np.maximum.accumulate(asked.order.number(asked.daily.unit, asked.daily.day)[order])
    place = np.searchsorted(appears[order], asked.order.number(asked.unit, asked.as_of_day), side="right")
    # Before all others stands a visit of nobody.
    unit, day = asked.order.parts(np.append(-1, latest)[place])
    is_seen = (unit == asked.unit) & (day >= asked.as_of_day - asked.history_days)
    return np.where(is_seen, asked.as_of_day - day, -1)


def n_past_clicks(asked: HistoryQuery) -> IntArray:
    """Return the click and view events."""
    return asked.seen(asked.daily.n_clicks)


def n_past_purchases(asked: HistoryQuery) -> IntArray:
    """Return the purchase events."""
    return asked.seen(asked.daily.n_purchases)


def favorite_categories(asked: HistoryQuery, length: int) -> IntArray:
    """Return categories by number of engagement events, most first, ties by ascending id hash."""
    daily = asked.daily
    counted = (daily.category != NO_ID) & (daily.n_engagements > 0)
    numbers, place = np.unique(asked.order.number(asked.unit, asked.as_of_day), return_inverse=True)
    favorites = most_of(
        asked=numbers,
        category=daily.category[counted],
        appears=asked.order.number(daily.unit[counted], daily.visible_from[counted]),
        goes=asked.order.number(daily.unit[counted], asked.gone[counted]),
        counts=daily.n_engagements[counted],
        length=length,
    )
    return favorites[place]


HISTORY_SCALARS: dict[str, Callable[[HistoryQuery], IntArray]] = {
    "n_past_sessions_days": n_past_sessions_days,
    "days_since_last_visit": days_since_last_visit,
    "n_past_clicks": n_past_clicks,
    "n_past_purchases": n_past_purchases,
}

HISTORY_LISTS: dict[str, Callable[[HistoryQuery, int], IntArray]] = {"favorite_categories": favorite_categories}


def _asked(daily: DailyCounts, unit: IntArray, as_of_day: IntArray, history_days: int) -> HistoryQuery:
    gone = daily.day + history_days + 1
    is_seen = daily.visible_from < gone
    kept = DailyCounts(**{name: column[is_seen] for name, column in vars(daily).items()})
    order = unit_days(kept.day, kept.visible_from, gone[is_seen], as_of_day)
    return HistoryQuery(kept, gone[is_seen], unit, as_of_day, history_days, order)
