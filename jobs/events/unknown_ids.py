"""Ids that events name and nothing knows: items that no table has, refunds of orders that nobody placed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.publication import read_pointers
from conf.tables import EVENTS
from conf.tables import ITEMS as ITEM_TABLE
from jobs.events.id_samples import ITEMS, REFUNDED, IdSample
from jobs.landing.delivery_drift import Drift
from jobs.landing.id_spellings import alike_ids, alike_told, core_of, unknown_items_told, unknown_orders_told
from jobs.publishing.publishing import StagedVersion

# How many deliveries of a table are looked through, the latest first.
_MOST_OF_ITEMS, _MOST_OF_EVENTS = 10, 30
_MOST_OF_SPELLINGS = 2

# Refunds of a log's first days, and of purchases long ago, name orders that aren't there.
_LEAST_UNKNOWN, _LEAST_SHARE = 3, 0.2

Files = Mapping[date, tuple[Path, ...]]
"""The files of a table's deliveries that have any."""


def files_of(version: StagedVersion) -> Files:
    """Return the files of all deliveries of a staged version's table: those staged, and of others those published."""
    target = version.target
    published = {
        partition.partition("=")[2]: tuple(target.folder / name for name in pointer.files)
        for partition, pointer in read_pointers(target.folder).items()
    }
    staged = {
        value: tuple(sorted((version.folder / target.partition(value)).rglob("*.parquet")))
        for value in version.partitions
    }
    return {date.fromisoformat(day): files for day, files in {**published, **staged}.items() if files}


def unknown_ids(
    samples: Mapping[date, IdSample], versions: Iterable[StagedVersion], of_items: Collection[str]
) -> list[Drift]:
    """Return the feeds of which no item is known, or some under another spelling alone, or many refunds' order.

    Args:
        samples: ids that the deliveries' events name, by delivery.
        versions: staged ones of all tables, which are not published yet.
        of_items: the tables by item that the source has.
    """
    files = {one.target.table.name: one for one in versions}
    found: list[Drift] = []
    if any(ITEMS in kinds for sample in samples.values() for kinds in sample.values()):
        for name in of_items:
            found += _unknown_items(samples, files_of(files[name]), name)
    if any(REFUNDED in kinds for sample in samples.values() for kinds in sample.values()):
        found += _unknown_orders(samples, files_of(files[EVENTS.name]))
    return found


def _unknown_items(samples: Mapping[date, IdSample], files: Files, table: str) -> Iterator[Drift]:
    @lru_cache(maxsize=2)
    def ids(day: date) -> pa.ChunkedArray:
        chunks = [one for path in files[day] for one in _read(path, ["item_id"])["item_id"].chunks]
        return pa.chunked_array(chunks, pa.string())

    for day, feed, named in _named(samples, ITEMS):
        missing, some, days = pa.array(named, pa.string()), list[str](), _latest(files, day, _MOST_OF_ITEMS)
        for earlier in days:
            missing = missing.filter(pc.invert(pc.is_in(missing, value_set=ids(earlier))))
            if not len(missing):
                break
            some = some or pc.unique(ids(earlier))[:10_000].to_pylist()
        alike: dict[str, str] = {}
        for earlier in days[:_MOST_OF_SPELLINGS] if len(missing) else ():
            alike = _alike(missing, ids(earlier)) | alike
        if len(missing) == len(named) and some and table == ITEM_TABLE.name:
            yield Drift(day, feed, unknown_items_told("", named, [*alike.values(), *some], table))
        elif alike:
            yield Drift(day, feed, alike_told(alike, len(named), table))


def _alike(missing: pa.StringArray, known: pa.ChunkedArray) -> dict[str, str]:
    """Return the ids that only their spelling keeps apart from a known one, with that one.

    Arrow finds the few that may be, of any number of known ones; a plain look says which are.
    """
    distinct = pc.unique(known)
    cores = pa.array([core_of(one) for one in missing.to_pylist()], pa.string())
    bare = pc.replace_substring_regex(pc.utf8_lower(distinct), r"\.0+$|[^\pL\pN|]", "")
    bare = pc.replace_substring_regex(bare, "^0+(.)", r"\1")
    return alike_ids(missing.to_pylist(), distinct.filter(pc.is_in(bare, value_set=cores)).to_pylist())


def _unknown_orders(samples: Mapping[date, IdSample], files: Files) -> Iterator[Drift]:
    @lru_cache(maxsize=_MOST_OF_EVENTS)
    def orders(day: date) -> frozenset[str]:
        return frozenset(one for path in files[day] for one in _purchased(path))

    for day, feed, named in _named(samples, REFUNDED):
        missing = set(named)
        for earlier in _latest(files, day, _MOST_OF_EVENTS + 1):
            missing -= orders(earlier)
            if not missing:
                break
        if len(missing) >= max(_LEAST_UNKNOWN, _LEAST_SHARE * len(named)):
            where = f"in this delivery or the {_MOST_OF_EVENTS} before it"
            yield Drift(day, feed, unknown_orders_told(len(missing), len(named), where))


def _named(samples: Mapping[date, IdSample], kind: str) -> Iterator[tuple[date, str, list[str]]]:
    for day, sample in sorted(samples.items()):
        for feed, kinds in sorted(sample.items()):
            if kind in kinds:
                yield day, feed, kinds[kind]


def _latest(days: Collection[date], last: date, most: int) -> list[date]:
    return sorted((day for day in days if day <= last), reverse=True)[:most]


def _purchased(path: Path) -> list[str]:
    """Return the orders that purchases of a file name."""
    rows = _read(path, ["event_type", "order_id"])
    is_purchase = pc.equal(rows["event_type"], "purchase")
    return [one for one in pc.unique(rows["order_id"].filter(is_purchase)).to_pylist() if one is not None]


def _read(path: Path, names: list[str]) -> pa.Table:
    """Return columns of a file; one that an earlier release didn't write is null."""
    with pq.ParquetFile(path) as content:
        known = [name for name in names if name in content.schema_arrow.names]
        rows = content.read(columns=known)
    for name in names:
        if name not in known:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows
