"""Which visits take place, and what earlier ones left to them, so that every session holds the decisions of one visit.

Purchases and refunds come hours after the visit that caused them, and to a reader of the log a session is any chain of
a shopper's events without a longer gap. A visit that such a chain would join to the shopper's last visit, or whose
chain is so long that the session could be cut, doesn't take place: so one visit is one session and one episode.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.shops.recommendation.measures import HOUR
from rl.shops.recommendation.session_memory import NEVER, RANKS
from rl.shops.recommendation.shop import Shop

# Sessions are cut at four hours; a visit takes at most 45 minutes.
LONGEST_CHAIN = 3 * HOUR


@dataclass
class DelayedEvents:
    """Purchases and refunds of all shoppers that may still matter to a session, flat and in no order."""

    shopper: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    key: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    item: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add(self, shopper: IntArray, key: IntArray, item: IntArray) -> None:
        self.shopper = np.concatenate([self.shopper, shopper])
        self.key = np.concatenate([self.key, key])
        self.item = np.concatenate([self.item, item])

    def forget_before(self, time: int) -> None:
        """Drop events that are older than the longest chain before the instant."""
        kept = self.key // RANKS >= time - 2 * LONGEST_CHAIN
        self.shopper, self.key, self.item = self.shopper[kept], self.key[kept], self.item[kept]

    def of(self, shopper: IntArray, n_shoppers: int) -> tuple[IntArray, IntArray]:
        """Return each shopper's event keys and items in total order, `(len(shopper), most)`, padded with `NEVER`."""
        row_of = np.full(n_shoppers, -1)
        row_of[shopper] = np.arange(len(shopper))
        wanted = np.flatnonzero(row_of[self.shopper] >= 0)
        wanted = wanted[np.lexsort((self.key[wanted], self.shopper[wanted]))]
        row = row_of[self.shopper[wanted]]
        starts = np.flatnonzero(np.diff(self.shopper[wanted], prepend=-1))
        place = np.arange(len(wanted)) - np.repeat(starts, np.diff(starts, append=len(wanted)))
        shape = (len(shopper), int(place.max(initial=-1)) + 1)
        key, item = np.full(shape, NEVER), np.full(shape, -1)
        key[row, place], item[row, place] = self.key[wanted], self.item[wanted]
        return key, item


def admit(shop: Shop, *, time: IntArray, last_visit_end: IntArray, delayed_key: IntArray) -> tuple[BoolArray, IntArray]:
    """Return which visits take place, and from when on earlier events belong to their session, `(n,)` each.

    Args:
        shop: gives the gap.
        time: when the visits would start, `(n,)`.
        last_visit_end: last click, cart or impression of the shopper's last visit, `(n,)`; far in the past for none.
        delayed_key: the shoppers' delayed events in order, `(n, n_delayed)`.
    """
    chain_start = time.copy()
    for column in reversed(range(delayed_key.shape[1])):
        earlier = delayed_key[:, column] // RANKS
        joins = (earlier < time) & (earlier > last_visit_end) & (chain_start - earlier <= shop.measures.gap)
        chain_start = np.where(joins, earlier, chain_start)
    joins_last_visit = chain_start - last_visit_end <= shop.measures.gap
    return ~joins_last_visit & (time - chain_start <= LONGEST_CHAIN), chain_start
