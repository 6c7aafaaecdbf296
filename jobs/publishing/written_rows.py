"""What was written, read back and checked against its table: what is hashed is what readers will get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from conf.tables import Table
from jobs.errors import CheckError
from jobs.publishing.row_counts import RowCounts
from jobs.publishing.table_schema import table_schema
from jobs.publishing.written_hashes import Inspector, key_hashes, sums_of_files


@dataclass(frozen=True)
class WrittenPartition:
    """Rows of one partition value: how many, their hash, what was counted, and what is wrong with them.

    violations: rows that break a check of the inspector's, by its name.
    """

    n_rows: int
    content_hash: str
    counts: Mapping[str, int]
    n_nulls: Mapping[str, int]
    n_repeated_keys: int
    violations: Mapping[str, int]


def check_columns(frame: DataFrame, table: Table, path_columns: Sequence[str]) -> None:
    """Raise unless the frame has exactly the table's columns, of its types, and the path's columns.

    Raises:
        CheckError: lists every column that is missing, unexpected, or of another type.
    """
    found = dict(frame.dtypes)
    expected = {field.name: field.dataType.simpleString() for field in table_schema(table).fields}
    problems = [f"{name}: missing" for name in [*expected, *path_columns] if name not in found]
    problems += [f"{name}: unexpected" for name in found if name not in expected and name not in path_columns]
    problems += [
        f"{name}: expected {kind}, got {found[name]}"
        for name, kind in expected.items()
        if name in found and found[name] != kind
    ]
    if problems:
        raise CheckError(f"{table.name}: the columns don't fit the table:\n" + "\n".join(f"  {p}" for p in problems))


def read_written(spark: SparkSession, table: Table, folder: Path, path_columns: Sequence[str]) -> DataFrame:
    """Return the rows below a folder, with the path's columns as strings."""
    path_fields = [StructField(name, StringType()) for name in path_columns]
    schema = StructType([*table_schema(table).fields, *path_fields])
    return spark.read.schema(schema).option("basePath", str(folder)).parquet(str(folder))


def summarize_written(
    spark: SparkSession,
    table: Table,
    folder: Path,
    path_columns: Sequence[str],
    counted: RowCounts,
    inspector: Inspector | None = None,
) -> dict[str, WrittenPartition]:
    """Return what stands in each partition below a folder, by value of its column, the first of the path's."""
    partition_column = path_columns[0]
    files = [(_value_in(path, partition_column), path) for path in sorted(folder.rglob("*.parquet"))]
    if not files:
        return {}
    key = [name for name in table.key if name != partition_column]
    sums = sums_of_files(spark, table, files, counted, key, inspector)
    repeated = {}
    if _has_repeated_hashes(files):
        repeated = _repeated_keys(read_written(spark, table, folder, path_columns), key, partition_column)
    return {
        value: WrittenPartition(
            n_rows=found.n_rows,
            content_hash=found.content_hash,
            counts=found.counts,
            n_nulls={name: n for name, n in found.n_nulls.items() if n},
            n_repeated_keys=repeated.get(value, 0),
            violations=found.violations,
        )
        for value, found in sums.items()
        if found.n_rows
    }


def _value_in(path: Path, column: str) -> str:
    return next(part.removeprefix(f"{column}=") for part in path.parts[::-1] if part.startswith(f"{column}="))


def check_written(
    summaries: Mapping[str, WrittenPartition], table: Table, partition_column: str, partitions: Collection[str]
) -> None:
    """Raise if a partition was not asked for, holds a null where none may be, or a key twice.

    Raises:
        CheckError: lists all violations.
    """
    problems = []
    for value, summary in sorted(summaries.items()):
        where = f"{table.name} {partition_column}={value}"
        if value not in partitions:
            problems.append(f"{where}: {summary.n_rows} rows of a partition that was not asked for")
        problems += [f"{where}: {n} nulls in {name}, expected none" for name, n in summary.n_nulls.items()]
        if summary.n_repeated_keys:
            problems.append(
                f"{where}: {summary.n_repeated_keys} values of the key ({', '.join(table.key)}) stand more than once"
            )
    if problems:
        raise CheckError("nothing was published:\n" + "\n".join(f"  {problem}" for problem in problems))


def _has_repeated_hashes(files: Sequence[tuple[str, Path]]) -> bool:
    """Return whether two rows of a partition may share their key: other hashes, other keys."""
    by_value: dict[str, list[Path]] = defaultdict(list)
    for value, path in files:
        by_value[value].append(path)
    found = False
    for paths in by_value.values():
        hashes = np.sort(np.concatenate([key_hashes(path) for path in paths]))
        found |= bool((hashes[1:] == hashes[:-1]).any())
    return found


def _repeated_keys(written: DataFrame, key: Sequence[str], partition_column: str) -> dict[str, int]:
    """Return how many values of the key stand more than once in each partition, of those that have any."""
    repeated = written.groupBy(partition_column, *key).count().where("count > 1")
    return {str(row[partition_column]): row["count"] for row in repeated.groupBy(partition_column).count().collect()}
