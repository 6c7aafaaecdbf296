"""What is known of one shopper, as a store keeps it: what they did on earlier days, and what was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.daily_counts import DailyCounts
from conf.kernel.told import Attributes, Told

HISTORY_COLUMNS = ("day", "visible_from", "category", "n_clicks", "n_purchases", "n_engagements")
"""Columns of a history, `(n_rows, 6)` int64, ordered as the kernel's daily counts are; days since the epoch."""

ATTRIBUTE_COLUMNS = ("attribute", "valid_from_us", "delivery_day", "value")
"""Columns of what was told of a shopper, `(n_rows, 4)` int64: id hashes of attribute and value, as the kernel reads."""

# No day is this one: it begins what a store keeps of a shopper of whom something was told.
_HAS_ATTRIBUTES = int(np.iinfo(np.int64).min)


def _no_rows() -> IntArray:
    return np.zeros((0, len(HISTORY_COLUMNS)), dtype=np.int64)


def _no_attributes() -> IntArray:
    return np.zeros((0, len(ATTRIBUTE_COLUMNS)), dtype=np.int64)


@dataclass(frozen=True)
class History:
    """What is known of one shopper.

    Attributes:
        rows: HISTORY_COLUMNS.
        attributes: ATTRIBUTE_COLUMNS.
    """

    rows: IntArray = field(default_factory=_no_rows)
    attributes: IntArray = field(default_factory=_no_attributes)


NOTHING = History()
"""The history of a shopper who has none."""

State = Literal["known", "unknown", "stale", "unavailable", "opted_out"]
"""What became of the question for a history; all but `known` are answered by a new shopper's state."""


@dataclass(frozen=True)
class Histories:
    """What a store holds of some shoppers.

    Attributes:
        as_of_day: the day for whose decisions the histories were published, days since the epoch; None where the store
            has never been filled.
        known: the history of each shopper asked for, in their order; None for one it doesn't know.
    """

    as_of_day: int | None
    known: Sequence[History | None]


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
        known: of the shopper; nothing unless the state is known.
        state: why there is something, or why not.
        age_days: days between what the store holds and the decision's business day; None where it holds nothing.
    """

    known: History
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
    known = found.known[place]
    return FreshHistory(NOTHING, "unknown", age) if known is None else FreshHistory(known, "known", age)


def to_bytes(history: History) -> bytes:
    """Return the history as a store keeps it: int64, little-endian; its rows alone where nothing was told."""
    parts = [history.rows.ravel()]
    if len(history.attributes):
        start = np.array([_HAS_ATTRIBUTES, len(history.rows)], dtype=np.int64)
        parts = [start, *parts, history.attributes.ravel()]
    return np.concatenate(parts).astype("<i8", copy=False).tobytes()


def from_bytes(content: bytes) -> History:
    """Return the history that `to_bytes` wrote."""
    values: IntArray = np.frombuffer(content, dtype="<i8").astype(np.int64, copy=False)
    width = len(HISTORY_COLUMNS)
    if not len(values) or values[0] != _HAS_ATTRIBUTES:
        return History(values.reshape(-1, width))
    end = 2 + int(values[1]) * width
    return History(values[2:end].reshape(-1, width), values[end:].reshape(-1, len(ATTRIBUTE_COLUMNS)))


def daily_counts_of(histories: Sequence[History]) -> DailyCounts:
    """Return the histories as the kernel's daily counts; the first shopper is unit 0."""
    rows = np.concatenate([NOTHING.rows, *[one.rows for one in histories]])
    unit = np.repeat(np.arange(len(histories), dtype=np.int64), [len(one.rows) for one in histories])
    return DailyCounts(unit, *(np.ascontiguousarray(column) for column in rows.T))


def attributes_of(histories: Sequence[History]) -> Attributes:
    """Return what was told of the shoppers as the kernel reads it; the first shopper is unit 0."""
    rows = np.concatenate([NOTHING.attributes, *[one.attributes for one in histories]])
    unit = np.repeat(np.arange(len(histories), dtype=np.int64), [len(one.attributes) for one in histories])
    name, valid_from_us, delivery_day, value = (np.ascontiguousarray(column) for column in rows.T)
    return Attributes(name, Told(unit, valid_from_us, delivery_day, value))
