"""Rows of the events table as the columns that the kernel takes, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import IntArray
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, stream_of, total_order
from conf.kernel.told import Attributes, Told, known_categories
from conf.observation_features import id_hash

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

hashed = cache(id_hash)


@dataclass(frozen=True)
class Log:
    """A stream, and what its numbers stand for.

    Attributes:
        stream: of the rows.
        rows: in the stream's order.
        shoppers: user id of each unit.
        availability: id of each set by its code.
    """

    stream: Stream
    rows: list[Row]
    shoppers: list[str]
    availability: dict[int, str]


def log_of(rows: Iterable[Row], sets: Sequence[Row] = (), items: Sequence[Row] | None = None) -> Log:
    """The rows of shoppers as a stream; the shop's own events (no shopper) are left out.

    Events that name no category have that of `items`, where there are any.
    """
    kept = [row for row in rows if row["user_id"] != ""]
    shoppers = sorted({row["user_id"] for row in kept})
    units = {name: number for number, name in enumerate(shoppers)}
    unit, time_us, rank, event = (
        array(units[row["user_id"]] for row in kept),
        array(micros(row["event_time"]) for row in kept),
        array(EVENT_TYPE_RANK[row["event_type"]] for row in kept),
        codes([row["event_id"] for row in kept]),
    )
    order = total_order(unit=unit, time_us=time_us, rank=rank, event=event)
    ordered = [kept[place] for place in order]
    links = codes([row["decision_id"] for row in ordered] + [row["event_id"] for row in ordered])
    availability = codes_of_sets(ordered, sets)
    columns = {
        "unit": unit[order],
        "time_us": time_us[order],
        "rank": rank[order],
        "day": array(day_number(row["event_date"]) for row in ordered),
        "delivery_day": array(day_number(row["delivery_date"]) for row in ordered),
        "type": rank[order],
        "item": ids(ordered, "item_id"),
        "category": ids(ordered, "category_id"),
        **({} if items is None else {"known_category": categories(ordered, items)}),
        "action": ids(ordered, "action"),
        "quantity": array(NO_NUMBER if row.get("quantity") is None else row["quantity"] for row in ordered),
        "price": array(NO_NUMBER if row["price"] is None else row["price"] for row in ordered),
        **{name: money(ordered, name) for name in ("amount", "cost", "discount")},
        "order": codes([row.get("order_id") for row in ordered]),
        "link": links[: len(ordered)],
        "own_link": links[len(ordered) :],
        "availability": array(availability.get(row["availability_id"], NO_ID) for row in ordered),
        "consent": array(int(row.get("has_consent", True)) for row in ordered),
        "position": array(NO_NUMBER if row["position"] is None else row["position"] for row in ordered),
    }
    return Log(stream_of(columns), ordered, shoppers, {code: name for name, code in availability.items()})


def categories(rows: Sequence[Row], items: Sequence[Row]) -> IntArray:
    return known_categories(
        told_of(items, ids(items, "item_id"), "category_id"),
        ids(rows, "item_id"),
        ids(rows, "category_id"),
        array(micros(row["event_time"]) for row in rows),
        array(day_number(row["event_date"]) for row in rows),
    )


def attributes_of(log: Log, shoppers: Sequence[Row]) -> Attributes:
    """What was told of the log's shoppers."""
    units = {name: number for number, name in enumerate(log.shoppers)}
    kept = [row for row in shoppers if row["user_id"] in units]
    told = told_of(kept, array(units[row["user_id"]] for row in kept), "value")
    return Attributes(ids(kept, "attribute"), told)


def told_of(rows: Sequence[Row], key: IntArray, value: str) -> Told:
    return Told(
        key,
        array(micros(row["valid_from"]) for row in rows),
        array(day_number(row["delivery_date"]) for row in rows),
        ids(rows, value),
    )


def codes_of_sets(rows: Iterable[Row], sets: Iterable[Row]) -> dict[str, int]:
    """Codes of availability ids, from 1, ascending as the ids are."""
    named = {row["availability_id"] for row in [*rows, *sets]} - {None}
    return {name: number for number, name in enumerate(sorted(named), start=1)}


def codes(keys: Sequence[str | None]) -> IntArray:
    """Codes of keys, from 1, ascending as the keys are; 0 for none."""
    numbers: dict[str | None, int] = {
        key: number for number, key in enumerate(sorted({key for key in keys if key is not None}), start=1)
    }
    return array(numbers.get(key, NO_ID) for key in keys)


def money(rows: Sequence[Row], column: str) -> IntArray:
    """What was delivered, and of amounts else price times quantity."""
    return array(NO_NUMBER if (one := money_of(row, column)) is None else one for row in rows)


def money_of(row: Row, column: str) -> int | None:
    price, quantity = row.get("price"), row.get("quantity")
    if column == "amount" and row.get("amount") is None and price is not None and quantity is not None:
        return int(price * quantity)
    return row.get(column)


def ids(rows: Sequence[Row], column: str) -> IntArray:
    return array(NO_ID if row[column] is None else hashed(row[column]) for row in rows)


def array(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def day_number(day: date) -> int:
    return (day - EPOCH.date()).days
