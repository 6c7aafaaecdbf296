"""Tomorrow's orders as a published table, and as the CSV file that a buyer or a supplier's system reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from conf.paths import Lake
from conf.publication import Pointer
from conf.tables import ORDER_LISTS
from rl.data.arrow_schema import arrow_schema
from rl.data.logged_episodes import FloatArray
from rl.data.table_publishing import list_manifest, publish_rows, write_csv
from rl.orders.order_history import NO_CATEGORY
from rl.orders.tomorrow import TomorrowOrders

_MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class OrderListOrigin:
    """What a list of orders was made from.

    Attributes:
        scenario: whose.
        horizon: last date whose deliveries were known.
        spec_hash: of both specs.
        code_hash: of the code and its pins.
        key_id: of the pseudonyms' key.
        inputs: content hashes of the partitions read, and the policy's version.
    """

    scenario: str
    horizon: date
    spec_hash: str
    code_hash: str
    key_id: str
    inputs: Mapping[str, str]


def order_rows(orders: TomorrowOrders, policy_version: str) -> pa.Table:
    """Return the rows of the table `order_lists`, by product; parts of pieces are exact millionths."""
    columns = {
        "item_id": list(orders.products),
        "category_id": [None if one == NO_CATEGORY else one for one in orders.category],
        "order_units": orders.order,
        "pack_size": orders.pack_size,
        "on_hand": orders.on_hand,
        "on_the_way": orders.on_the_way,
        "forecast": _in_millionths(orders.forecast),
        "target_level": _in_millionths(orders.level),
        "reason": [orders.reason(row) for row in range(len(orders))],
        "policy_version": [policy_version] * len(orders),
    }
    return pa.table(columns, schema=arrow_schema(ORDER_LISTS))


def publish_order_list(
    lake: Lake, rows: pa.Table, orders: TomorrowOrders, origin: OrderListOrigin
) -> tuple[Pointer, bool]:
    """Publish the list and write its CSV file; return the pointer, and whether anything changed.

    Args:
        lake: to publish to.
        rows: of the orders.
        orders: that are listed.
        origin: what they were made from.

    Raises:
        StaleInputs: what is published was made from more.
    """
    day = orders.day
    order = np.asarray(rows["order_units"].to_numpy())
    counters = {"n_ordered": int(np.count_nonzero(order)), "units_ordered": int(order.sum()), **told_room(orders)}
    manifest = list_manifest(ORDER_LISTS, day, rows, origin, counters=counters, checks={"within_limits": True})
    csv = lake.order_list_csv(origin.scenario, day)
    return publish_rows(lake, lake.order_lists(origin.scenario), rows, manifest, csv=csv, plain=_plain(rows))


def told_room(orders: TomorrowOrders) -> dict[str, int]:
    """Return what a list takes of the limit that its products share, and the limit; nothing without one."""
    return {} if orders.room is None else {"room_taken": orders.room_taken, "room_limit": orders.room.limit}


def write_order_csv(path: Path, rows: pa.Table) -> None:
    """Write a list as the CSV file beside its table would be, without publishing it."""
    write_csv(path, _plain(rows))


def _in_millionths(values: FloatArray) -> np.ndarray:
    return np.round(values * _MILLIONTHS).astype(np.int64)


def _plain(rows: pa.Table) -> pa.Table:
    """Return the rows as text, parts of pieces with two digits, those with an order first."""
    order = rows["order_units"].to_numpy()
    rows = rows.take(pa.array(np.lexsort((np.arange(len(order)), -order))))
    parts = {
        name: [f"{one / _MILLIONTHS:.2f}" for one in rows[name].to_pylist()] for name in ("forecast", "target_level")
    }
    return pa.table({name: parts.get(name, rows[name]) for name in rows.column_names})
