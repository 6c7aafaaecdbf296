"""Published transitions and availability sets, read through pointers into columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.intact_files import refuse_damaged, repair_command
from conf.kernel_rules import partition_date
from conf.paths import Lake
from conf.publication import Manifest, Pointer, read_pointers
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import AVAILABILITY, ITEMS, Table, transitions_table
from rl.data.arrow_schema import arrow_schema
from rl.data.pinned_versions import Versions, versions_in
from rl.data.transition_columns import Transitions, transitions_from_table
from rl.errors import DatasetError


@dataclass(frozen=True)
class PublishedTransitions:
    """What is published of all dates up to the horizon, ascending by date; rows are read when they are asked for.

    Attributes:
        pipeline: scenario and source.
        folder: that the partitions are in.
        pointers: by date.
        loaded: rows that were read before, all of them or one process's share; None reads the files anew.
    """

    pipeline: Pipeline
    folder: Path
    pointers: Mapping[date, Pointer]
    loaded: Transitions | None = None

    @property
    def manifests(self) -> Mapping[date, Manifest]:
        """Manifest by date."""
        return {day: pointer.manifest for day, pointer in self.pointers.items()}

    @property
    def content_hashes(self) -> dict[str, str]:
        """Content hash by date."""
        return {str(day): manifest.content_hash for day, manifest in self.manifests.items()}

    @property
    def counters(self) -> dict[str, int]:
        """Counters summed over the manifests."""
        total: dict[str, int] = {}
        for manifest in self.manifests.values():
            for name, count in manifest.counters.items():
                total[name] = total.get(name, 0) + count
        return total

    @cached_property
    def transitions(self) -> Transitions:
        """All rows as columns.

        Raises:
            DatasetError: unreadable files, or rows that the contract doesn't allow.
        """
        return self.loaded or transitions_from_table(self.table(tuple(self.pointers)), self.pipeline.scenario)

    def with_all_rows(self) -> PublishedTransitions:
        """Return the same transitions with all rows in memory, read once; shoppers keep their numbers."""
        return replace(self, loaded=self.transitions)

    def at_least(self, first: date, last: date) -> Transitions:
        """Return the rows of those dates, shoppers numbered among them; all rows, where all are in memory."""
        if self.loaded is not None:
            return self.loaded
        days = tuple(day for day in self.pointers if first <= day <= last)
        return transitions_from_table(self.table(days), self.pipeline.scenario)

    def table(self, days: Sequence[date]) -> pa.Table:
        """Return the rows of those dates as they lie in the files.

        Raises:
            DatasetError: unreadable files.
        """
        schema = arrow_schema(transitions_table(self.pipeline.scenario))
        parts = [
            _read_partition(self.pipeline.source.name, self.folder, day, self.pointers[day], schema) for day in days
        ]
        return pa.concat_tables(parts) if parts else schema.empty_table()


def read_transitions(
    pipeline: Pipeline, lake: Lake, horizon: date, *, versions: Versions | None = None
) -> PublishedTransitions:
    """Return the published transitions of dates up to the horizon, whose rows are read when they are asked for.

    Args:
        pipeline: scenario and source.
        lake: holds the partitions.
        horizon: last date to read.
        versions: what was pinned; None takes the current versions.

    Raises:
        DatasetError: nothing published, a date missing, manifests of another spec, schema or key.
    """
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    pointers = versions_in(folder, "date=", horizon) if versions is None else versions
    _refuse_unfit(pipeline, lake, pointers, horizon, is_pinned=versions is not None)
    return PublishedTransitions(pipeline, folder, pointers)


def read_availability(lake: Lake, horizon: date, *, versions: Versions | None = None) -> dict[str, frozenset[str]]:
    """Return the natural keys of the available actions by availability id, from deliveries up to the horizon.

    `versions` are those that were pinned; None takes the current ones.

    Raises:
        DatasetError: unreadable files, or one id with two different sets.
    """
    folder = lake.table("availability")
    schema = arrow_schema(AVAILABILITY)
    found: dict[str, frozenset[str]] = {}
    chosen = versions_in(folder, "delivery_date=", horizon) if versions is None else versions
    for day, pointer in chosen.items():
        table = _read_partition(lake.source, folder, day, pointer, schema)
        for key, actions in zip(*(table.column(c).to_pylist() for c in ("availability_id", "actions")), strict=True):
            available = frozenset(actions or ())
            if found.setdefault(key, available) != available:
                raise DatasetError(
                    f"availability delivery_date={day}: id {key!r} stands for two different sets; expected an id to "
                    "name its content; let the shop deliver a new id for a new set"
                )
    return found


def read_item_categories(lake: Lake, horizon: date, *, versions: Versions | None = None) -> dict[str, str]:
    """Return the category by item, both natural keys, from deliveries up to the horizon; the latest row holds.

    Items without a category are left out; a source that delivers no items has none. `versions` are those that were
    pinned; None takes the current ones.

    Raises:
        DatasetError: unreadable files.
    """
    return _latest_of_items(lake, horizon, "category_id", versions)


def read_item_ids(lake: Lake, horizon: date) -> frozenset[str]:
    """Return the natural keys of all items that were delivered up to the horizon; a source without items has none.

    Raises:
        DatasetError: unreadable files.
    """
    return frozenset(_latest_of_items(lake, horizon, "item_id", None))


def read_action_keys(pipeline: Pipeline, lake: Lake, horizon: date) -> frozenset[str]:
    """Return the natural keys of all actions in the published transitions of dates up to the horizon.

    Raises:
        DatasetError: unreadable files.
    """
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    schema = pa.schema([arrow_schema(transitions_table(pipeline.scenario)).field("action_key")])
    found: set[str] = set()
    for day, pointer in versions_in(folder, "date=", horizon).items():
        column = _read_partition(lake.source, folder, day, pointer, schema).column("action_key")
        found.update(pc.unique(column).to_pylist())
    return frozenset(found)


def read_pack_sizes(lake: Lake, horizon: date, *, versions: Versions | None = None) -> dict[str, int]:
    """Return how many pieces a pack of each item holds, from deliveries up to the horizon; the latest row holds.

    Items without a pack size are left out. `versions` are those that were pinned; None takes the current ones.

    Raises:
        DatasetError: unreadable files.
    """
    return _latest_of_items(lake, horizon, "pack_size", versions)


def read_item_rooms(
    lake: Lake, horizon: date, of: Literal["volume", "cost"], *, versions: Versions | None = None
) -> dict[str, int]:
    """Return what a piece of each item takes, cubic millimeters or millionths of money; the latest row holds.

    Items of which it isn't told are left out. `versions` are those that were pinned; None takes the current ones.

    Raises:
        DatasetError: unreadable files.
    """
    return _latest_of_items(lake, horizon, of, versions)


def read_side_rows(
    lake: Lake, table: Table, versions: Versions, columns: Sequence[str]
) -> Iterator[tuple[date, dict[str, Any]]]:
    """Yield the rows of a side table's pinned deliveries with the day of each, those columns alone.

    Raises:
        DatasetError: unreadable files.
    """
    whole = arrow_schema(table)
    schema = pa.schema([whole.field(name) for name in columns])
    for day, pointer in versions.items():
        for row in _read_partition(lake.source, lake.table(table.name), day, pointer, schema).to_pylist():
            yield day, row


def _latest_of_items(lake: Lake, horizon: date, column: str, versions: Versions | None) -> dict[str, Any]:
    """Return a column's value by item as the row with the latest `valid_from` has it, without those that have none."""
    folder = lake.table("items")
    schema = arrow_schema(ITEMS)
    latest: dict[str, tuple[datetime, Any]] = {}
    chosen = versions_in(folder, "delivery_date=", horizon) if versions is None else versions
    for day, pointer in chosen.items():
        table = _read_partition(lake.source, folder, day, pointer, schema)
        columns = (table.column(name).to_pylist() for name in ("item_id", "valid_from", column))
        for item, valid_from, value in zip(*columns, strict=True):
            if item not in latest or valid_from >= latest[item][0]:
                latest[item] = (valid_from, value)
    return {item: value for item, (_, value) in latest.items() if value is not None}


def _refuse_unfit(
    pipeline: Pipeline, lake: Lake, pointers: Mapping[date, Pointer], horizon: date, *, is_pinned: bool
) -> None:
    where = f"transitions/{pipeline.scenario.name} of source {pipeline.source.name}"
    last = pointers.get(partition_date(pipeline, horizon))
    if last is None or last.manifest.horizon < horizon:
        built = f"built are {min(pointers)} to {max(pointers)}" if pointers else "nothing is built under this spec"
        raise DatasetError(
            f"{where}: no partition for date={horizon} ({built}); run the build for {horizon}, or choose another date"
        )
    manifests = {day: pointer.manifest for day, pointer in pointers.items()}
    problems = _mixtures(manifests, data_spec_hash(pipeline))
    # What was pinned was whole then, whichever sessions came since.
    if not is_pinned and (missing := _missing_dates(lake, pipeline, pointers)):
        problems.append(f"no partition for {_shown(missing)}, though their neighbors have one: build them")
    if problems:
        raise DatasetError(f"{where}, dates {min(pointers)} to {horizon}:\n" + "\n".join(f"  {p}" for p in problems))


def _mixtures(manifests: Mapping[date, Manifest], expected_spec: str) -> list[str]:
    problems = []
    if other := [day for day, manifest in manifests.items() if manifest.spec_hash != expected_spec]:
        problems.append(f"built under another spec than {expected_spec}: {_shown(other)}; build them again")
    for name in ("schema_version", "key_id"):
        values = sorted({str(getattr(manifest, name)) for manifest in manifests.values()})
        if len(values) > 1:
            problems.append(f"mixed {name} ({', '.join(values)}): expected one; build all dates again")
    return problems


def _missing_dates(lake: Lake, pipeline: Pipeline, pointers: Mapping[date, Pointer]) -> list[date]:
    """Return the dates between first and last that lack a partition although somebody came."""
    first, last = min(pointers), max(pointers)
    days = [first + timedelta(days=n) for n in range((last - first).days)]
    between = list(dict.fromkeys(partition_date(pipeline, day) for day in days))
    missing = [day for day in between if day not in pointers]
    sessions = read_pointers(lake.table("sessions")) if missing else {}
    if not sessions:
        return missing
    return [day for day in missing if (found := sessions.get(f"date={day}")) and found.manifest.n_rows]


def _shown(days: list[date]) -> str:
    listed = ", ".join(str(day) for day in sorted(days)[:5])
    return f"{listed} and {len(days) - 5} more" if len(days) > 5 else listed


def _read_partition(source: str, folder: Path, day: date, pointer: Pointer, schema: pa.Schema) -> pa.Table:
    refuse_damaged(folder, pointer.sums, repair_command(source))
    tables = [_read_file(folder / name, schema) for name in pointer.files]
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    if table.num_rows != pointer.manifest.n_rows:
        raise DatasetError(
            f"{folder} date={day}: {table.num_rows} rows, its manifest says {pointer.manifest.n_rows}; "
            "publish the partition again"
        )
    return table


def _read_file(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            if lacking := [name for name in schema.names if name not in file.schema_arrow.names]:
                raise DatasetError(f"{path}: columns {', '.join(lacking)} are missing; build the partition again")
            table = file.read(columns=schema.names)
        return pa.table([_as_type(table.column(field.name), field.type) for field in schema], schema=schema)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: a published file is gone; publish the partition again") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DatasetError(f"{path}: can't be read as the table it belongs to: {error}") from error


def _as_type(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Return the column in the declared type, a struct's fields found by name, whatever their order in the file."""
    if not pa.types.is_struct(type_) or column.type.equals(type_):
        return column.cast(type_)
    fields = [pc.struct_field(column, field.name).cast(field.type) for field in type_]
    chunks = [field.combine_chunks() for field in fields]
    return pa.chunked_array([pa.StructArray.from_arrays(chunks, fields=list(type_))], type=type_)
