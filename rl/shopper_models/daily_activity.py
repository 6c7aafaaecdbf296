"""What each shopper did on each business day, by the day from which it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.event_types import ENGAGEMENT_TYPES
from conf.kernel.arrays import BoolArray, IntArray, changes

FloatArray = npt.NDArray[np.float64]

MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class DailyActivity:
    """Counts and amounts, each column `(n,)` int64, ordered by shopper, day and visible_from.

    A row is known at as-of days from `visible_from` on, as the kernel's daily counts are. Each row is part of a visit.

    Attributes:
        shoppers: ids of shoppers; `shopper` indexes them.
        shopper: whose activity.
        day: business day, days since the epoch.
        visible_from: the first business day before which both the day and its delivery lie.
        n_purchases: purchase events.
        spend: paid for them, millionths of currency.
        discount: taken off before paying, millionths of currency.
        complete_through: the last business day whose events have all been delivered.
    """

    shoppers: tuple[str, ...]
    shopper: IntArray
    day: IntArray
    visible_from: IntArray
    n_purchases: IntArray
    spend: IntArray
    discount: IntArray
    complete_through: int

    def __len__(self) -> int:
        return len(self.shopper)

    def rows(self, kept: BoolArray) -> DailyActivity:
        """Return the rows that are kept; shoppers keep their numbers."""
        columns = {name: getattr(self, name)[kept] for name in _COLUMNS}
        return DailyActivity(shoppers=self.shoppers, complete_through=self.complete_through, **columns)

    def known_at(self, day: int) -> DailyActivity:
        """Return what is known at the as-of day: all that was delivered before it, and nothing else."""
        return self.rows(self.visible_from <= day)


_COLUMNS = ("shopper", "day", "visible_from", "n_purchases", "spend", "discount")


def daily_activity(columns: Mapping[str, npt.NDArray[Any]], *, complete_through: int) -> DailyActivity:
    """Return the activity of events.

    Impressions and what the shop does aren't visits and are left out, as are refunds.

    Args:
        columns: of events, each `(n,)`: `user_id` text, `event_type` text, `day`, `delivery_day`, and `spend` and
            `discount` in millionths, 0 where the event has none.
        complete_through: the last business day whose events have all been delivered.
    """
    is_visit = np.isin(columns["event_type"], list(ENGAGEMENT_TYPES)) & (columns["user_id"] != "")
    shoppers, shopper = np.unique(columns["user_id"][is_visit].astype(str), return_inverse=True)
    day = columns["day"][is_visit].astype(np.int64)
    visible_from = np.maximum(day, columns["delivery_day"][is_visit].astype(np.int64)) + 1
    is_purchase = columns["event_type"][is_visit] == "purchase"
    order = np.lexsort((visible_from, day, shopper))
    shopper, day, visible_from = shopper[order].astype(np.int64), day[order], visible_from[order]
    first = np.flatnonzero(changes(shopper, day, visible_from)) if len(order) else np.zeros(0, dtype=np.int64)

    def summed(values: npt.NDArray[Any]) -> IntArray:
        of_purchases = np.where(is_purchase, values, 0).astype(np.int64)[order]
        found: IntArray = np.add.reduceat(of_purchases, first) if len(first) else of_purchases
        return found

    return DailyActivity(
        shoppers=tuple(str(one) for one in shoppers),
        shopper=shopper[first],
        day=day[first],
        visible_from=visible_from[first],
        n_purchases=summed(np.ones(len(order), dtype=np.int64)),
        spend=summed(columns["spend"][is_visit]),
        discount=summed(columns["discount"][is_visit]),
        complete_through=complete_through,
    )
