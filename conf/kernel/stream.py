"""Events as columns: the rows of each unit together, in the total order (event_time, type rank, event_id)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import BoolArray, IntArray, changes

NO_ID = 0
"""Stands for null in columns of ids: no id hash and no code is 0."""

NO_NUMBER = int(np.iinfo(np.int64).min)
"""Stands for null in columns of numbers."""


@dataclass(frozen=True)
class Stream:
    """Events of units, each column `(n,)` int64; `stream_of` makes it.

    Attributes:
        unit: whose event it is, numbered from 0, ascending.
        time_us: when it happened, UTC, microseconds since the epoch.
        rank: its place within one instant, before the event id.
        day: its business day, days since the epoch.
        delivery_day: the day of the delivery that brought it.
        type: code of its canonical type, as `type_codes` gives it.
        item: id hash of its item, 0 none.
        category: id hash of the category that it names, 0 none.
        known_category: the same, or else what was known of its item's category, where the scenario asks for that.
        action: id hash of the action it names, 0 none.
        quantity: pieces, NO_NUMBER none.
        price: price of one piece in millionths, NO_NUMBER none.
        amount: what was paid for all pieces in millionths, NO_NUMBER none.
        cost: what all pieces, or the decision, cost the shop, in millionths, NO_NUMBER none.
        discount: what was taken off before paying, in millionths, NO_NUMBER none.
        order: code of its order, 0 none.
        link: code of the decision it names, 0 none.
        own_link: code of its own event id among the codes of `link`; needed of decisions without a decision id alone.
        availability: code of the set of available actions it names, 0 none.
        position: its place in its slate, NO_NUMBER none.
        shopper: code of whoever bought or gave back, where units are products and a shopper is asked for, 0 none.
        consent: 0 where the unit had not consented, as of then, to being learned from; else 1.
        starts: first row of each unit, and the number of rows behind them, `(n_units + 1,)`.
    """

    unit: IntArray
    time_us: IntArray
    rank: IntArray
    day: IntArray
    delivery_day: IntArray
    type: IntArray
    item: IntArray
    category: IntArray
    known_category: IntArray
    action: IntArray
    quantity: IntArray
    price: IntArray
    amount: IntArray
    cost: IntArray
    discount: IntArray
    order: IntArray
    link: IntArray
    own_link: IntArray
    availability: IntArray
    position: IntArray
    consent: IntArray
    shopper: IntArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.unit)


STREAM_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Stream) if field.name != "starts")


def stream_of(columns: dict[str, IntArray]) -> Stream:
    """Return the stream of the columns, whose rows stand in order already.

    Args:
        columns: one int64 array `(n,)` for each of STREAM_COLUMNS; `known_category`, `quantity` and `shopper` may
            be left out.

    Raises:
        ValueError: columns are missing, or of other lengths, or the rows aren't ordered by unit, time and rank.
    """
    if "category" in columns:
        columns = {"known_category": columns["category"], **columns}
    if "unit" in columns:
        n = len(columns["unit"])
        columns = {
            "quantity": np.full(n, NO_NUMBER, dtype=np.int64),
            "shopper": np.full(n, NO_ID, dtype=np.int64),
            **columns,
        }
    if missing := [name for name in STREAM_COLUMNS if name not in columns]:
        raise ValueError(f"a stream needs the columns {', '.join(missing)}, too")
    kept = {name: np.ascontiguousarray(columns[name], dtype=np.int64) for name in STREAM_COLUMNS}
    n_rows = len(kept["unit"])
    if uneven := [name for name in STREAM_COLUMNS if kept[name].shape != (n_rows,)]:
        raise ValueError(f"columns of other shapes than unit's {(n_rows,)}: {', '.join(uneven)}")
    if not _is_ordered(kept["unit"], kept["time_us"], kept["rank"]):
        raise ValueError("rows of a stream must be ordered by unit, time and rank: sort them by `total_order`")
    starts = np.append(np.flatnonzero(changes(kept["unit"])), n_rows)
    return Stream(**kept, starts=starts)


def total_order(*, unit: IntArray, time_us: IntArray, rank: IntArray, event: IntArray) -> IntArray:
    """Return the rows in the order of a stream, `(n,)`; `event` numbers the event ids in their ascending order."""
    return np.lexsort((event, rank, time_us, unit))


def type_codes(*names: str) -> IntArray:
    """Return the codes of canonical event types: their ranks, which differ."""
    return np.array([EVENT_TYPE_RANK[name] for name in names], dtype=np.int64)


def is_of_type(stream: Stream, *names: str) -> BoolArray:
    """Return True for the rows of any of the types, `(n,)`."""
    is_named = np.zeros(len(EVENT_TYPE_RANK), dtype=np.bool_)
    is_named[type_codes(*names)] = True
    found: BoolArray = is_named[stream.type]
    return found


def _is_ordered(unit: IntArray, time_us: IntArray, rank: IntArray) -> bool:
    is_same = unit[1:] == unit[:-1]
    is_same_instant = is_same & (time_us[1:] == time_us[:-1])
    breaks = (unit[1:] < unit[:-1]) | (is_same & (time_us[1:] < time_us[:-1]))
    return not (breaks | (is_same_instant & (rank[1:] < rank[:-1]))).any()
