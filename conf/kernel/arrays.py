"""The two kinds of arrays that the kernel takes and returns, and running values over rows in order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MICROS_PER_SECOND = 1_000_000
MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND
MICROS_PER_HOUR = 60 * MICROS_PER_MINUTE
MICROS_PER_DAY = 24 * MICROS_PER_HOUR


def counts_before(flag: BoolArray) -> IntArray:
    """Return how many flags stand before each row, `(n + 1,)`: the last entry counts them all."""
    counts = np.zeros(len(flag) + 1, dtype=np.int64)
    np.cumsum(flag, out=counts[1:])
    return counts


def latest_rows(flag: BoolArray) -> IntArray:
    """Return the latest row up to each row, itself included, where the flag is set; -1 before the first, `(n,)`."""
    rows = np.where(flag, np.arange(len(flag), dtype=np.int64), np.int64(-1))
    latest: IntArray = np.maximum.accumulate(rows)
    return latest


def changes(*columns: IntArray) -> BoolArray:
    """Return True where a row differs from the one before it in any of the columns; True at the first, `(n,)`."""
    first, *others = columns
    changed = np.ones(len(first), dtype=np.bool_)
    np.not_equal(first[1:], first[:-1], out=changed[1:])
    for column in others:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def spread(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return `start, start + 1, ...` for each start, as many as its length says, `(sum of lengths,)`."""
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1] if len(ends) else 0, dtype=np.int64)
    found: IntArray = places + np.repeat(starts - (ends - lengths), lengths)
    return found
