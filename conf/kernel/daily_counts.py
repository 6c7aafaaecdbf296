"""What each unit did on each day, by category and by the day from which it is known: all that history is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.event_types import ENGAGEMENT_TYPES
from conf.kernel.arrays import IntArray, changes
from conf.kernel.stream import Stream, is_of_type


@dataclass(frozen=True)
class DailyCounts:
    """Counts of events, each column `(n,)` int64, ordered by unit, day and visible_from.

    A row is known at as-of days from `visible_from` on; it is there even where it counts nothing: its day was a visit.

    Attributes:
        unit: whose events.
        day: their business day, days since the epoch.
        visible_from: the first business day before which both the day and its delivery lie.
        category: id hash of their category, 0 none.
        n_clicks: click and view events.
        n_purchases: purchase events.
        n_engagements: events that show interest.
    """

    unit: IntArray
    day: IntArray
    visible_from: IntArray
    category: IntArray
    n_clicks: IntArray
    n_purchases: IntArray
    n_engagements: IntArray

    def __len__(self) -> int:
        return len(self.unit)


def daily_counts(stream: Stream) -> DailyCounts:
    """Return the counts of the stream's events."""
    visible_from = np.maximum(stream.day, stream.delivery_day) + 1
    order = _order(stream, visible_from)
    unit, day = stream.unit[order], stream.day[order]
    visible_from, category = visible_from[order], stream.known_category[order]
    first = np.flatnonzero(changes(unit, day, visible_from, category))

    def counted(*types: str) -> IntArray:
        flag = is_of_type(stream, *types)[order].astype(np.int64)
        found: IntArray = np.add.reduceat(flag, first) if len(first) else flag
        return found

    return DailyCounts(
        unit=unit[first],
        day=day[first],
        visible_from=visible_from[first],
        category=category[first],
        n_clicks=counted("click", "view"),
        n_purchases=counted("purchase"),
        n_engagements=counted(*ENGAGEMENT_TYPES),
    )


def _order(stream: Stream, visible_from: IntArray) -> IntArray:
    """Return the rows ordered by unit, day, visible_from and category, `(n,)`."""
    if not len(stream):
        return np.zeros(0, dtype=np.int64)
    day, late = stream.day - stream.day.min(), visible_from - stream.day
    n_days, n_late = day.max() + 1, late.max() + 1
    # One number for the three of them, nearly ascending already, since a unit's days ascend.
    cell = (stream.unit * n_days + day) * n_late + late
    return np.lexsort((stream.known_category, cell))
