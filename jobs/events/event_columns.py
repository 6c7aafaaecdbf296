"""A partition's events, as Spark hands them over in order, as the columns that the kernel takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import IntArray
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, stream_of
from conf.kernel.told import Told, known_categories
from jobs.events.column_numbers import by_value, days, dictionary_places, id_hashes, of_pieces, whole

SESSION_COLUMNS = ("user_id", "event_time", "event_type", "event_id", "event_date", "delivery_date")
"""Columns of the events table that sessions are made of."""

TRANSITION_COLUMNS = (
    *SESSION_COLUMNS,
    "item_id",
    "category_id",
    "action",
    "price",
    "decision_id",
    "availability_id",
    "position",
    "propensity",
    "policy_version",
)
"""Columns that transitions are made of, and those that they pass on."""

MONEY_COLUMNS = ("quantity", "amount", "cost", "discount", "order_id")
"""Further columns that transitions of a scenario which counts money are made of."""


SHOPPER = "shopper_id"
"""Who bought or gave back, of events whose unit is a product."""

HAS_CONSENT = "has_consent"
"""Whether the shopper had consented to being learned from, as of the event: where the source has such a table."""


@dataclass(frozen=True)
class EventColumns:
    """Events of whole shoppers in the total order.

    Attributes:
        table: columns of the events table, `(n,)` rows.
        stream: the same rows as the kernel reads them.
        set_ids: id of each availability set by its code; the first stands for none.
    """

    table: pa.Table
    stream: Stream
    set_ids: pa.Array


def event_columns(table: pa.Table, set_ids: pa.Array | None = None, items: Told | None = None) -> EventColumns:
    """Return the columns of events that stand in order.

    Args:
        table: of SESSION_COLUMNS, or TRANSITION_COLUMNS and perhaps MONEY_COLUMNS; by shopper, then by time, the type's
            rank and event id.
        set_ids: ids of the known availability sets, ascending.
        items: categories of items, which events have that name none; None where they have none then.
    """
    n_rows = table.num_rows
    nothing = np.zeros(n_rows, dtype=np.int64)
    rank = _ranks(table["event_type"])
    availability, every_set = _set_codes(table, set_ids)
    link, own_link = _links(table)
    has_items, has_money = "item_id" in table.column_names, "amount" in table.column_names
    no_number = np.full(n_rows, NO_NUMBER, dtype=np.int64)
    time_us, day = whole(table["event_time"].cast(pa.int64())), days(table["event_date"])
    item = id_hashes(table["item_id"]) if has_items else nothing
    category = id_hashes(table["category_id"]) if has_items else nothing
    stream = stream_of(
        {
            "unit": _unit_numbers(table["user_id"]),
            "time_us": time_us,
            "rank": rank,
            "day": day,
            "delivery_day": days(table["delivery_date"]),
            "type": rank,
            "item": item,
            "category": category,
            "known_category": category if items is None else known_categories(items, item, category, time_us, day),
            "action": id_hashes(table["action"]) if has_items else nothing,
            "quantity": _numbers(table["quantity"]) if has_money else no_number,
            "price": _numbers(table["price"]) if has_items else nothing,
            "amount": _amounts(table) if has_money else no_number,
            "cost": _numbers(table["cost"]) if has_money else no_number,
            "discount": _numbers(table["discount"]) if has_money else no_number,
            "order": _codes(table, "order_id") if has_money else nothing,
            "link": link,
            "own_link": own_link,
            "availability": availability,
            "consent": _consents(table),
            "shopper": _codes(table, SHOPPER),
            "position": _numbers(table["position"].cast(pa.int64())) if "position" in table.column_names else no_number,
        }
    )
    return EventColumns(table, stream, every_set)


def _amounts(table: pa.Table) -> IntArray:
    """Return what was paid: as delivered, else price times quantity, exactly; NO_NUMBER for neither, or one too large.

    What a source delivered is stored; this is not, so that rows keep their hashes.
    """
    amount, price, quantity = (_numbers(table[name]) for name in ("amount", "price", "quantity"))
    has_both = (amount == NO_NUMBER) & (price != NO_NUMBER) & (quantity != NO_NUMBER)
    product, fits = of_pieces(np.where(has_both, price, 0), np.where(has_both, quantity, 0))
    return np.where(has_both & fits, product, amount)


def _numbers(column: pa.ChunkedArray) -> IntArray:
    return whole(pc.fill_null(column, NO_NUMBER))


def _unit_numbers(user_id: pa.ChunkedArray) -> IntArray:
    """Return the number of each row's shopper, in the order in which they stand."""
    codes: IntArray = dictionary_places(user_id.combine_chunks().dictionary_encode())
    is_next = np.append(True, codes[1:] != codes[:-1]) if len(codes) else np.zeros(0, dtype=np.bool_)
    return np.cumsum(is_next, dtype=np.int64) - 1


def _ranks(event_type: pa.ChunkedArray) -> IntArray:
    """Return the rank of each row's type.

    Raises:
        ValueError: a row without a type, or of one that isn't canonical.
    """
    known = set(EVENT_TYPE_RANK)
    if strange := sorted({str(name) for name in pc.unique(event_type).to_pylist() if name not in known}):
        raise ValueError(f"events of type {', '.join(strange)}; canonical types are {', '.join(sorted(known))}")
    return by_value(event_type, EVENT_TYPE_RANK.__getitem__)


def _links(table: pa.Table) -> tuple[IntArray, IntArray]:
    """Return codes of the decision ids and, among the same, of the event ids of rows without one; NO_ID for neither."""
    nothing = np.zeros(table.num_rows, dtype=np.int64)
    if "decision_id" not in table.column_names:
        return nothing, nothing
    named = table["decision_id"].combine_chunks()
    either = pc.coalesce(named, table["event_id"].combine_chunks()).dictionary_encode()
    codes, is_named = dictionary_places(either) + 1, np.asarray(named.is_valid())
    return np.where(is_named, codes, NO_ID), np.where(is_named, NO_ID, codes)


def _set_codes(table: pa.Table, set_ids: pa.Array | None) -> tuple[IntArray, pa.Array]:
    """Return the code of each row's availability set, and the id of each code: known sets first, in their order."""
    none = pa.array([None], pa.string())
    if "availability_id" not in table.column_names:
        return np.zeros(table.num_rows, dtype=np.int64), none
    named = table["availability_id"].combine_chunks().dictionary_encode()
    known = pa.array([], pa.string()) if set_ids is None else set_ids.cast(pa.string())
    unknown = pc.filter(named.dictionary, pc.invert(pc.is_in(named.dictionary, value_set=known)))
    every = pa.concat_arrays([none, known, unknown.cast(pa.string())])
    places = whole(pc.index_in(named.dictionary, value_set=every).cast(pa.int64()))
    return np.append(NO_ID, places)[dictionary_places(named) + 1], every


def _codes(table: pa.Table, name: str) -> IntArray:
    """Return codes of a column's keys from 1, NO_ID for null and where there is no such column, `(n,)`."""
    if name not in table.column_names:
        return np.full(table.num_rows, NO_ID, dtype=np.int64)
    return dictionary_places(table[name].combine_chunks().dictionary_encode()) + 1


def _consents(table: pa.Table) -> IntArray:
    """Return 1 where the shopper had consented, or where nobody is asked."""
    if HAS_CONSENT not in table.column_names:
        return np.ones(table.num_rows, dtype=np.int64)
    return whole(table[HAS_CONSENT].cast(pa.int64()))
