"""What became of a product's stock between one count and the next: every unit, and whether it ran out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, latest_rows
from conf.kernel.earnings import sums_by
from conf.kernel.stream import NO_NUMBER, Stream, is_of_type

NOBODY = -1


@dataclass(frozen=True)
class StockFlows:
    """Units of each count's period, each column `(n_counts,)` int64: up to the product's next count.

    Attributes:
        opening: as counted.
        ordered: by the orders of the period.
        received: by its receipts.
        sold: by its purchases; what is given back doesn't return to the stock.
        closing: the next count, or without one what the others make it.
        shrinkage: opening + received - sold - closing.
        ran_out: 1 where nothing was left at some moment, the counts included, else 0.
    """

    opening: IntArray
    ordered: IntArray
    received: IntArray
    sold: IntArray
    closing: IntArray
    shrinkage: IntArray
    ran_out: IntArray


def units_of(stream: Stream, *types: str) -> IntArray:
    """Return the pieces of rows of the types, 0 elsewhere and where none are told, `(n,)`."""
    is_told = is_of_type(stream, *types) & (stream.quantity != NO_NUMBER)
    return np.where(is_told, stream.quantity, 0)


def counts_of(stream: Stream, is_count: BoolArray, window_us: int) -> IntArray:
    """Return which count each row's period begins with: the unit's latest one up to it, NOBODY without one, `(n,)`.

    Args:
        stream: the events.
        is_count: the rows that begin a period, `(n,)`.
        window_us: later after its count, a row is in no period.
    """
    latest = latest_rows(is_count)
    has_one = latest >= 0
    is_in_time = stream.time_us - stream.time_us[latest] <= window_us
    is_own = has_one & (stream.unit[latest] == stream.unit) & is_in_time
    return np.where(is_own, (np.cumsum(is_count) - 1), NOBODY)


def next_counts(stream: Stream, rows: IntArray, window_us: int) -> IntArray:
    """Return the row of the same unit's next count within the window, NOBODY without one, `(n_counts,)`.

    Args:
        stream: the events.
        rows: of the counts, ascending, `(n_counts,)`.
        window_us: how long after a count the next one may come.
    """
    following = np.append(rows[1:], NOBODY)[: len(rows)]
    is_own = (following != NOBODY) & (stream.unit[following] == stream.unit[rows])
    is_own &= stream.time_us[following] - stream.time_us[rows] <= window_us
    return np.where(is_own, following, NOBODY)


def book_changes(stream: Stream) -> IntArray:
    """Return what each row brings to the stock or takes from it, units, `(n,)`."""
    return units_of(stream, "receipt") - units_of(stream, "purchase")


def stock_flows(stream: Stream, is_count: BoolArray, window_us: int) -> StockFlows:
    """Return what became of the stock after each count.

    Args:
        stream: the events.
        is_count: the rows that begin a period, each of them with its pieces, `(n,)`.
        window_us: how long after its count an event counts.
    """
    rows = np.flatnonzero(is_count)
    count = counts_of(stream, is_count, window_us)
    is_counted = count != NOBODY

    def summed(kind: str) -> IntArray:
        return sums_by(units_of(stream, kind)[is_counted], count[is_counted], len(rows))

    opening = units_of(stream, "stock")[rows]
    received, sold = summed("receipt"), summed("purchase")
    book = opening + received - sold
    following = next_counts(stream, rows, window_us)
    closing = np.where(following != NOBODY, units_of(stream, "stock")[following], book)
    return StockFlows(
        opening=opening,
        ordered=summed("order"),
        received=received,
        sold=sold,
        closing=closing,
        shrinkage=book - closing,
        ran_out=((_least(stream, rows, count, opening) <= 0) | (closing <= 0)).astype(np.int64),
    )


def _least(stream: Stream, rows: IntArray, count: IntArray, opening: IntArray) -> IntArray:
    """Return the least stock after any event of each count's period, `(n_counts,)`."""
    is_counted = np.flatnonzero(count != NOBODY)
    of = count[is_counted]
    running = np.cumsum(book_changes(stream))
    least = opening.copy()
    np.minimum.at(least, of, opening[of] + running[is_counted] - running[rows[of]])
    return least
