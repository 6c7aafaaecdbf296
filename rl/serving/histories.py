"""What one shopper did on earlier days, as a store keeps it: rows of the histories table without the shopper's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.daily_counts import DailyCounts

HISTORY_COLUMNS = ("day", "visible_from", "category", "n_clicks", "n_purchases", "n_engagements")
"""Columns of a history, `(n_rows, 6)` int64, ordered as the kernel's daily counts are; days since the epoch."""

NOTHING: IntArray = np.zeros((0, len(HISTORY_COLUMNS)), dtype=np.int64)
"""The history of a shopper who has none."""

State = Literal["known", "unknown", "stale", "unavailable", "opted_out"]
"""What became of the question for a history; all but `known` are answered by a new shopper's state."""


@dataclass(frozen=True)
class Histories:
    """What a store holds of some shoppers.

    Attributes:
        as_of_day: the day for whose decisions the histories were published, days since the epoch; None where the store
            has never been filled.
        rows: HISTORY_COLUMNS of each shopper asked for, in their order; None for one it doesn't know.
    """

    as_of_day: int | None
    rows: Sequence[IntArray | None]


class HistoryStore(Protocol):
    """Histories by the shopper's pseudonym."""

    def read(self, shoppers: Sequence[str]) -> Histories:
        """Return the histories of the shoppers.

        Raises:
            StoreError: the store can't be read.
        """
        ...


@dataclass(frozen=True)
class FreshHistory:
    """A history as a decision may use it.

    Attributes:
        rows: HISTORY_COLUMNS; none unless the state is known.
        state: why there are rows, or why not.
        age_days: days between what the store holds and the decision's business day; None where it holds nothing.
    """

    rows: IntArray
    state: State
    age_days: int | None


def fresh_history(found: Histories, place: int, day: int, max_age_days: int) -> FreshHistory:
    """Return the history of one of the shoppers for a decision on a business day.

    Histories published for a later day lack what a decision on an earlier one would have seen: they count as stale.
    """
    if found.as_of_day is None:
        return FreshHistory(NOTHING, "unavailable", None)
    age = day - found.as_of_day
    if not 0 <= age <= max_age_days:
        return FreshHistory(NOTHING, "stale", age)
    rows = found.rows[place]
    return FreshHistory(NOTHING, "unknown", age) if rows is None else FreshHistory(rows, "known", age)


def to_bytes(rows: IntArray) -> bytes:
    """Return the rows as a store keeps them: int64, little-endian."""
    return rows.astype("<i8", copy=False).tobytes()


def from_bytes(content: bytes) -> IntArray:
    """Return the rows that `to_bytes` wrote."""
    found: IntArray = np.frombuffer(content, dtype="<i8").reshape(-1, len(HISTORY_COLUMNS)).astype(np.int64, copy=False)
    return found


def daily_counts_of(histories: Sequence[IntArray]) -> DailyCounts:
    """Return the histories as the kernel's daily counts; the first shopper is unit 0."""
    rows = np.concatenate([NOTHING, *histories])
    unit = np.repeat(np.arange(len(histories), dtype=np.int64), [len(one) for one in histories])
    return DailyCounts(unit, *(np.ascontiguousarray(column) for column in rows.T))
