"""Products that tomorrow's orders leave out although the shop has them: which they are, and what lies of them.

A product whose block was set aside for a missing count has no decisions, though it is counted like any other. So the
events themselves are asked: who was counted lately, and what was counted, sold and ordered since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.paths import Lake
from conf.publication import Pointer
from conf.specs.scenario import Pipeline
from conf.tables import EVENTS
from rl.data.logged_episodes import IntArray
from rl.data.pinned_versions import versions_in
from rl.shopper_models.activity_reading import date_of, read_columns

_COLUMNS = ("event_id", "event_time", "event_type", "item_id", "quantity", "order_id")
_FLOWS = ("stock", "purchase", "order", "receipt")
_HOURS_PER_DAY = 24
N_NAMED = 20
"""Products without a line that a command's result names."""


@dataclass(frozen=True)
class UnlistedProducts:
    """Products without a line in tomorrow's orders.

    Attributes:
        products: natural keys, ascending.
        units: on hand and on the way as last known, at least 0, `(n_products,)`.
        room: that these units take of the limit that all products share; 0 without one.
    """

    products: tuple[str, ...]
    units: IntArray
    room: int = 0


def counted_lately(pipeline: Pipeline, lake: Lake, horizon: date) -> frozenset[str] | None:
    """Return the products that were counted so lately that they are in the range; None where no events are published.

    Raises:
        DatasetError: unreadable files.
        DamagedFile: a file isn't what was published.
    """
    window = -(-int(pipeline.scenario.reward.attribution.window_hours) // _HOURS_PER_DAY)
    pointers = versions_in(lake.table(EVENTS.name), "delivery_date=", horizon)
    if not pointers:
        return None
    parts = _rows(lake, pointers.values(), horizon - timedelta(days=window), horizon, ("stock",))
    found = (one for rows in parts for one in pc.unique(rows["item_id"]).to_pylist())
    return frozenset(one for one in found if one is not None)


def sold_lately(pipeline: Pipeline, lake: Lake, horizon: date) -> frozenset[str]:
    """Return the products of a log without counts that are in the range on the day after the horizon.

    Raises:
        DatasetError: unreadable files.
        DamagedFile: a file isn't what was published.
    """
    ordering = pipeline.scenario.ordering
    first = horizon - timedelta(days=0 if ordering is None else ordering.range_days - 1)
    pointers = versions_in(lake.table(EVENTS.name), "delivery_date=", horizon)
    parts = _rows(lake, pointers.values(), first, horizon, ("purchase",))
    found = (one for rows in parts for one in pc.unique(rows["item_id"]).to_pylist())
    return frozenset(one for one in found if one is not None)


def last_known_units(pipeline: Pipeline, lake: Lake, horizon: date, products: Sequence[str]) -> IntArray:
    """Return units on hand and on the way of products as the events up to the horizon tell them, `(n_products,)`.

    On hand is the last count, with what came in and was sold since. On the way is what was ordered within the
    observation's history, hasn't come in, and is still expected on the day after the horizon.

    Raises:
        DatasetError: unreadable files.
        DamagedFile: a file isn't what was published.
    """
    pointers = versions_in(lake.table(EVENTS.name), "delivery_date=", horizon).values()
    first = horizon - timedelta(days=pipeline.scenario.observation.history_days)
    wanted = pa.array(sorted(products), pa.string())
    parts = [
        rows.filter(pc.is_in(rows["item_id"], value_set=wanted))
        for rows in _rows(lake, pointers, first, horizon, _FLOWS)
    ]
    of: dict[str, list[_Event]] = defaultdict(list)
    seen: set[tuple[date, str]] = set()
    for event in chain.from_iterable(_events(rows) for rows in parts):
        if (event.day, event.name) not in seen:  # a later delivery of the day repeats it
            seen.add((event.day, event.name))
            of[event.product].append(event)
    ordering = pipeline.scenario.ordering
    patience = 0 if ordering is None else ordering.lead_days + ordering.expected_overdue_days
    awaited_from = horizon - timedelta(days=patience - 1)
    return np.array([_units(of[one], awaited_from) for one in products], dtype=np.int64)


@dataclass(frozen=True)
class _Event:
    """A row of the table that moves stock, or counts it."""

    product: str
    day: date
    name: str
    kind: str
    moment: int
    units: int
    order: str | None


def _units(events: Sequence[_Event], awaited_from: date) -> int:
    count = max((one for one in events if one.kind == "stock"), key=lambda one: one.moment, default=None)
    on_hand = 0 if count is None else count.units
    for one in events:
        if one.kind in ("purchase", "receipt") and (count is None or one.moment > count.moment):
            on_hand += one.units if one.kind == "receipt" else -one.units
    return max(on_hand, 0) + _awaited(events, awaited_from)


def _awaited(events: Sequence[_Event], awaited_from: date) -> int:
    """Return what is still to come of orders from a day on; a receipt is of the latest order of its number by then."""
    rest: dict[tuple[str | None, date], int] = defaultdict(int)
    for one in events:
        if one.kind == "order":
            rest[one.order, one.day] += one.units
    for one in events:
        own = [key for key in rest if key[0] == one.order and key[1] <= one.day] if one.kind == "receipt" else []
        if own:
            rest[max(own, key=lambda key: key[1])] -= one.units
    return sum(max(units, 0) for (_, day), units in rest.items() if day >= awaited_from)


def _rows(
    lake: Lake, pointers: Collection[Pointer], first: date, last: date, kinds: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield the events of the kinds of a span of days, with the day of each, the earliest deliveries first."""
    folder = lake.table(EVENTS.name)
    files = [name for one in pointers for name in one.files if first <= date_of(name, "event_date") <= last]
    refuse_damaged(folder, sums_among(pointers, files), repair_command(lake.source))
    for name in sorted(files, key=lambda one: (date_of(one, "delivery_date"), one)):
        rows = read_columns(folder / name, _COLUMNS)
        rows = rows.filter(pc.is_in(rows["event_type"], value_set=pa.array(kinds, pa.string())))
        yield rows.append_column("day", pa.array([date_of(name, "event_date")] * rows.num_rows, pa.date32()))


def _events(rows: pa.Table) -> Iterator[_Event]:
    moments = rows["event_time"].cast(pa.int64()).to_pylist()
    names = ("item_id", "day", "event_id", "event_type", "quantity", "order_id")
    columns = (rows[name].to_pylist() for name in names)
    for moment, (product, day, name, kind, units, order) in zip(moments, zip(*columns, strict=True), strict=True):
        yield _Event(product, day, name, kind, moment, units or 0, order)
