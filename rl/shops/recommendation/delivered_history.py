"""The features of delay `delivery`: what earlier nights' deliveries had told of each shopper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.shops.recommendation.business_calendar import TAIL_DAYS
from rl.shops.recommendation.session_memory import CLICK, IS_ENGAGEMENT, PURCHASE, Columns
from rl.shops.recommendation.shop import Shop


@dataclass
class DeliveredHistory:
    """Counts of each shopper's events by their business day, apart for those that come a day late.

    Attributes:
        n_events, n_clicks, n_purchases: `(2, n_shoppers, n_days)`, first index 1 for late events.
        n_engaged: `(2, n_shoppers, n_days, n_categories)`.
    """

    n_events: IntArray
    n_clicks: IntArray
    n_purchases: IntArray
    n_engaged: IntArray

    @classmethod
    def empty(cls, shop: Shop) -> DeliveredHistory:
        """Return the history before anything was delivered."""
        shape = (2, shop.settings.n_shoppers, shop.settings.n_days + TAIL_DAYS)
        return cls(
            n_events=np.zeros(shape, dtype=np.int64),
            n_clicks=np.zeros(shape, dtype=np.int64),
            n_purchases=np.zeros(shape, dtype=np.int64),
            n_engaged=np.zeros((*shape, shop.n_categories), dtype=np.int64),
        )

    def record(
        self, shop: Shop, *, shopper: IntArray, time: IntArray, rank: IntArray, item: IntArray, is_late: BoolArray
    ) -> None:
        """Count the events on their business days, without those beyond the calendar's tail."""
        day = shop.calendar.day(time)
        kept = day < self.n_events.shape[2]
        where = is_late.astype(np.int64)[kept], shopper[kept], day[kept]
        rank, category = rank[kept], shop.catalogue.category[item[kept]]
        np.add.at(self.n_events, where, 1)
        np.add.at(self.n_clicks, where, (rank == CLICK).astype(np.int64))
        np.add.at(self.n_purchases, where, (rank == PURCHASE).astype(np.int64))
        np.add.at(self.n_engaged, (*where, category), IS_ENGAGEMENT[rank].astype(np.int64))

    def columns(self, shop: Shop, shopper: IntArray, day: int) -> Columns:
        """Return the features on a business day, `(len(shopper),)` and lists `(len(shopper), length)`.

        A delivery carries its own day's events and the late ones of the day before.
        """
        first = max(day - shop.measures.history_days, 0)
        n_events = self._delivered(self.n_events, shopper, first, day)
        has_event = n_events > 0
        days_back = day - np.arange(first, day)
        last_visit = np.where(has_event, days_back, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
        engaged = self._delivered(self.n_engaged, shopper, first, day).sum(axis=1)
        return {
            "n_past_sessions_days": has_event.sum(axis=1),
            "days_since_last_visit": np.where(has_event.any(axis=1), last_visit, -1),
            "n_past_clicks": self._delivered(self.n_clicks, shopper, first, day).sum(axis=1),
            "n_past_purchases": self._delivered(self.n_purchases, shopper, first, day).sum(axis=1),
            "favorite_categories": _favorites(engaged, shop),
        }

    @staticmethod
    def _delivered(counts: IntArray, shopper: IntArray, first: int, day: int) -> IntArray:
        delivered = counts[0, shopper, first:day].copy()
        delivered[:, : max(day - 1 - first, 0)] += counts[1, shopper, first : max(day - 1, first)]
        return delivered


def _favorites(engaged: IntArray, shop: Shop) -> IntArray:
    """Return the category hashes by count, most first, ties by ascending hash, 0 where there are no more."""
    length = shop.measures.list_lengths["favorite_categories"]
    by_hash = np.argsort(shop.catalogue.category_hash)
    counts = engaged[:, by_hash]
    order = np.argsort(-counts, axis=1, kind="stable")[:, :length]
    hashes = np.where(np.take_along_axis(counts, order, axis=1) > 0, shop.catalogue.category_hash[by_hash][order], 0)
    padded = np.zeros((len(engaged), length), dtype=np.int64)
    padded[:, : hashes.shape[1]] = hashes
    return padded
