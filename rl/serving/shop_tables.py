"""What the shop's side tables say now: the sets of available actions, and the items' categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from conf.kernel.calendar import day_number
from conf.kernel.stream import NO_ID
from conf.kernel.told import Told
from conf.observation_features import id_hash
from conf.paths import Lake
from conf.publication import read_pointers
from conf.tables import AVAILABILITY, ITEMS
from rl.errors import ServingError

_DELIVERY = "delivery_date"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ShopTables:
    """The published side tables.

    Attributes:
        sets: natural keys by availability id.
        categories: natural key of the category by that of the item, as valid from latest; None where it has none.
        told: the same by id hashes, as told when; None before anything was read.
        digest: names what they were read from.
    """

    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: Mapping[str, str | None] = field(default_factory=dict)
    told: Told | None = None
    digest: str = ""


class NoSetInForce(ServingError):
    """No one availability set is known to be in force at a moment."""


def set_in_force(lake: Lake, moment_us: int, last_delivery: date) -> tuple[str, tuple[str, ...]]:
    """Return the id and the actions of the availability set in force at a moment, as deliveries up to a day told it.

    Args:
        lake: of the source.
        moment_us: UTC microseconds.
        last_delivery: later deliveries stay unread.

    Raises:
        NoSetInForce: none is, or several began at once, so that nobody knows whose is which.
    """
    rows = [
        row
        for row in _rows(lake.table(AVAILABILITY.name), ["availability_id", "valid_from", "actions"])
        if row[_DELIVERY] <= last_delivery and _micros(row["valid_from"]) <= moment_us
    ]
    latest = max((_micros(row["valid_from"]) for row in rows), default=0)
    found = {row["availability_id"]: tuple(row["actions"]) for row in rows if _micros(row["valid_from"]) == latest}
    if len(found) != 1:
        known = ", ".join(sorted(found)) or "none was delivered"
        raise NoSetInForce(
            f"expected one availability set in force tomorrow, found {len(found)} ({known}); name the one that the "
            "list is for (--availability-id)"
        )
    return next(iter(found.items()))


def tables_digest(lake: Lake) -> str:
    """Return a name of what is published now, without reading any rows."""
    stamps = []
    for name in (AVAILABILITY.name, ITEMS.name):
        for path in sorted((lake.table(name) / "_pointers").glob("*.json")):
            stamps.append(f"{path.name}:{path.stat().st_mtime_ns}")
    return "|".join(stamps)


def read_tables(lake: Lake) -> ShopTables:
    """Return what is published now."""
    digest = tables_digest(lake)
    sets = {
        row["availability_id"]: tuple(row["actions"])
        for row in _rows(lake.table(AVAILABILITY.name), ["availability_id", "actions"])
    }
    items = _rows(lake.table(ITEMS.name), ["item_id", "valid_from", "category_id"])
    latest = {row["item_id"]: row["category_id"] for row in sorted(items, key=lambda row: row["valid_from"])}
    return ShopTables(sets, latest, _told(items), digest)


def _told(items: Sequence[Mapping[str, Any]]) -> Told:
    """Return the items' categories as the kernel reads them, ordered by item."""
    found = Told(
        key=np.array([id_hash(row["item_id"]) for row in items], dtype=np.int64),
        valid_from_us=np.array([_micros(row["valid_from"]) for row in items], dtype=np.int64),
        delivery_day=np.array([day_number(row[_DELIVERY]) for row in items], dtype=np.int64),
        value=np.array(
            [NO_ID if (one := row["category_id"]) is None else id_hash(one) for row in items], dtype=np.int64
        ),
    )
    order = np.argsort(found.key, kind="stable")
    return Told(**{name: column[order] for name, column in vars(found).items()})


def _micros(moment: datetime) -> int:
    """Return a moment, UTC where nothing else is said, in microseconds since the epoch."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _rows(folder: Path, columns: list[str]) -> list[dict[str, Any]]:
    """Return the rows of all deliveries, each with its day."""
    return [
        row | {_DELIVERY: date.fromisoformat(partition.partition("=")[2])}
        for partition, pointer in read_pointers(folder).items()
        for file in pointer.files
        for row in pq.ParquetFile(folder / file).read(columns=columns).to_pylist()
    ]
