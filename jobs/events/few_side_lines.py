"""Side tables of some thousands of lines, made by the driver alone: Spark's queries would take longer than the lines.

The same rows, counts and content hashes as `side_tables` makes of any number of lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.specs.source import Source
from conf.tables import SIDE_TABLES, Table
from jobs.events.side_tables import SideCount, described_lines
from jobs.landing.raw_lines import LineFile, read_batches, side_reading
from jobs.landing.spelled_ids import SpelledIds, read, sum_of_spelled
from jobs.publishing.arrow_hash import hashed_values, row_hashes
from jobs.publishing.publishing import StagedVersion, Target, checked, explaining_failures
from jobs.publishing.row_pieces import arrow_schema, write_sorted
from jobs.publishing.staging import staging_folder
from jobs.publishing.written_hashes import hashed_columns


@dataclass(frozen=True)
class FewSideLines:
    """What files of one side table hold.

    Attributes:
        counts: what became of the lines, by delivery.
        rows: of the table, one for each key of a delivery, by delivery.
        spelled: how some shoppers' ids are spelled, by delivery.
    """

    counts: Mapping[date, SideCount]
    rows: Mapping[date, pa.Table]
    spelled: Mapping[date, SpelledIds]


def read_few_side_lines(
    name: str, files: Sequence[LineFile], headers: Sequence[tuple[str, ...]], source: Source, key: bytes
) -> FewSideLines:
    """Return what files of a side table hold; arguments as of `read_side_table`."""
    table, schema = SIDE_TABLES[name], arrow_schema(SIDE_TABLES[name])
    reading, describe = side_reading(source.side_tables[name], key), described_lines(name, headers, source, key)
    by_day: dict[date, list[pa.RecordBatch]] = {}
    for file in files:
        found = by_day.setdefault(file.delivery_date or date.min, [])
        found += [describe(lines) for lines in read_batches(file, reading)]
    counts, rows, spelled = {}, {}, {}
    for day, batches in by_day.items():
        spelled[day] = sum_of_spelled(
            read(one) for batch in batches for one in batch.column("spellings").drop_null().to_pylist()
        )
        reasons = Counter(reason for batch in batches for reason in batch.column("reason").to_pylist())
        told = [pc.list_flatten(batch.filter(pc.is_null(batch.column("reason"))).column("rows")) for batch in batches]
        of_lines = _as_table(told, schema)
        counts[day] = SideCount(dict(reasons))
        if source.side_tables[name].says_whole_rows(name):
            counts[day] = replace(counts[day], n_contradicted=_n_contradicted(of_lines, table))
        rows[day] = _one_for_each_key(_gathered(of_lines, table), table)
    return FewSideLines(counts, rows, spelled)


@contextmanager
def staged_few(
    spark: SparkSession, lines: FewSideLines, target: Target, *, partitions: Collection[str]
) -> Iterator[StagedVersion]:
    """Write the rows of the partitions below the table's staging folder and check them; remove them unless published.

    Raises:
        CheckError: nulls or partitions don't fit the table; lists all violations.
        PublishError: the rows can't be written.
    """
    with staging_folder(Lake.staging(target.folder)) as folder:
        with explaining_failures(target.table.name, target.folder):
            for day, rows in lines.rows.items():
                if len(rows) and str(day) in partitions:
                    write_sorted(rows, target.sort_columns, folder / target.partition(str(day)))
        yield checked(spark, target, folder, partitions=partitions)


def _as_table(structs: Sequence[pa.StructArray], schema: pa.Schema) -> pa.Table:
    tables = [pa.Table.from_batches([pa.RecordBatch.from_struct_array(one)]) for one in structs]
    return pa.concat_tables([schema.empty_table(), *(one.select(schema.names).cast(schema) for one in tables)])


def _gathered(rows: pa.Table, table: Table) -> pa.Table:
    """Return one row for each key where columns are lists: all their elements, each once and ascending."""
    lists = [column.name for column in table.columns if column.type.startswith("array")]
    if not lists:
        return rows
    found: dict[tuple[Any, ...], dict[str, set[Any]]] = {}
    for row in rows.to_pylist():
        elements = found.setdefault(tuple(row[name] for name in table.key), {name: set() for name in lists})
        for name in lists:
            elements[name].update(row[name])
    made = [
        dict(zip(table.key, key, strict=True)) | {name: sorted(some) for name, some in by_name.items()}
        for key, by_name in found.items()
    ]
    return pa.Table.from_pylist(made, rows.schema)


def _one_for_each_key(rows: pa.Table, table: Table) -> pa.Table:
    """Return one row for each key: the one with the smallest hash, as a signed number, whatever the order of lines."""
    if not len(rows):
        return rows
    batch = rows.combine_chunks().to_batches()[0]
    hashed = [column for column in table.columns if column.is_hashed]
    values = {one.name: hashed_values(batch.column(one.name)) for one in hashed if not one.is_later}
    hashes = row_hashes(hashed_columns(batch, hashed, values)).view(np.int64)
    kept: dict[tuple[Any, ...], int] = {}
    keys = zip(*(batch.column(name).to_pylist() for name in table.key), strict=True)
    for place, key in enumerate(keys):
        if (known := kept.get(key)) is None or hashes[place] < hashes[known]:
            kept[key] = place
    return rows.take(pa.array(kept.values(), pa.int64()))


def _n_contradicted(rows: pa.Table, table: Table) -> int:
    """Return how many keys have rows that say different things."""
    others = [name for name in table.column_names if name not in table.key]
    said: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for row in rows.to_pylist():
        told = tuple(tuple(row[name]) if isinstance(row[name], list) else row[name] for name in others)
        said.setdefault(tuple(row[name] for name in table.key), set()).add(told)
    return sum(len(one) > 1 for one in said.values())
