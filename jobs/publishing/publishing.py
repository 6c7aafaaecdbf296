"""Frames become published versions of partitions: written once, checked as written, moved, then made current.

    with staged(frame, target, partitions=["2026-01-31"]) as version:
        publish(lock, [(version, {"2026-01-31": facts})], provenance)

A version lies in `v-<content hash>/<partition>/`, so that each folder below a version says a column.
Until the last step no reader sees anything; an error or a kill before it leaves every pointer as it was. The table that
other engines read follows the pointers, under the same lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from conf.errors import NightcartError, StaleInputs
from conf.intact_files import damage_in, sums_of
from conf.paths import Lake
from conf.publication import (
    FileSum,
    Manifest,
    Pointer,
    draft_of,
    draft_pointer,
    is_strict_subset,
    publishing,
    read_pointer,
    remove_drafts,
)
from conf.shared_lake.sharing import shared
from conf.tables import SCHEMA_VERSION, Table
from jobs.errors import PublishError
from jobs.failure_reason import SPARK_FAILURES, failure_reason, is_lost_worker
from jobs.publishing.content_hash import format_content_hash
from jobs.publishing.delta_tables import update_delta_table
from jobs.publishing.durability import all_at_once, make_durable
from jobs.publishing.row_counts import RowCounts
from jobs.publishing.staging import remove_abandoned, staging_folder
from jobs.publishing.written_hashes import Inspector
from jobs.publishing.written_rows import check_columns, check_written, summarize_written

_SUMS_FILE = "_sums.json"
_WRITE_FAILURES: tuple[type[Exception], ...] = (OSError, *SPARK_FAILURES)


@dataclass(frozen=True)
class Target:
    """Where rows go: the table, its folder, the column that names a partition, and the cells below it.

    Rows of a file stand in the order of `sort_columns`; each combination of `cell_columns` is one file. `n_buckets`: of
    shoppers, where these are a cell column.
    """

    table: Table
    folder: Path
    partition_column: str
    cell_columns: tuple[str, ...] = ()
    sort_columns: tuple[str, ...] = ()
    n_buckets: int | None = None

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
    """A partition as written: rows, content hash, what was counted over its rows, and how many break which check."""

    n_rows: int
    content_hash: str
    counts: Mapping[str, int]
    violations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StagedVersion:
    """Written and checked partitions of one table, by value of the partition column; not published yet."""

    target: Target
    folder: Path
    partitions: Mapping[str, StagedPartition]


@dataclass(frozen=True)
class _Place:
    """Where a staged partition's files will lie: in `folder`, where they must be moved, or where they are already.

    n_buckets: of the shoppers in the files there; None where it isn't known, or there are none.
    """

    sums: Mapping[str, FileSum]
    folder: Path | None = None
    n_buckets: int | None = None


@contextmanager
def staged(
    frame: DataFrame, target: Target, *, partitions: Collection[str], counted: RowCounts | None = None
) -> Iterator[StagedVersion]:
    """Write the frame's rows below the table's staging folder and check them; remove them unless published.

    Args:
        frame: the table's columns in any order, and the target's partition and cell columns; types as the table says.
        target: where the rows go.
        partitions: every value of the partition column that was asked for; one without rows is published empty.
        counted: what is counted over the written rows of a partition, by name (for counters).

    Raises:
        CheckError: columns, types, nulls, keys or partitions don't fit the table; lists all violations.
        PublishError: the rows can't be written.
    """
    check_columns(frame, target.table, target.path_columns)
    with staging_folder(Lake.staging(target.folder)) as folder:
        with explaining_failures(target.table.name, target.folder):
            _write(frame, target, folder)
        yield checked(frame.sparkSession, target, folder, partitions=partitions, counted=counted)


def checked(
    spark: SparkSession,
    target: Target,
    folder: Path,
    *,
    partitions: Collection[str],
    counted: RowCounts | None = None,
    inspector: Inspector | None = None,
) -> StagedVersion:
    """Return what lies written in a staging folder as a staged version, once it is checked; arguments as of `staged`.

    What an inspector finds is said of each partition and stops nothing here.

    Raises:
        CheckError: nulls, keys or partitions don't fit the table; lists all violations.
        PublishError: the rows can't be read.
    """
    with explaining_failures(target.table.name, target.folder):
        summaries = summarize_written(spark, target.table, folder, target.path_columns, counted or {}, inspector)
    check_written(summaries, target.table, target.partition_column, partitions)
    found = {
        value: StagedPartition(summary.n_rows, summary.content_hash, summary.counts, summary.violations)
        for value, summary in summaries.items()
    }
    nothing = staged_empty(target, partitions=partitions, counted=counted or {}).partitions
    return StagedVersion(target, folder, {**nothing, **found})


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

    A partition whose current version has the same content, inputs, spec and key, and whole files, is left untouched;
    so is, with `keep_newer`, one whose current version was made from strictly more inputs (a later horizon).

    Raises:
        StaleInputs: a published partition was made from strictly more inputs, unless `keep_newer`; nothing was changed.
        PublishError: files can't be moved or pointers written; every pointer is as it was.
    """
    with publishing(lock):
        places = [_find_places(version) for version, _ in versions]
        drafts = [
            _draft(version, facts, provenance, found) for (version, facts), found in zip(versions, places, strict=True)
        ]
        pointers = {path: pointer for draft in drafts for path, pointer in draft.items()}
        changes = {path: pointer for path, pointer in pointers.items() if not _is_current(path, pointer)}
        stale = {path for path, pointer in changes.items() if _is_stale(path, pointer)}
        if stale and not keep_newer:
            raise StaleInputs(_stale_message([changes[path].manifest for path in sorted(stale)]))
        for (version, _), found in zip(versions, places, strict=True):
            with explaining_failures(version.target.table.name, version.target.folder):
                _move_into_place(version, found)
        new = {path: pointer for path, pointer in changes.items() if path not in stale}
        with shared(lock, new):
            swap_pointers(new)
        for version, _ in versions:
            update_delta_table(version.target.table, version.target.folder)
        return [_current_manifests(version) for version, _ in versions]


def _write(frame: DataFrame, target: Target, folder: Path) -> None:
    columns = [*target.table.column_names, *target.path_columns]
    rows = frame.select(*[f"`{name}`" for name in columns]).repartition(*target.path_columns)
    ordered = rows.sortWithinPartitions(*target.path_columns, *target.sort_columns)
    ordered.write.partitionBy(*target.path_columns).mode("append").parquet(str(folder))


def finish_killed(lock: Path, targets: Iterable[Target]) -> None:
    """Do what a publisher that was killed after its last pointer left undone, where nothing is to be published."""
    with publishing(lock):
        for target in targets:
            remove_abandoned(Lake.staging(target.folder))
            remove_drafts(Lake.pointer(target.folder, "").parent)
            if target.folder.is_dir():
                update_delta_table(target.table, target.folder)


def _find_places(version: StagedVersion) -> dict[str, _Place]:
    """Return the place of each partition that has rows, by value of its column.

    The same rows, published before and whole, stay where they are. Beside damaged ones the place is a new one: who has
    pinned them may be reading them.
    """
    with explaining_failures(version.target.table.name, version.target.folder):
        return {
            value: _current_place(version.target, value, partition) or _place(version, value, partition)
            for value, partition in version.partitions.items()
            if partition.n_rows
        }


def _current_place(target: Target, value: str, partition: StagedPartition) -> _Place | None:
    """Return where the current version lies if it has the same rows and is whole, whatever release wrote it."""
    current = read_pointer(Lake.pointer(target.folder, target.partition(value)))
    if current is None or current.manifest.content_hash != partition.content_hash:
        return None
    if set(current.sums) != set(current.files) or damage_in(target.folder, current.sums):
        return None
    return _Place(current.sums, n_buckets=current.n_buckets)


def _place(version: StagedVersion, value: str, partition: StagedPartition) -> _Place:
    """Return the first place for these rows that is free, or where an earlier publisher left them whole."""
    below = version.target.partition(value)
    for suffix in _suffixes():
        place = version.target.folder / f"v-{partition.content_hash}{suffix}" / below
        if not place.exists():
            break
        left = _read_sums(place)
        if left and not damage_in(place, left):
            return _Place(_relative_to(version.target.folder, place, left))
    ours = version.folder / below
    sums = sums_of(ours, sorted(str(path.relative_to(ours)) for path in ours.rglob("*.parquet")))
    _write_sums(ours, sums)
    return _Place(_relative_to(version.target.folder, place, sums), place, version.target.n_buckets)


def _suffixes() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in count(2))


def _relative_to(folder: Path, place: Path, sums: Mapping[str, FileSum]) -> dict[str, FileSum]:
    return {str(place.relative_to(folder) / name): one for name, one in sums.items()}


def _write_sums(folder: Path, sums: Mapping[str, FileSum]) -> None:
    """Leave the sums beside the files, for a publisher that finds them there without a pointer."""
    content = {name: one.model_dump() for name, one in sums.items()}
    (folder / _SUMS_FILE).write_text(json.dumps(content), encoding="utf-8")


def _read_sums(folder: Path) -> dict[str, FileSum]:
    """Return the sums that lie beside a version's files; none where they can't be read."""
    try:
        content = json.loads((folder / _SUMS_FILE).read_text(encoding="utf-8"))
        return {name: FileSum.model_validate(one) for name, one in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _draft(
    version: StagedVersion,
    facts: Mapping[str, PartitionFacts],
    provenance: Provenance,
    places: Mapping[str, _Place],
) -> dict[Path, Pointer]:
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
        place = places.get(value, _Place({}))
        pointers[Lake.pointer(target.folder, target.partition(value))] = Pointer(
            files=tuple(place.sums), manifest=manifest, sums=dict(place.sums), n_buckets=place.n_buckets
        )
    return pointers


def _move_into_place(version: StagedVersion, places: Mapping[str, _Place]) -> None:
    moves = {
        version.folder / version.target.partition(value): place.folder
        for value, place in places.items()
        if place.folder is not None
    }
    make_durable(path for ours in moves for path in (*_files_and_folders(ours), ours))
    for ours, place_folder in moves.items():
        place_folder.parent.mkdir(parents=True, exist_ok=True)
        ours.rename(place_folder)


def _files_and_folders(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name == _SUMS_FILE or path.suffix == ".parquet" or path.is_dir()]


def _is_current(path: Path, pointer: Pointer) -> bool:
    published = read_pointer(path)
    return (
        published is not None
        and published.files == pointer.files
        and all(
            getattr(published.manifest, name) == getattr(pointer.manifest, name)
            for name in ("content_hash", "inputs", "spec_hash", "key_id", "schema_version")
        )
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

    The lock of the tables' publishers is held: what a killed one left beside the pointers is removed.

    Raises:
        PublishError: a pointer can't be written; every pointer is as it was.
    """
    for folder in {path.parent for path in changes}:
        remove_drafts(folder)
    before = {path: read_pointer(path) for path in changes}
    backups: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for path, published in before.items():
            if published is not None:
                backups[path] = _back_up(path)
        drafts = all_at_once(lambda path: draft_pointer(path, changes[path]), changes)
        for path, draft in zip(changes, drafts, strict=True):
            done.append(path)
            draft.replace(path)
    except BaseException as error:
        for path in changes:
            draft_of(path).unlink(missing_ok=True)
        for path in done:
            _put_back(path, backups.get(path))
        if isinstance(error, OSError):
            where = done[-1] if done else next(iter(changes)).parent
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
    """Turn failures to write into a PublishError of one line; let the project's own errors and lost workers pass."""
    try:
        yield
    except NightcartError:
        raise
    except _WRITE_FAILURES as error:
        if is_lost_worker(error):
            raise
        reason = failure_reason(error)
        raise PublishError(f"{table}: can't be written to {folder}: {reason}; nothing was published") from error
