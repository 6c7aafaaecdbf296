"""Rows for the mornings on which products are decided that nobody counts: they stand among a partition's events."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import IntArray
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.mornings import Sales
from conf.kernel.transitions import AsOf
from jobs.events.column_numbers import days, whole
from jobs.events.ordered_partitions import in_total_order

COUNT = "stock"
"""Their type: a morning stands for the count that would begin the period."""


def with_mornings(events: pa.Table, clock: SkuDay, known: AsOf, *, look_back_days: int) -> pa.Table:
    """Return the events of whole products with their mornings among them, in the total order.

    Args:
        events: columns of the events table, with quantity; by product in the total order, without counts.
        clock: of a log without counts.
        known: what is asked for, and what is known.
        look_back_days: how many business days before an event a decision still counts as there.
    """
    bought = events.filter(pc.equal(events["event_type"], "purchase"))
    products = pc.unique(bought["user_id"])
    day, delivered = days(bought["event_date"]), days(bought["delivery_date"])
    unit = whole(pc.index_in(bought["user_id"], value_set=products).cast(pa.int64()))
    sales = Sales(unit, day, np.maximum(day, delivered) + 1)
    owner, morning = clock.mornings(
        sales,
        calendar=known.calendar,
        span=known.span,
        horizon_end_us=known.horizon_end_us,
        look_back_days=look_back_days,
    )
    if not len(owner):
        return events
    rows = _rows(products.take(pa.array(owner)), morning, clock.mornings_us(morning, known.calendar), events.schema)
    return in_total_order(pa.concat_tables([events, rows]))


def _rows(products: pa.Array, day: IntArray, moment: IntArray, schema: pa.Schema) -> pa.Table:
    """Return a row a morning: none of it was delivered, and it holds no pieces."""
    dates = pa.array(day.astype(np.int32)).cast(pa.date32())
    told: dict[str, pa.Array] = {
        "user_id": products,
        "item_id": products,
        "event_time": pa.array(moment).cast(pa.timestamp("us", "UTC")),
        "event_type": pa.array([COUNT] * len(day), pa.string()),
        "event_id": _ids(products, dates),
        "event_date": dates,
        "delivery_date": dates,
        "quantity": pa.array(np.zeros(len(day), dtype=np.int64)),
    }
    columns = [
        told[field.name].cast(field.type) if field.name in told else pa.nulls(len(day), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def _ids(products: pa.Array, dates: pa.Array) -> pa.Array:
    names = pc.binary_join_element_wise(products.cast(pa.string()), dates.cast(pa.string()), "|").to_pylist()
    return pa.array([sha256(f"morning|{name}".encode()).hexdigest()[:32] for name in names], pa.string())
