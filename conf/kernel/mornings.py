"""Mornings on which products are decided that nobody counts, and what was asked for from each to the next.

A log of sales alone shows a product when it is sold. It is in the range on each morning that follows a sale within some
days, as far as deliveries had told of it; nothing later than the morning says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, latest_rows, spread
from conf.kernel.decisions import DecisionRows
from conf.kernel.earnings import sums_by
from conf.kernel.stock_flows import NOBODY
from conf.kernel.stream import NO_NUMBER, Stream, is_of_type


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


def asked_for(stream: Stream, decided: DecisionRows) -> IntArray:
    """Return the units that were asked for from each decision until its period ended, `(n_decisions,)`.

    A purchase that a refund of the same product, period and units took back was none.

    Args:
        stream: the events.
        decided: with the period of each row.

    Raises:
        ValueError: decisions without periods.
    """
    if decided.period is None:
        raise ValueError("decisions have no periods; expected those of a clock that counts nothing")
    decision = own_decisions(stream, decided)
    is_own, n = decision != NOBODY, len(decided)
    is_told = is_own & (stream.quantity != NO_NUMBER)
    bought = np.flatnonzero(is_told & is_of_type(stream, "purchase"))
    back = np.flatnonzero(is_told & is_of_type(stream, "refund"))
    units = sums_by(stream.quantity[bought], decision[bought], n)
    rows = np.concatenate([bought, back])
    pairs = np.stack([decision[rows], np.abs(stream.quantity[rows])], axis=1)
    alike, place = np.unique(pairs, axis=0, return_inverse=True)
    place, n_bought = place.reshape(-1), len(bought)
    times = np.minimum(
        np.bincount(place[:n_bought], minlength=len(alike)), np.bincount(place[n_bought:], minlength=len(alike))
    )
    found: IntArray = units - sums_by(times * alike[:, 1], alike[:, 0], n)
    return found


def own_decisions(stream: Stream, decided: DecisionRows) -> IntArray:
    """Return which decision's period each row is in, NOBODY where its unit has none of that period, `(n,)`."""
    latest = latest_rows(decided.is_decision)
    period = np.zeros(len(stream), dtype=np.int64) if decided.period is None else decided.period
    is_own: BoolArray = (latest >= 0) & (stream.unit[latest] == stream.unit) & (period[latest] == period)
    return np.where(is_own, np.cumsum(decided.is_decision) - 1, NOBODY)
