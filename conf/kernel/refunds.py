"""Refunds go where the purchases went that they take back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.attribution import (
    ATTRIBUTED,
    LATE_REFUND,
    REFUND_WITHOUT_PURCHASE,
    Attributed,
    AttributionRule,
    Touches,
    latest_touch,
)
from conf.kernel.earnings import PURCHASE, REFUND
from conf.kernel.points import NO_DECISION
from conf.kernel.stream import NO_ID, Stream, is_of_type


def follow_purchases(stream: Stream, touches: Touches, found: Attributed, rule: AttributionRule) -> Attributed:
    """Return the counted events, each refund with the decision or the residual of the purchase that it takes back.

    That is the unit's latest earlier purchase of the refund's order, of the same item where there is one; where the
    refund names no order, the latest earlier one of its item. A refund later than the window after the decision is
    late: the decision's row may be sealed.

    Args:
        stream: the events.
        touches: the decisions.
        found: purchases among them with their decisions.
        rule: the window, and how many days before the refund a purchase still counts as there.
    """
    refunds = np.flatnonzero(is_of_type(stream, REFUND)[found.row])
    purchases = np.flatnonzero(is_of_type(stream, PURCHASE)[found.row])
    bought = _purchase_of(stream, found.row[purchases], found.row[refunds])
    days = stream.day[found.row]
    has_one = bought != NO_DECISION
    has_one[has_one] = days[purchases[bought[has_one]]] >= days[refunds[has_one]] - rule.look_back_days
    outcome, decision = found.outcome.copy(), found.decision.copy()
    outcome[refunds], decision[refunds] = REFUND_WITHOUT_PURCHASE, NO_DECISION
    refund, purchase = refunds[has_one], purchases[bought[has_one]]
    outcome[refund], decision[refund] = found.outcome[purchase], found.decision[purchase]
    earned = refund[outcome[refund] == ATTRIBUTED]
    after_us = stream.time_us[found.row[earned]] - touches.time_us[decision[earned]]
    late = earned[after_us > rule.window_us]
    outcome[late], decision[late] = LATE_REFUND, NO_DECISION
    return Attributed(found.row, decision, outcome)


def _purchase_of(stream: Stream, purchases: IntArray, refunds: IntArray) -> IntArray:
    """Return which of the purchases (rows) each refund (row) takes back, NO_DECISION none, `(n_refunds,)`."""
    found = np.full(len(refunds), NO_DECISION, dtype=np.int64)
    for link in _links(stream, purchases, refunds):
        bought, given_back = link[: len(purchases)], link[len(purchases) :]
        unit, time_us, day = stream.unit[purchases], stream.time_us[purchases], stream.day[purchases]
        touches = Touches(unit, time_us, day, from_row=purchases + 1, link=bought, item=stream.item[purchases])
        latest = latest_touch(touches, refunds, stream.unit[refunds], given_back)
        found = np.where(found == NO_DECISION, latest, found)
    return found


def _links(stream: Stream, purchases: IntArray, refunds: IntArray) -> Iterator[IntArray]:
    """Yield what ties purchases to refunds, the closest tie first, `(n_purchases + n_refunds,)`; 0 nothing."""
    rows = np.concatenate([purchases, refunds])
    order, item = stream.order[rows], stream.item[rows]
    pairs = np.unique(np.stack([order, item], axis=1), axis=0, return_inverse=True)[1].reshape(-1) + 1
    yield np.where((order != NO_ID) & (item != NO_ID), pairs, NO_ID)
    yield order
    names_order = (np.arange(len(rows)) >= len(purchases)) & (order != NO_ID)
    yield np.where(names_order, NO_ID, item)
