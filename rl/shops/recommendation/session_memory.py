"""What a log reader knows of running sessions: the exact features of delay `none`, kept event by event.

Events that are decided but haven't happened yet wait as pending keys, `microseconds * 16 + type rank`, so that they are
taken in in the total order. The features of an instant then follow from what was taken in before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from conf.event_types import ENGAGEMENT_TYPES, EVENT_TYPE_RANK
from rl.data.logged_episodes import BoolArray, IntArray
from rl.shops.recommendation.measures import MICROSECONDS
from rl.shops.recommendation.shop import Shop

Columns = dict[str, IntArray]

RANKS = 16
NEVER = np.int64(np.iinfo(np.int64).max)
IMPRESSION, CLICK, CART = EVENT_TYPE_RANK["impression"], EVENT_TYPE_RANK["click"], EVENT_TYPE_RANK["cart"]
PURCHASE, REFUND = EVENT_TYPE_RANK["purchase"], EVENT_TYPE_RANK["refund"]
EVENT_TYPE_NAMES = {rank: name for name, rank in EVENT_TYPE_RANK.items()}
IS_ENGAGEMENT = np.array([EVENT_TYPE_NAMES.get(rank) in ENGAGEMENT_TYPES for rank in range(RANKS)])


def event_key(time: IntArray, rank: int | IntArray) -> IntArray:
    """Return keys that sort as (event_time, type rank) do."""
    return np.asarray(time * RANKS + rank)


@dataclass
class SessionMemory:
    """Features of n running sessions; times in microseconds, `NEVER` where there is none.

    Attributes:
        pending_key: keys of events that are still to happen, `(n, n_slots)`.
        pending_item: their items, `(n, n_slots)`.
        first_time, last_time: first and latest event of the session, `(n,)`.
        n_decisions, n_clicks, n_carts, n_purchases: counts so far, `(n,)`.
        n_unengaged: decisions since the last engaged event, `(n,)`.
        n_in_a_row: decisions up to the last engaged one that an engaged event followed before the next, `(n,)`.
        price_band: of the last engaged event, -1 before, `(n,)`.
        shown, engaged: items, most recent first, -1 for none, `(n, length)`.
    """

    pending_key: IntArray
    pending_item: IntArray
    first_time: IntArray
    last_time: IntArray
    n_decisions: IntArray
    n_clicks: IntArray
    n_carts: IntArray
    n_purchases: IntArray
    n_unengaged: IntArray
    n_in_a_row: IntArray
    price_band: IntArray
    shown: IntArray
    engaged: IntArray

    @classmethod
    def opened(cls, shop: Shop, carried_key: IntArray, carried_item: IntArray) -> SessionMemory:
        """Return the memory of sessions about to start, with events of earlier visits, `(n, n_carried)`."""
        n, n_slots = len(carried_key), shop.settings.dynamics.max_steps + 2
        lengths = shop.measures.list_lengths
        n_shown = max(lengths["recent_shown_items"], lengths["recent_shown_categories"])
        n_engaged = max(lengths["recent_engaged_items"], lengths["recent_engaged_categories"])
        free = np.full((n, n_slots), NEVER)
        return cls(
            pending_key=np.concatenate([free, carried_key], axis=1),
            pending_item=np.concatenate([np.full((n, n_slots), -1), carried_item], axis=1),
            first_time=np.full(n, NEVER),
            last_time=np.full(n, NEVER),
            n_decisions=np.zeros(n, dtype=np.int64),
            n_clicks=np.zeros(n, dtype=np.int64),
            n_carts=np.zeros(n, dtype=np.int64),
            n_purchases=np.zeros(n, dtype=np.int64),
            n_unengaged=np.zeros(n, dtype=np.int64),
            n_in_a_row=np.zeros(n, dtype=np.int64),
            price_band=np.full(n, -1),
            shown=np.full((n, n_shown), -1),
            engaged=np.full((n, n_engaged), -1),
        )

    def take(self, rows: IntArray | BoolArray) -> SessionMemory:
        """Return the memory of some sessions."""
        return SessionMemory(*(getattr(self, field.name)[rows] for field in fields(self)))

    def await_event(self, slot: int, rows: IntArray, key: IntArray, item: IntArray) -> None:
        """Hold the events in a free slot until their time comes."""
        self.pending_key[rows, slot] = key
        self.pending_item[rows, slot] = item

    def take_in_before(self, shop: Shop, time: IntArray) -> None:
        """Take in every pending event before the instant `(n,)`, in the total order."""
        while True:
            slot = self.pending_key.argmin(axis=1)
            key = self.pending_key[np.arange(len(slot)), slot]
            rows = np.flatnonzero(key < event_key(time, IMPRESSION))
            if not rows.size:
                return
            slots = slot[rows]
            self.take_in(shop, rows, key=key[rows], item=self.pending_item[rows, slots])
            self.pending_key[rows, slots] = NEVER

    def take_in(self, shop: Shop, rows: IntArray, *, key: IntArray, item: IntArray) -> None:
        """Take in one event for each of the rows, after all that were taken in before."""
        time, rank = key // RANKS, key % RANKS
        self.first_time[rows] = np.minimum(self.first_time[rows], time)
        self.last_time[rows] = time
        self.n_decisions[rows] += rank == IMPRESSION
        self.n_clicks[rows] += rank == CLICK
        self.n_carts[rows] += rank == CART
        self.n_purchases[rows] += rank == PURCHASE
        _push(self.shown, rows[rank == IMPRESSION], item[rank == IMPRESSION])
        is_engaged = IS_ENGAGEMENT[rank]
        self._count_answers(rows[rank == IMPRESSION], rows[is_engaged])
        _push(self.engaged, rows[is_engaged], item[is_engaged])
        self.price_band[rows[is_engaged]] = shop.catalogue.price_band[item[is_engaged]]

    def _count_answers(self, decided: IntArray, engaged: IntArray) -> None:
        """Count what was decided and what was engaged with, one event a row."""
        self.n_in_a_row[decided[self.n_unengaged[decided] > 0]] = 0
        self.n_unengaged[decided] += 1
        self.n_in_a_row[engaged] += self.n_unengaged[engaged] > 0
        self.n_unengaged[engaged] = 0

    def columns(self, shop: Shop, time: IntArray) -> Columns:
        """Return the features of delay `none` at the instant `(n,)`; all earlier events must have been taken in."""
        catalogue, calendar, lengths = shop.catalogue, shop.calendar, shop.measures.list_lengths
        is_first = self.last_time == NEVER
        since_start = np.where(is_first, 0, (time - np.where(is_first, 0, self.first_time)) // MICROSECONDS)
        since_previous = np.where(is_first, -1, (time - np.where(is_first, 0, self.last_time)) // MICROSECONDS)
        return {
            "recent_shown_items": _hashes(self.shown, catalogue.item_hash, lengths["recent_shown_items"]),
            "recent_shown_categories": _hashes(
                self.shown, catalogue.item_category_hash, lengths["recent_shown_categories"]
            ),
            "recent_engaged_items": _hashes(self.engaged, catalogue.item_hash, lengths["recent_engaged_items"]),
            "recent_engaged_categories": _hashes(
                self.engaged, catalogue.item_category_hash, lengths["recent_engaged_categories"]
            ),
            "session_step": self.n_decisions.copy(),
            "n_session_clicks": self.n_clicks.copy(),
            "n_session_carts": self.n_carts.copy(),
            "n_session_purchases": self.n_purchases.copy(),
            "seconds_since_session_start": since_start,
            "seconds_since_previous_event": since_previous,
            "n_decisions_since_engagement": self.n_unengaged.copy(),
            "n_engaged_in_a_row": np.where(self.n_unengaged > 0, 0, self.n_in_a_row),
            "last_price_band": self.price_band.copy(),
            "hour_of_day": calendar.hour(time),
            "day_of_week": calendar.weekday(time),
        }


def _push(recent: IntArray, rows: IntArray, item: IntArray) -> None:
    if rows.size:
        recent[rows, 1:] = recent[rows, :-1]
        recent[rows, 0] = item


def _hashes(recent: IntArray, hashes: IntArray, length: int) -> IntArray:
    bounded = recent[:, :length]
    return np.where(bounded >= 0, hashes[bounded], 0)
