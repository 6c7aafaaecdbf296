"""Published tables as Delta tables that other engines read: the current files, under a log of their own.

A table's Delta table is a folder of hard links to the published files, so that nothing is copied and nothing that a
foreign program removes there, as a vacuum does, takes a file from those who read through pointers. Rows that the
pipeline leaves out on reading, since an earlier delivery holds them, are left out here too: a file with such rows is
written anew without them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from deltalake.exceptions import DeltaError

from conf.paths import Lake
from conf.publication import read_pointers
from conf.tables import Table
from jobs.failure_reason import failure_reason
from jobs.publishing.delta_log import commit, read_log

log = structlog.get_logger()


@dataclass(frozen=True)
class SettledFile:
    """A published file, and the files of earlier deliveries whose rows stand for those of the same identity in it.

    file, earlier: paths relative to the table's folder; values: of the path's columns.
    """

    file: str
    values: Mapping[str, str]
    earlier: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it lies in the Delta table: named for what decides its rows, so that what lies there is right."""
        name = sha256("\n".join([self.file, *self.earlier]).encode()).hexdigest()[:32]
        return "/".join([*(f"{column}={value}" for column, value in self.values.items()), f"{name}.parquet"])


def update_delta_table(table: Table, folder: Path) -> bool:
    """Bring the Delta table of a table's folder to what the pointers say; return True where that changed it.

    Where it fails, that is said and no more: what is published is published by its pointers. Whatever a kill or a full
    disk left undone here, the next publication does.
    """
    try:
        return _update(table, folder)
    except (OSError, DeltaError, pa.ArrowInvalid) as error:
        log.warning(
            "delta_table_behind",
            table=table.name,
            folder=str(Lake.delta(folder)),
            why=failure_reason(error),
            next="the next publication of the table, or `make migrate`, brings it up to date",
        )
        return False


def settled_files(table: Table, files: Iterable[str]) -> list[SettledFile]:
    """Return the files with their path's columns, and those of earlier deliveries that count before them."""
    found = [SettledFile(file, _values(table, file)) for file in sorted(files)]
    columns = [name for name in table.settled_by if name in table.partitioned_by]
    if not columns:
        return found
    settled = []
    for _, cell in groupby(sorted(found, key=_by(columns)), key=_by(columns)):
        earlier: tuple[str, ...] = ()
        for _, delivery in groupby(sorted(cell, key=_by(["delivery_date"])), key=_by(["delivery_date"])):
            ours = list(delivery)
            settled += [SettledFile(one.file, one.values, earlier) for one in ours]
            earlier += tuple(one.file for one in ours)
    return settled


def _by(columns: Iterable[str]) -> Callable[[SettledFile], tuple[str, ...]]:
    return lambda one: tuple(one.values[name] for name in columns)


def _update(table: Table, folder: Path) -> bool:
    delta, before = Lake.delta(folder), read_log(Lake.delta(folder), table)
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    settled = settled_files(table, files)
    missing = [one for one in settled if one.path not in before.paths]
    seen: dict[tuple[str, ...], pa.Array] = {}
    for one in missing:
        _bring(table, folder, delta, one, seen)
    return commit(delta, table, before, {one.path: one.values for one in settled}) != before.version


def _bring(table: Table, folder: Path, delta: Path, one: SettledFile, seen: dict[tuple[str, ...], pa.Array]) -> None:
    """Make the Delta table's file: a link, or where earlier deliveries hold some of its rows, a copy without them."""
    place = delta / one.path
    if place.exists():
        return  # an earlier publisher's that was killed before its commit
    place.parent.mkdir(parents=True, exist_ok=True)
    names = [name for name in table.settled_by if name not in table.partitioned_by]
    if one.earlier and names:
        (name,) = names
        if one.earlier not in seen:
            seen[one.earlier] = pa.concat_arrays(list(_chunks(folder, one.earlier, name)))
        own = pq.read_table(folder / one.file, columns=[name], partitioning=None).column(name)
        is_repeated = pc.is_in(own, value_set=seen[one.earlier])
        if pc.any(is_repeated).as_py():
            _write_without(folder / one.file, place, pc.invert(is_repeated))
            return
    place.hardlink_to(folder / one.file)


def _chunks(folder: Path, files: Iterable[str], name: str) -> Iterator[pa.Array]:
    for file in files:
        yield from pq.read_table(folder / file, columns=[name], partitioning=None).column(name).chunks


def _write_without(file: Path, place: Path, is_kept: pa.ChunkedArray) -> None:
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    rows = pq.read_table(file, partitioning=None).filter(is_kept)
    pq.write_table(rows, draft, compression="zstd", coerce_timestamps="us")
    draft.replace(place)


def _values(table: Table, file: str) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in PurePosixPath(file).parts if "=" in part)
    return {name: parts[name] for name in table.partitioned_by}
