"""Units that were ordered and haven't come, by the day on which they are promised, as of any business day.

An order is what was ordered of a product under one number on one business day. A receipt belongs to the latest order of
its number and product, of its own day or before. Lines of either are seen from the business day after their delivery
on, so that what is on its way changes with what is seen: units seen as ordered less those seen as received, at least 0.
What hasn't come is expected for some business days after the promised one, and then not any more: it was cancelled, or
comes as a surprise. Where rests are dropped, the promised day ends an order of which something has come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes
from conf.kernel.points_in_order import is_last_of
from conf.kernel.stock_flows import units_of
from conf.kernel.stream import NO_ID, Stream, is_of_type
from conf.kernel.unit_days import UnitDays, unit_days

NONE = -1


@dataclass(frozen=True)
class OrderRule:
    """How orders are followed.

    Attributes:
        lead_days: business days from an order to the day that it is promised for.
        history_days: how many business days after its own an order is looked at.
        has_receipts: whether receipts tell when units came; else they count as come after the promised day.
        overdue_days: for how many business days after the promised one what hasn't come is expected; 0 where
            has_receipts is False.
        drops_rests: whether, after the promised day, what is left of an order isn't expected once some of it has come.
    """

    lead_days: int
    history_days: int
    has_receipts: bool
    overdue_days: int
    drops_rests: bool = False


@dataclass(frozen=True)
class TiedReceipts:
    """Receipts that belong to an order, by product, the order's day and the stream's order, each column `(n,)` int64.

    Attributes:
        unit: which product came in.
        order_day: the business day of the order.
        visible_from: the first business day at which the receipt is seen.
        lead_days: from the one to the other.
    """

    unit: IntArray
    order_day: IntArray
    visible_from: IntArray
    lead_days: IntArray


@dataclass(frozen=True)
class OrderChanges:
    """What becomes of the units on their way, each column `(n,)` int64, in no order.

    Attributes:
        unit: of which product.
        due: the business day that they are promised for.
        since: the business day from which the change is seen.
        units: more, or below 0 fewer.
        receipts: of the orders.
    """

    unit: IntArray
    due: IntArray
    since: IntArray
    units: IntArray
    receipts: TiedReceipts

    def on_order(self, unit: IntArray, day: IntArray) -> IntArray:
        """Return all units on their way at business days, `(n_asked,)`."""
        return _running(self.unit, self.since, self.units, unit, day)

    def due_in(self, n_days: int, unit: IntArray, day: IntArray) -> IntArray:
        """Return those promised for the day so many days ahead; for 0 also those promised before, `(n_asked,)`."""
        if not n_days:
            return _running(self.unit, np.maximum(self.since, self.due), self.units, unit, day)
        pairs = unit_days(self.due, day + n_days)
        return _running(
            pairs.number(self.unit, self.due), self.since, self.units, pairs.number(unit, day + n_days), day
        )

    def overdue(self, unit: IntArray, day: IntArray) -> IntArray:
        """Return those promised for a day before business days, `(n_asked,)`."""
        return _running(self.unit, np.maximum(self.since, self.due + 1), self.units, unit, day)

    def last_lead_days(self, unit: IntArray, day: IntArray, history_days: int) -> IntArray:
        """Return the lead of the last receipt seen of the latest order with one, NONE where none is of the history."""
        told = self.receipts
        numbers = unit_days(told.visible_from, day)
        appears = numbers.number(told.unit, told.visible_from)
        order = np.argsort(appears, kind="stable")
        latest = np.append(NONE, np.maximum.accumulate(order)) if len(order) else np.full(1, NONE)
        found = latest[np.searchsorted(appears[order], numbers.number(unit, day), side="right")]
        of_unit, order_day = np.append(told.unit, NONE)[found], np.append(told.order_day, 0)[found]
        is_seen = (of_unit == unit) & (order_day >= day - history_days)
        return np.where(is_seen, np.append(told.lead_days, NONE)[found], NONE)


def order_changes(stream: Stream, rule: OrderRule) -> OrderChanges:
    """Return what becomes of the units that the stream's orders bring on their way."""
    orders = np.flatnonzero(is_of_type(stream, "order"))
    receipts = np.flatnonzero(is_of_type(stream, "receipt") & (stream.order != NO_ID))
    receipts = receipts if rule.has_receipts else receipts[:0]
    keys, of_order, of_receipt = _grouped(stream, orders, receipts, rule.history_days)
    tied = of_receipt != NONE
    receipts, of_receipt = receipts[tied], of_receipt[tied]
    day = keys.day
    due = day + rule.lead_days
    order = np.concatenate([of_order, of_receipt])
    rows = np.concatenate([orders, receipts])
    units = units_of(stream, "order")[rows] - units_of(stream, "receipt")[rows]
    since = np.maximum(stream.day, stream.delivery_day)[rows] + 1
    gone = np.minimum(day + rule.history_days, due + rule.overdue_days) + 1
    if rule.drops_rests:
        gone = np.minimum(gone, np.maximum(due + 1, _first_seen(of_receipt, since[len(orders) :], len(day))))
    place, since, change = _outstanding(order, since, units, gone)
    return OrderChanges(keys.unit[place], due[place], since, change, _tied(stream, receipts, day[of_receipt]))


def _first_seen(order: IntArray, since: IntArray, n_orders: int) -> IntArray:
    """Return from which day on something is seen to have come of each order, a day beyond all others where nothing is.

    Args:
        order: that receipts belong to.
        since: from which business day on they are seen.
        n_orders: of all orders.
    """
    found = np.full(n_orders, np.iinfo(np.int64).max)
    np.minimum.at(found, order, since)
    return found


def _tied(stream: Stream, receipts: IntArray, order_day: IntArray) -> TiedReceipts:
    order = np.lexsort((receipts, order_day, stream.unit[receipts]))
    receipts, order_day = receipts[order], order_day[order]
    visible_from = np.maximum(stream.day, stream.delivery_day)[receipts] + 1
    return TiedReceipts(stream.unit[receipts], order_day, visible_from, stream.day[receipts] - order_day)


@dataclass(frozen=True)
class _Orders:
    """Orders, ascending by unit, number and day, `(n_orders,)` each."""

    unit: IntArray
    day: IntArray


def _grouped(
    stream: Stream, orders: IntArray, receipts: IntArray, history_days: int
) -> tuple[_Orders, IntArray, IntArray]:
    """Return the orders, the one of each row of orders, and that of each receipt, NONE without one."""
    rows = np.concatenate([orders, receipts])
    pairs, pair = np.unique(np.stack([stream.unit[rows], stream.order[rows]], axis=1), axis=0, return_inverse=True)
    numbers: UnitDays = unit_days(stream.day[rows])
    named = numbers.number(pair.reshape(-1), stream.day[rows])
    known, of_order = np.unique(named[: len(orders)], return_inverse=True)
    known_pair, day = numbers.parts(known)
    asked = named[len(orders) :]
    latest = np.searchsorted(known, asked, side="right") - 1
    asked_pair, asked_day = numbers.parts(asked)
    is_tied = latest >= 0
    found = np.maximum(latest, 0)
    if len(known):
        is_tied &= (known_pair[found] == asked_pair) & (day[found] >= asked_day - history_days)
    unit = pairs[known_pair, 0] if len(known) else known
    return _Orders(unit, day), of_order.reshape(-1), np.where(is_tied, latest, NONE)


def _outstanding(
    order: IntArray, since: IntArray, units: IntArray, gone: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Return changes of what is on its way of orders: the order, from which day on, and units; `(n_changes,)` each."""
    is_seen: BoolArray = since < gone[order]
    order, since, units = order[is_seen], since[is_seen], units[is_seen]
    sorted_rows = np.lexsort((since, order))
    order, since, units = order[sorted_rows], since[sorted_rows], units[sorted_rows]
    is_first = changes(order)
    total = np.cumsum(units)
    before = (total - units)[is_first][np.cumsum(is_first) - 1]
    # Between two lines that are seen on one day nothing is known: only what all of the day's say counts.
    is_last_of_day = is_last_of(order) | np.append(since[1:] != since[:-1], True)[: len(order)]
    order, since = order[is_last_of_day], since[is_last_of_day]
    left = np.maximum(total - before, 0)[is_last_of_day]
    earlier = np.where(changes(order), 0, np.append(0, left)[: len(left)])
    is_end = is_last_of(order)
    return (
        np.concatenate([order, order[is_end]]),
        np.concatenate([since, gone[order[is_end]]]),
        np.concatenate([left - earlier, -left[is_end]]),
    )


def _running(key: IntArray, since: IntArray, units: IntArray, asked_key: IntArray, asked_day: IntArray) -> IntArray:
    """Return the sum of the units of each asked key whose changes are seen at the asked day, `(n_asked,)`."""
    numbers = unit_days(since, asked_day)
    at = numbers.number(key, since)
    order = np.argsort(at, kind="stable")
    at, total = at[order], np.append(0, np.cumsum(units[order]))
    first = numbers.number(asked_key, np.full_like(asked_day, numbers.first_day))
    until = np.searchsorted(at, numbers.number(asked_key, asked_day), side="right")
    found: IntArray = total[until] - total[np.searchsorted(at, first, side="left")]
    return found
