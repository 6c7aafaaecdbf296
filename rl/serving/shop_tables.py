"""What the shop's side tables say now: the sets of available actions, and the items' categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from conf.paths import Lake
from conf.publication import read_pointers
from conf.tables import AVAILABILITY, ITEMS


@dataclass(frozen=True)
class ShopTables:
    """The published side tables.

    Attributes:
        sets: natural keys by availability id.
        categories: natural key of the category by that of the item, as valid from latest; None where it has none.
        digest: names what they were read from.
    """

    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: Mapping[str, str | None] = field(default_factory=dict)
    digest: str = ""


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
    return ShopTables(sets, latest, digest)


def _rows(folder: Path, columns: list[str]) -> list[dict[str, Any]]:
    files = [folder / file for pointer in read_pointers(folder).values() for file in pointer.files]
    return [row for file in files for row in pq.ParquetFile(file).read(columns=columns).to_pylist()]
