"""Decisions and closings put in one order, and rows numbered within what they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray


@dataclass(frozen=True)
class Merged:
    """Values of decisions and of closings, each put at its place among the points."""

    decisions: IntArray
    closings: IntArray

    def of(self, at_decisions: IntArray | int, at_closings: IntArray | int) -> IntArray:
        """Return one column of the points."""
        column = np.empty(len(self.decisions) + len(self.closings), dtype=np.int64)
        column[self.decisions] = at_decisions
        column[self.closings] = at_closings
        return column


def is_last_of(number: IntArray) -> BoolArray:
    """Return True where the next row has another number, and at the last row, `(n,)`."""
    return np.append(number[1:] != number[:-1], True) if len(number) else np.zeros(0, dtype=np.bool_)


def number_within(is_first: BoolArray) -> IntArray:
    """Return how many rows stand before each one since the latest first row, `(n,)`."""
    rows = np.arange(len(is_first), dtype=np.int64)
    firsts = np.flatnonzero(is_first)
    return rows - np.repeat(firsts, np.diff(np.append(firsts, len(is_first))))
