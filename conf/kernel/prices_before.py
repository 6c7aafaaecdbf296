"""How long a price was higher than one that is told for a moment: whether that one is a reduction.

What was told of a product is a step for each row, whether it repeats the price before, as files of a day do, or changes
it. Before the first row its price counts as the one that had held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, BoolArray, IntArray, changes
from conf.kernel.earnings import sums_by
from conf.kernel.stream import NO_ID
from conf.kernel.told import Told, value_as_of

SPAN_US = 56 * MICROS_PER_DAY
USUAL_US = 14 * MICROS_PER_DAY
"""Prices that have held for two of the last eight weeks are usual ones.

So a lower price is a reduction for six weeks at most, a higher one of some days makes none of what follows it, and
fortnights of promotions that come one after another, or with one between them, are told.
"""
_N_AT_ONCE = 25_000


@dataclass(frozen=True)
class _Asked:
    """What is asked, each column `(n,)`.

    Attributes:
        price: that is known to hold at the moment, as told.
        start_us: of the span before it, UTC microseconds.
        day: the business day as of which it is known.
        held: the price at the start of the span, 0 none.
        first: row of the first change within the span, known or not.
        n_rows: of them.
    """

    price: IntArray
    start_us: IntArray
    day: IntArray
    held: IntArray
    first: IntArray
    n_rows: IntArray


def is_below_usual(prices: Told, price: IntArray, unit: IntArray, time_us: IntArray, day: IntArray) -> BoolArray:
    """Return where higher prices have held for two of the eight weeks before, or longer, `(n,)`.

    Args:
        prices: what was told of units.
        price: that is known to hold at the moment, as told; 0 none.
        unit: of what is asked.
        time_us: the moments, UTC microseconds.
        day: the business days as of which it is known; they ascend with moments.
    """
    told, start_us = _changes_of(prices), time_us - SPAN_US
    held = value_as_of(told, unit, start_us, day)
    asked = _Asked(price, start_us, day, held, *_rows_between(told, unit, start_us, time_us))
    found = np.zeros(len(unit), dtype=np.bool_)
    for first in range(0, len(unit), _N_AT_ONCE):
        part = slice(first, first + _N_AT_ONCE)
        above_us = _time_above(told, _Asked(**{name: column[part] for name, column in vars(asked).items()}))
        found[part] = above_us >= USUAL_US
    return found & (price > 0)


def _changes_of(prices: Told) -> Told:
    """Return the rows by unit and moment, of which the last counts, without those that repeat what was known before."""
    order = np.lexsort((prices.value, -prices.delivery_day, prices.valid_from_us, prices.key))
    ranked = Told(**{name: column[order] for name, column in vars(prices).items()})
    # One that was told before what it repeats says something as long as that isn't known.
    is_change = changes(ranked.key, ranked.value) | np.append(True, np.diff(ranked.delivery_day) < 0)[: len(ranked)]
    return Told(**{name: column[is_change] for name, column in vars(ranked).items()})


def _time_above(told: Told, asked: _Asked) -> IntArray:
    """Return for how much of the span before moments higher prices held, microseconds, `(n,)`."""
    n = len(asked.price)
    question = np.repeat(np.arange(n), asked.n_rows)
    row = np.arange(len(question)) - np.repeat(np.cumsum(asked.n_rows) - asked.n_rows - asked.first, asked.n_rows)
    is_known = told.delivery_day[row] < asked.day[question]
    question, row = question[is_known], row[is_known]
    of = np.concatenate([np.arange(n), question])
    by_question = np.argsort(of, kind="stable")
    of = of[by_question]
    since = np.concatenate([asked.start_us, told.valid_from_us[row]])[by_question]
    value = np.concatenate([asked.held, told.value[row]])[by_question]
    is_last = np.append(of[1:] != of[:-1], True)[: len(of)]
    value = np.where((value == NO_ID) & ~is_last, np.append(value, NO_ID)[1:], value)
    until = np.where(is_last, asked.start_us[of] + SPAN_US, np.append(since, 0)[1:])
    return sums_by(np.where(value > asked.price[of], until - since, 0), of, n)


def _rows_between(told: Told, unit: IntArray, after_us: IntArray, until_us: IntArray) -> tuple[IntArray, IntArray]:
    """Return where units' rows begin that hold from behind a moment up to another, and their number, `(n,)` each."""
    moments = np.unique(told.valid_from_us)
    units = np.unique(np.concatenate([told.key, unit]))
    step = len(moments) + 1
    place = np.searchsorted(units, told.key) * step + np.searchsorted(moments, told.valid_from_us)
    of_unit = np.searchsorted(units, unit) * step
    first = np.searchsorted(place, of_unit + np.searchsorted(moments, after_us, side="right"))
    return first, np.searchsorted(place, of_unit + np.searchsorted(moments, until_us, side="right")) - first
