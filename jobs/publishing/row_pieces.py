"""Rows that Python's workers made are written by them as well: pieces as they come, then one sorted file a partition.

On the way through the JVM each row would be turned into Spark's form, kept, shuffled, sorted and written value by
value; Arrow does it by columns. A piece is rows of one partition that one task made. Pieces of a task that failed or
ran twice are in nobody's list, and so in no file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructField, StructType

from conf.tables import Table
from jobs.publishing.row_cells import ROWS_A_GROUP
from jobs.publishing.table_schema import table_schema
from jobs.spark.tasks import tasks_over

PIECE_DDL = "value: string, path: string"
"""A piece in Spark: the value of the partition's column, and where its rows lie."""

_WRITTEN = StructType([StructField("value", StringType()), StructField("n_rows", LongType())])


@dataclass(frozen=True)
class Piece:
    """Rows of one partition, by the value of its column, in an Arrow file."""

    value: str
    path: Path


def write_pieces(rows: pa.Table, schema: pa.Schema, partition_column: str, folder: Path) -> list[Piece]:
    """Write the rows of each partition to a file of their own below the folder; return the files.

    Args:
        rows: the table's columns, and the partition's.
        schema: of the table, `arrow_schema`.
        partition_column: dates.
        folder: made where it is missing.
    """
    own, values = rows.select(schema.names).cast(schema).combine_chunks(), rows[partition_column]
    found = []
    for value in sorted(pc.unique(values).to_pylist()):
        part = own.filter(pc.equal(values, value))
        piece = Piece(str(value), folder / f"{value}-{uuid4().hex}.arrow")
        folder.mkdir(parents=True, exist_ok=True)
        with pa.ipc.new_file(piece.path, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
            file.write_table(part)
        found.append(piece)
    return found


def join_pieces(
    spark: SparkSession,
    pieces: Sequence[Piece],
    *,
    partition_column: str,
    sort_columns: Sequence[str],
    folder: Path,
) -> None:
    """Write one sorted Parquet file a partition below the folder, and remove the pieces: a task a partition.

    Args:
        spark: whose workers write.
        pieces: of all partitions.
        partition_column: names the partitions' folders.
        sort_columns: order of the rows in a file.
        folder: where the partitions go.
    """
    by_value: dict[str, list[Path]] = defaultdict(list)
    for piece in pieces:
        by_value[piece.value].append(piece.path)
    if not by_value:
        return

    def write(given: Iterable[tuple[str, list[Path]]]) -> Iterator[pa.RecordBatch]:
        for value, paths in given:
            n_rows = join_files(paths, sort_columns, folder / f"{partition_column}={value}")
            yield pa.RecordBatch.from_pylist([{"value": value, "n_rows": n_rows}], _ARROW_WRITTEN)

    given = [(value, sorted(paths)) for value, paths in sorted(by_value.items())]
    n_bytes = sum(piece.path.stat().st_size for piece in pieces)
    tasks_over(spark, given, write, _WRITTEN, n_bytes=n_bytes).collect()
    for piece in pieces:
        piece.path.unlink(missing_ok=True)


_ARROW_WRITTEN = to_arrow_schema(_WRITTEN)


def join_files(paths: Collection[Path], sort_columns: Sequence[str], folder: Path) -> int:
    """Write the rows of Arrow files to one Parquet file in the folder, sorted; return how many there are."""
    rows = read_pieces(paths)
    write_sorted(rows, sort_columns, folder)
    return len(rows)


def write_sorted(rows: pa.Table, sort_columns: Sequence[str], folder: Path) -> None:
    """Write the rows to one Parquet file in the folder, sorted."""
    places = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in sort_columns])
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows.take(places), folder / "part-00000.parquet", compression="zstd", row_group_size=ROWS_A_GROUP)


def read_pieces(paths: Collection[Path]) -> pa.Table:
    """Return the rows of Arrow files as one table."""
    tables = []
    for path in paths:
        with pa.ipc.open_file(path) as file:
            tables.append(file.read_all())
    return pa.concat_tables(tables).combine_chunks()


def arrow_schema(table: Table) -> pa.Schema:
    """Return the table's columns as Arrow has them, without the partition's; asks the driver's Spark."""
    return to_arrow_schema(table_schema(table), timezone="UTC")
