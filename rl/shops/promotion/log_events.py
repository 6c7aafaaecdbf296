"""What deliveries tell of a week, as the kernel's columns: decisions, products seen, carts, orders, refunds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.event_types import EVENT_TYPE_RANK, EventType
from conf.kernel.calendar import day_number
from conf.kernel.stream import NO_ID, NO_NUMBER, STREAM_COLUMNS
from conf.observation_features import id_hash
from rl.data.logged_episodes import BoolArray, IntArray
from rl.shops.promotion.catalogue import CENT, N_LINES
from rl.shops.promotion.lockstep_weeks import MOST_VISITS, LockstepWeeks
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.web_views import CART_BEFORE, MOST_VIEWS, seen_on_visits, view_before
from rl.shops.promotion.week_responses import N_ORDERS, NEVER, WeekResponses

Columns = dict[str, IntArray]

_LATENESS_STREAM = 6

# Each line that a shopper's week can have in the feeds has a place of its own among the numbers that make lines late.
_N_VIEWS = MOST_VISITS * MOST_VIEWS
_BEFORE_PURCHASE = _N_VIEWS
_ORDERED = _BEFORE_PURCHASE + N_ORDERS * (N_LINES + 1)
_REFUNDED = _ORDERED + N_ORDERS * N_LINES
_N_PLACES = _REFUNDED + N_ORDERS * N_LINES


@dataclass(frozen=True)
class NaturalKeys:
    """Id hashes of a shop's natural keys, by index."""

    items: IntArray
    categories: IntArray
    actions: IntArray

    @classmethod
    def of(cls, shop: Shop) -> NaturalKeys:
        """Return the hashes of the shop's items, their categories, and actions."""
        catalogue = shop.catalogue
        names = [catalogue.category_ids[category] for category in catalogue.category.tolist()]
        return cls(*(_hashes(keys) for keys in (catalogue.item_ids, names, shop.settings.action_keys)))


def log_events(weeks: LockstepWeeks, played: WeekResponses, keys: NaturalKeys) -> Columns:
    """Return the events of a played week, each column `(n,)` in no order; units are the shoppers of the batch.

    As in the feeds, some lines come a day late, drawn by a chance of their own; none is lost.

    Args:
        weeks: whose week it was.
        played: what it led to.
        keys: of the shop.
    """
    draws = weeks.chance.uniforms(
        _LATENESS_STREAM, played.week, first=weeks.first, n_rows=weeks.n_shoppers, n_draws=_N_PLACES
    )
    lines = _Lines(weeks.shop, played, keys, draws[played.row] < weeks.shop.settings.dirt.late_rate)
    parts = [lines.decisions(weeks.n_shoppers), lines.visits(weeks)]
    for place in range(N_ORDERS):
        parts += lines.purchases(place)
    return {name: np.concatenate([part[name] for part in parts]) for name in STREAM_COLUMNS}


@dataclass(frozen=True)
class _Lines:
    """Makes the events of a week's lines, by kind.

    Attributes:
        shop: the shop.
        played: the week.
        keys: of the shop.
        is_late: which of the lines that a shopper's week can have come a day late, `(n_responses, _N_PLACES)`.
    """

    shop: Shop
    played: WeekResponses
    keys: NaturalKeys
    is_late: BoolArray

    def decisions(self, n_shoppers: int) -> Columns:
        played = self.played
        row = np.arange(len(played.row))
        time = np.full(len(row), self.shop.calendar.decision_time(played.week), dtype=np.int64)
        link = 1 + played.week * n_shoppers + played.row
        own: Columns = {
            "item": np.full(len(row), NO_ID),
            "action": self.keys.actions[played.action],
            "cost": played.contact_cost,
            "link": link,
            "availability": np.where(played.mask.sum(axis=1) > 1, 2, 1),
        }
        return self._events("impression", row, time, late=np.zeros(len(row), dtype=np.int64), **own)

    def visits(self, weeks: LockstepWeeks) -> Columns:
        seen = seen_on_visits(self.shop, weeks.chance, weeks.population, self.played, first=weeks.first)
        return self._of_items("view", seen.row, seen.time, seen.item, place=seen.line)

    def purchases(self, place: int) -> list[Columns]:
        """Return the events of one of the week's orders: products seen, the cart, what was bought and what came back.

        Args:
            place: of the order among those of the week.
        """
        basket, found = self.played.orders[place], []
        for line in range(N_LINES):
            row = np.flatnonzero(basket.quantity[:, line] > 0)
            item, time = basket.item[row, line], self.played.order_time[row, place]
            before, ordered = _BEFORE_PURCHASE + place * (N_LINES + 1), place * N_LINES + line
            amount, cost = basket.amount[row, line], basket.cost[row, line]
            money: Columns = {"amount": amount, "cost": cost, "discount": CENT * basket.discount_cents[row, line]}
            found += [
                self._of_items("view", row, time - view_before(line), item, place=before + line),
                # A cart is one line of the feed, whatever it holds.
                self._of_items("cart", row, time - CART_BEFORE, item, place=before + N_LINES),
                self._of_items("purchase", row, time, item, place=_ORDERED + ordered, **money),
            ]
            back = np.flatnonzero(self.played.refund_time[row, place] != NEVER)
            returned = self.played.refund_time[row[back], place]
            resold = np.where(self.played.is_resold[row[back], place], cost[back], NO_NUMBER)
            given: Columns = {"amount": amount[back], "cost": resold}
            found.append(self._of_items("refund", row[back], returned, item[back], place=_REFUNDED + ordered, **given))
        return found

    def _of_items(
        self, event: EventType, row: IntArray, time: IntArray, item: IntArray, *, place: IntArray | int, **own: IntArray
    ) -> Columns:
        late = self.is_late[row, place].astype(np.int64)
        return self._events(event, row, time, late=late, item=self.keys.items[item], category=self._of(item), **own)

    def _of(self, item: IntArray) -> IntArray:
        return self.keys.categories[item]

    def _events(self, event: EventType, row: IntArray, time: IntArray, *, late: IntArray, **own: IntArray) -> Columns:
        rank = np.full(len(row), EVENT_TYPE_RANK[event], dtype=np.int64)
        day = self.shop.calendar.day(time) + day_number(self.shop.settings.first_monday)
        none, no_number = np.full(len(row), NO_ID), np.full(len(row), NO_NUMBER)
        numbers = dict.fromkeys(("price", "amount", "cost", "discount", "position"), no_number)
        found = dict.fromkeys(STREAM_COLUMNS, none) | numbers | {"consent": np.ones(len(row), dtype=np.int64)}
        found |= {"unit": self.played.row[row], "time_us": time, "rank": rank, "type": rank}
        found |= {"day": day, "delivery_day": day + late} | own
        return found | {"known_category": found["category"]}


def _hashes(keys: tuple[str, ...] | list[str]) -> IntArray:
    return np.array([id_hash(key) for key in keys], dtype=np.int64)
