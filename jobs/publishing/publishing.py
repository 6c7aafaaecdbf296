"""Frames become published versions of partitions: written once, checked as written, moved, then made current.

    with staged(frame, target, partitions=["2026-01-31"]) as version:
        publish(lock, [(version, {"2026-01-31": facts})], provenance)

A version lies in `<partition>/v=<content hash>/`. Until the last step no reader sees anything; an error or a kill
before it leaves every pointer as it was.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyspark.sql import Column, DataFrame

from conf.errors import NightcartError, StaleInputs
from conf.paths import Lake
from conf.publication import Manifest, Pointer, is_strict_subset, publishing, read_pointer, swap_pointer
from conf.tables import SCHEMA_VERSION, Table
from jobs.errors import PublishError
from jobs.failure_reason import SPARK_FAILURES, failure_reason
from jobs.publishing.content_hash import format_content_hash
from jobs.publishing.staging import staging_folder
from jobs.publishing.written_rows import check_columns, check_written, read_written, summarize_written

_WRITE_FAILURES: tuple[type[Exception], ...] = (OSError, *SPARK_FAILURES)


@dataclass(frozen=True)
class Target:
    """Where rows go: the table, its folder, the column that names a partition, and the cells below it.

    Rows of a file stand in the order of `sort_columns`; each combination of `cell_columns` is one file.
    """

    table: Table
    folder: Path
    partition_column: str
    cell_columns: tuple[str, ...] = ()
    sort_columns: tuple[str, ...] = ()

    @property
    def path_columns(self) -> tuple[str, ...]:
        return (self.partition_column, *self.cell_columns)

    def partition(self, value: str) -> str:
        """Return the name of a partition such as `delivery_date=2026-01-31`."""
        return f"{self.partition_column}={value}"


@dataclass(frozen=True)
class Provenance:
    """What a version was made under."""

    spec_hash: str
    code_hash: str
    key_id: str
    horizon: date


@dataclass(frozen=True)
class PartitionFacts:
    """What a manifest says of one partition beyond its rows; `checks` are those that held, `notes` people's words.

    profile, drift: of a delivery's events alone.
    """

    inputs: Mapping[str, str]
    counters: Mapping[str, int] = field(default_factory=dict)
    checks: Collection[str] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    profile: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    drift: Sequence[str] = ()


@dataclass(frozen=True)
class StagedPartition:
    """A partition as written: rows, content hash, and what was counted over its rows."""

    n_rows: int
    content_hash: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class StagedVersion:
    """Written and checked partitions of one table, by value of the partition column; not published yet."""

    target: Target
    folder: Path
    partitions: Mapping[str, StagedPartition]


@contextmanager
def staged(
    frame: DataFrame, target: Target, *, partitions: Collection[str], counted: Mapping[str, Column] | None = None
) -> Iterator[StagedVersion]:
    """Write the frame's rows below the table's staging folder and check them; remove them unless published.

    Args:
        frame: the table's columns in any order, and the target's partition and cell columns; types as the table says.
        target: where the rows go.
        partitions: every value of the partition column that was asked for; one without rows is published empty.
        counted: aggregates over the written rows of a partition, by name (for counters).

    Raises:
        CheckError: columns, types, nulls, keys or partitions don't fit the table; lists all violations.
        PublishError: the rows can't be written.
    """
    check_columns(frame, target.table, target.path_columns)
    with staging_folder(Lake.staging(target.folder)) as folder:
        with explaining_failures(target.table.name, target.folder):
            _write(frame, target, folder)
            written = read_written(frame.sparkSession, target.table, folder, target.path_columns)
            summaries = summarize_written(written, target.table, target.partition_column, counted or {})
        check_written(summaries, target.table, target.partition_column, partitions)
        found = {
            value: StagedPartition(summary.n_rows, summary.content_hash, summary.counts)
            for value, summary in summaries.items()
        }
        nothing = staged_empty(target, partitions=partitions, counted=counted or {}).partitions
        yield StagedVersion(target, folder, {**nothing, **found})


def staged_empty(target: Target, *, partitions: Collection[str], counted: Collection[str] = ()) -> StagedVersion:
    """Return the staged version of partitions that are known to have no rows, without asking Spark."""
    empty = StagedPartition(0, format_content_hash(0), dict.fromkeys(counted, 0))
    return StagedVersion(target, Lake.staging(target.folder), dict.fromkeys(partitions, empty))


def publish(
    lock: Path,
    versions: Sequence[tuple[StagedVersion, Mapping[str, PartitionFacts]]],
    provenance: Provenance,
    *,
    keep_newer: bool = False,
) -> list[dict[str, Manifest]]:
    """Make every staged partition current, or none; return the current manifests by partition value for each version.

    A partition whose current version has the same content, inputs, spec and key is left untouched; so is, with
    `keep_newer`, one whose current version was made from strictly more inputs (a later horizon).

    Raises:
        StaleInputs: a published partition was made from strictly more inputs, unless `keep_newer`; nothing was changed.
        PublishError: files can't be moved or pointers written; every pointer is as it was.
    """
    with publishing(lock):
        drafts = [_draft(version, facts, provenance) for version, facts in versions]
        pointers = {path: pointer for draft in drafts for path, pointer in draft.items()}
        changes = {path: pointer for path, pointer in pointers.items() if not _is_current(path, pointer)}
        stale = {path for path, pointer in changes.items() if _is_stale(path, pointer)}
        if stale and not keep_newer:
            raise StaleInputs(_stale_message([changes[path].manifest for path in sorted(stale)]))
        for version, _ in versions:
            with explaining_failures(version.target.table.name, version.target.folder):
                _move_into_place(version)
        swap_pointers({path: pointer for path, pointer in changes.items() if path not in stale})
        return [_current_manifests(version) for version, _ in versions]


def _write(frame: DataFrame, target: Target, folder: Path) -> None:
    columns = [*target.table.column_names, *target.path_columns]
    rows = frame.select(*[f"`{name}`" for name in columns]).repartition(*target.path_columns)
    ordered = rows.sortWithinPartitions(*target.path_columns, *target.sort_columns)
    ordered.write.partitionBy(*target.path_columns).mode("append").parquet(str(folder))


def _draft(version: StagedVersion, facts: Mapping[str, PartitionFacts], provenance: Provenance) -> dict[Path, Pointer]:
    target = version.target
    pointers = {}
    for value, partition in sorted(version.partitions.items()):
        about = facts[value]
        checks = ["columns_fit", "no_nulls_where_none_may_be", "unique_key", *about.checks]
        manifest = Manifest(
            table=target.table.name,
            partition=target.partition(value),
            schema_version=SCHEMA_VERSION,
            n_rows=partition.n_rows,
            content_hash=partition.content_hash,
            spec_hash=provenance.spec_hash,
            code_hash=provenance.code_hash,
            key_id=provenance.key_id,
            horizon=provenance.horizon,
            inputs=dict(about.inputs),
            counters=dict(about.counters),
            checks=dict.fromkeys(checks, True),
            notes=dict(about.notes),
            profile={name: dict(counted) for name, counted in about.profile.items()},
            drift=tuple(about.drift),
        )
        pointers[Lake.pointer(target.folder, target.partition(value))] = Pointer(
            files=_files_once_moved(version, value), manifest=manifest
        )
    return pointers


def _files_once_moved(version: StagedVersion, value: str) -> tuple[str, ...]:
    """Return the version's files: those in place, from an earlier publisher of the same rows, else the staged ones."""
    there, ours = _version_folder(version, value), version.folder / version.target.partition(value)
    found = there if there.is_dir() else ours
    below = there.relative_to(version.target.folder)
    return tuple(sorted(str(below / path.relative_to(found)) for path in found.rglob("*.parquet")))


def _version_folder(version: StagedVersion, value: str) -> Path:
    partition = version.target.folder / version.target.partition(value)
    return partition / f"v={version.partitions[value].content_hash}"


def _move_into_place(version: StagedVersion) -> None:
    for value, partition in version.partitions.items():
        place = _version_folder(version, value)
        if partition.n_rows == 0 or place.is_dir():
            continue
        ours = version.folder / version.target.partition(value)
        _make_durable(ours)
        place.parent.mkdir(parents=True, exist_ok=True)
        ours.rename(place)


def _make_durable(folder: Path) -> None:
    for path in [*folder.rglob("*.parquet"), *[below for below in folder.rglob("*") if below.is_dir()], folder]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _is_current(path: Path, pointer: Pointer) -> bool:
    published = read_pointer(path)
    return published is not None and all(
        getattr(published.manifest, name) == getattr(pointer.manifest, name)
        for name in ("content_hash", "inputs", "spec_hash", "key_id", "schema_version")
    )


def _is_stale(path: Path, pointer: Pointer) -> bool:
    published = read_pointer(path)
    return published is not None and is_strict_subset(pointer.manifest.inputs, published.manifest.inputs)


def _stale_message(stale: Sequence[Manifest]) -> str:
    return (
        f"{', '.join(f'{one.table} {one.partition}' for one in stale)}: refused, since the published versions were "
        "made from strictly more inputs; rebuild with a later horizon"
    )


def swap_pointers(changes: Mapping[Path, Pointer]) -> None:
    """Swap all pointers; where one can't be swapped, put those before it back (a rename needs no space).

    Raises:
        PublishError: a pointer can't be written; every pointer is as it was.
    """
    before = {path: read_pointer(path) for path in changes}
    backups: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for path, published in before.items():
            if published is not None:
                backups[path] = _back_up(path)
        for path, pointer in changes.items():
            done.append(path)
            swap_pointer(path, pointer)
    except BaseException as error:
        for path in done:
            _put_back(path, backups.get(path))
        if isinstance(error, OSError):
            where = done[-1] if done else "pointers"
            raise PublishError(f"{where}: {failure_reason(error)}; nothing was published") from error
        raise
    finally:
        for backup in backups.values():
            backup.unlink(missing_ok=True)


def _back_up(path: Path) -> Path:
    backup = path.with_name(f".{path.name}.{os.getpid()}.before")
    backup.unlink(missing_ok=True)
    backup.hardlink_to(path)
    return backup


def _put_back(path: Path, backup: Path | None) -> None:
    path.with_name(f".{path.name}.{os.getpid()}").unlink(missing_ok=True)  # the draft that could not be finished
    if backup is None:
        path.unlink(missing_ok=True)
    else:
        backup.replace(path)


def _current_manifests(version: StagedVersion) -> dict[str, Manifest]:
    target = version.target
    pointers = {
        value: read_pointer(Lake.pointer(target.folder, target.partition(value)))
        for value in sorted(version.partitions)
    }
    return {value: pointer.manifest for value, pointer in pointers.items() if pointer is not None}


@contextmanager
def explaining_failures(table: str, folder: Path) -> Iterator[None]:
    """Turn failures to write into a PublishError of one line; let the project's own errors pass."""
    try:
        yield
    except NightcartError:
        raise
    except _WRITE_FAILURES as error:
        reason = failure_reason(error)
        raise PublishError(f"{table}: can't be written to {folder}: {reason}; nothing was published") from error
