"""Mornings on which products are decided that nobody counts, and what was asked for from each to the next.

A log of sales alone shows a product when it is sold. It is in the range on each morning that follows a sale within some
days, as far as deliveries had told of it; nothing later than the morning says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes, latest_rows, spread
from conf.kernel.decisions import DecisionRows
from conf.kernel.earnings import sums_by
from conf.kernel.points_in_order import number_within
from conf.kernel.stock_flows import NOBODY
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, is_of_type
from conf.kernel.unit_days import unit_days


@dataclass(frozen=True)
class Sales:
    """Lines of sales, those of a unit together, each column `(n,)` int64.

    Attributes:
        unit: which product was sold, numbered from 0, ascending.
        day: the business day on which it was sold.
        visible_from: the first business day on which the line is seen.
    """

    unit: IntArray
    day: IntArray
    visible_from: IntArray


def mornings_after(sales: Sales, *, range_days: int, last_day: int) -> tuple[IntArray, IntArray]:
    """Return units and business days of the mornings on which they are in the range, by unit and day, `(n_mornings,)`.

    A line is seen from a day on and keeps its product in the range until `range_days` after its sale.

    Args:
        sales: lines.
        range_days: how many days after its last sale a product is in the range.
        last_day: after which there is no morning yet.
    """
    first, last = sales.visible_from, np.minimum(sales.day + range_days, last_day)
    kept = first <= last
    unit, first, last = sales.unit[kept], first[kept], last[kept]
    order = np.lexsort((first, unit))
    unit, first, last = unit[order], first[order], last[order]
    if not len(unit):
        return unit, first
    # Units are put behind one another, so that one running maximum ends no unit's days in another's.
    room = int(last.max() - first.min()) + 2
    shift = unit * room - int(first.min())
    reach = np.maximum.accumulate(last + shift)
    covered = np.append(np.iinfo(np.int64).min, reach[:-1])
    begins = np.maximum(first + shift, covered + 1)
    lengths = np.maximum(last + shift - begins + 1, 0)
    found = spread(begins, lengths)
    owner = np.repeat(unit, lengths)
    return owner, found - owner * room + int(first.min())


@dataclass(frozen=True)
class TakenBack:
    """Purchases that were none, and the refunds that took them back, rows of the stream, `(n,)` each.

    Attributes:
        purchase: True for purchases that their shopper gave back whole, in the same period.
        refund: True for the refunds that did so, one each.
        decision: whose period each row is in, NOBODY where there is none.
    """

    purchase: BoolArray
    refund: BoolArray
    decision: IntArray


def taken_back(stream: Stream, decided: DecisionRows, *, look_back_days: int) -> TakenBack:
    """Return which purchases were given back whole in their period, before or after: a credit and a new invoice, too.

    The refund is of as many units of the product, by the same shopper, and of the purchase's order where it names that
    of a purchase of late.

    Args:
        stream: the events, with shoppers.
        decided: with the period of each row.
        look_back_days: how many business days before a refund a purchase still counts as there.

    Raises:
        ValueError: decisions without periods.
    """
    if decided.period is None:
        raise ValueError("decisions have no periods; expected those of a clock that counts nothing")
    decision = own_decisions(stream, decided)
    is_told = (decision != NOBODY) & (stream.quantity != NO_NUMBER)
    bought = np.flatnonzero(is_told & is_of_type(stream, "purchase"))
    back = np.flatnonzero(is_told & is_of_type(stream, "refund") & (stream.shopper != NO_ID))
    names_order = _names_purchase(stream, back, look_back_days)
    purchase, refund = np.zeros(len(stream), dtype=np.bool_), np.zeros(len(stream), dtype=np.bool_)
    for asked, by_order in ((back[names_order], True), (back[~names_order], False)):
        left = bought[~purchase[bought]]
        is_gone, does_so = _matched(stream, decision, left, asked, by_order=by_order)
        purchase[left[is_gone]], refund[asked[does_so]] = True, True
    return TakenBack(purchase, refund, decision)


def asked_for(stream: Stream, gone: TakenBack, n_decisions: int) -> IntArray:
    """Return the units that were asked for from each decision until its period ended, `(n_decisions,)`.

    Purchases that were taken back are none.
    """
    is_told = (gone.decision != NOBODY) & (stream.quantity != NO_NUMBER)
    kept = np.flatnonzero(is_told & is_of_type(stream, "purchase") & ~gone.purchase)
    return sums_by(stream.quantity[kept], gone.decision[kept], n_decisions)


def _names_purchase(stream: Stream, back: IntArray, look_back_days: int) -> BoolArray:
    """Return which of the refunds (rows) name the order of a purchase of their product of late, `(n_back,)`.

    Others have a number of their own, or none.
    """
    bought = np.flatnonzero(is_of_type(stream, "purchase") & (stream.order != NO_ID))
    rows = np.concatenate([bought, back])
    pairs = np.stack([stream.unit[rows], stream.order[rows]], axis=1)
    pair = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    last = stream.day[back]
    numbers = unit_days(stream.day[bought], last, last - look_back_days)
    known = np.sort(numbers.number(pair[: len(bought)], stream.day[bought]))
    own = pair[len(bought) :]
    first = np.searchsorted(known, numbers.number(own, last - look_back_days))
    end = np.searchsorted(known, numbers.number(own, last), side="right")
    found: BoolArray = (first < end) & (stream.order[back] != NO_ID)
    return found


def _matched(
    stream: Stream, decision: IntArray, bought: IntArray, back: IntArray, *, by_order: bool
) -> tuple[BoolArray, BoolArray]:
    """Return which purchases (rows) and refunds (rows) belong to each other, `(n_bought,)` and `(n_back,)`."""
    rows = np.concatenate([bought, back])
    order = stream.order[rows] if by_order else np.zeros(len(rows), dtype=np.int64)
    keys = np.stack([decision[rows], np.abs(stream.quantity[rows]), stream.shopper[rows], order], axis=1)
    place = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    of_bought, of_back = place[: len(bought)], place[len(bought) :]
    n_alike = int(place.max()) + 1 if len(rows) else 0
    n_bought, n_back = (np.bincount(one, minlength=n_alike) for one in (of_bought, of_back))
    return _numbers(of_bought) < n_back[of_bought], _numbers(of_back) < n_bought[of_back]


def _numbers(alike: IntArray) -> IntArray:
    """Return how many alike stand before each, `(n,)`."""
    found = np.zeros(len(alike), dtype=np.int64)
    if len(alike):
        in_order = np.argsort(alike, kind="stable")
        found[in_order] = number_within(changes(alike[in_order]))
    return found


def own_decisions(stream: Stream, decided: DecisionRows) -> IntArray:
    """Return which decision's period each row is in, NOBODY where its unit has none of that period, `(n,)`."""
    latest = latest_rows(decided.is_decision)
    period = np.zeros(len(stream), dtype=np.int64) if decided.period is None else decided.period
    is_own: BoolArray = (latest >= 0) & (stream.unit[latest] == stream.unit) & (period[latest] == period)
    return np.where(is_own, np.cumsum(decided.is_decision) - 1, NOBODY)
