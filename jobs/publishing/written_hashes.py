"""What files come to as they were written, counted in Python workers over Arrow: one pass, no shuffle.

Content hashes, nulls, counters, what an inspection finds, and hashes of the rows' keys, which lie beside the files
until they are compared. The sums are those of `content_hash`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from conf.tables import Column, Table
from jobs.publishing.arrow_hash import HashArray, hash_text, hashed_values, row_hashes, seeded_hashes
from jobs.publishing.content_hash import CHAINS, format_content_hash
from jobs.publishing.row_counts import RowCounts
from jobs.spark.tasks import tasks_over

# So few rows at a time that a column of them stays near the processor.
_ROWS_A_BATCH = 16_384
_FILES_A_TASK = 8
_FEW_BYTES = 1 << 18

_FOUND = StructType(
    [
        StructField("partition", StringType()),
        StructField("n_rows", LongType()),
        StructField("sums", ArrayType(LongType())),
        StructField("n_nulls", ArrayType(LongType())),
        StructField("counts", ArrayType(LongType())),
        StructField("violations", ArrayType(LongType())),
    ]
)


class Inspection(Protocol):
    """Looks at the rows of one file, some at a time."""

    def see(self, rows: pa.RecordBatch, hashed: Mapping[str, list[pa.Array]]) -> None:
        """Look at some more rows; `hashed` holds what goes into the rows' hashes, by column."""

    def violations(self) -> Mapping[str, int]:
        """Return how many of all the rows break each check, by the inspector's names."""


@dataclass(frozen=True)
class Inspector:
    """Checks of rows, by name, and what begins to look at a file."""

    names: tuple[str, ...]
    begin: Callable[[], Inspection]


@dataclass(frozen=True)
class WrittenSums:
    """What the rows of files come to.

    sums: of the two hashes of each row, modulo 2**64; n_nulls: by column that may hold none; counts: by name;
    violations: rows that break a check, by its name.
    """

    n_rows: int
    sums: tuple[int, ...]
    n_nulls: Mapping[str, int]
    counts: Mapping[str, int]
    violations: Mapping[str, int]

    @property
    def content_hash(self) -> str:
        """The content hash of the rows."""
        return format_content_hash(self.n_rows, *self.sums)

    def __add__(self, other: WrittenSums) -> WrittenSums:
        return WrittenSums(
            self.n_rows + other.n_rows,
            tuple((one + another) % 2**64 for one, another in zip(self.sums, other.sums, strict=True)),
            {name: n + other.n_nulls[name] for name, n in self.n_nulls.items()},
            {name: n + other.counts[name] for name, n in self.counts.items()},
            {name: n + other.violations[name] for name, n in self.violations.items()},
        )


def sums_of_files(
    spark: SparkSession,
    table: Table,
    files: Sequence[tuple[str, Path]],
    counted: RowCounts,
    key: Sequence[str] = (),
    inspector: Inspector | None = None,
) -> dict[str, WrittenSums]:
    """Return the sums of each partition, of the Parquet files that hold it.

    Args:
        spark: whose workers read them.
        table: of the rows.
        files: value of the partition, and path.
        counted: what is counted of the rows.
        key: columns whose hashes are left beside each file (`key_hashes`).
        inspector: looks at each file's rows; None where nothing is checked.
    """
    required = [column.name for column in table.columns if not column.is_nullable]
    names, checks = list(counted), inspector.names if inspector else ()

    def read(given: Iterable[Sequence[tuple[str, Path]]]) -> Iterator[pa.RecordBatch]:
        for partition, path in (one for some in given for one in some):
            found, keys = file_sums(path, table, counted, key, inspector)
            if key:
                np.save(_keys_beside(path), keys)
            row = {
                "partition": partition,
                "n_rows": found.n_rows,
                "sums": np.array(found.sums, dtype=np.uint64).view(np.int64).tolist(),
                "n_nulls": [found.n_nulls[name] for name in required],
                "counts": [found.counts[name] for name in names],
                "violations": [found.violations[name] for name in checks],
            }
            yield pa.RecordBatch.from_pylist([row], _ARROW_FOUND)

    rows: Iterable[Mapping[str, Any]]
    if sum(path.stat().st_size for _, path in files) <= _FEW_BYTES:  # read before Spark would have begun
        rows = [row for batch in read([files]) for row in batch.to_pylist()]
    else:
        n_tasks = _n_tasks(spark, len(files))
        given = [files[number::n_tasks] for number in range(n_tasks)]
        rows = [row.asDict() for row in tasks_over(spark, given, read, _FOUND).collect()]
    totals: dict[str, WrittenSums] = {}
    for row in rows:
        by_name = (
            dict(zip(some, row[column], strict=True))
            for some, column in ((required, "n_nulls"), (names, "counts"), (checks, "violations"))
        )
        found = WrittenSums(row["n_rows"], tuple(one % 2**64 for one in row["sums"]), *by_name)
        known = totals.get(row["partition"])
        totals[row["partition"]] = found if known is None else known + found
    return totals


def key_hashes(path: Path) -> HashArray:
    """Return the hash of each row's key of a file, `(n,)`, as `sums_of_files` left them; they are gone afterwards."""
    kept = _keys_beside(path)
    hashes: HashArray = np.load(kept)
    kept.unlink()
    return hashes


def _keys_beside(path: Path) -> Path:
    return path.with_suffix(".keys.npy")


_ARROW_FOUND = pa.schema(
    [
        ("partition", pa.string()),
        ("n_rows", pa.int64()),
        ("sums", pa.list_(pa.int64())),
        ("n_nulls", pa.list_(pa.int64())),
        ("counts", pa.list_(pa.int64())),
        ("violations", pa.list_(pa.int64())),
    ]
)


def _n_tasks(spark: SparkSession, n_files: int) -> int:
    return max(1, min(n_files, max(spark.sparkContext.defaultParallelism, -(-n_files // _FILES_A_TASK))))


def file_sums(
    path: Path,
    table: Table,
    counted: RowCounts | None = None,
    key: Sequence[str] = (),
    inspector: Inspector | None = None,
) -> tuple[WrittenSums, HashArray]:
    """Return the sums of a Parquet file with the table's columns, and the hash of each row's key, `(n,)`."""
    hashed = [column for column in table.columns if column.is_hashed]
    required = [column.name for column in table.columns if not column.is_nullable]
    seeds, asked = [hash_text(chain) for chain in CHAINS], counted or {}
    total = WrittenSums(0, (0,) * len(seeds), dict.fromkeys(required, 0), dict.fromkeys(asked, 0), {})
    inspection = inspector.begin() if inspector else None
    keys = [np.zeros(0, dtype=np.uint64)]
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as content:
        for batch in content.iter_batches(_ROWS_A_BATCH):
            values = {one.name: hashed_values(batch.column(one.name)) for one in hashed if not one.is_later}
            parts = hashed_columns(batch, hashed, values)
            sums = tuple(seeded_hashes(parts, seeds).sum(axis=1, dtype=np.uint64).tolist())
            n_nulls = {name: batch.column(name).null_count for name in required}
            counts = {name: count(batch) for name, count in asked.items()}
            total += WrittenSums(batch.num_rows, sums, n_nulls, counts, {})
            if key:
                keys.append(row_hashes([part for name in key for part in hashed_values(batch.column(name))]))
            if inspection:
                inspection.see(batch, values)
    found = inspection.violations() if inspection else {}
    return replace(total, violations=found), np.concatenate(keys)


def hashed_columns(
    batch: pa.RecordBatch, columns: Sequence[Column], values: Mapping[str, list[pa.Array]]
) -> list[pa.Array]:
    """Return what goes into the hashes of the rows, in the order of `content_hash`; `values` of each first column.

    A column that the table gained later goes in last, behind its name, and where it has no value not at all; a file
    without it is read as if it had none.
    """
    parts = [part for one in columns if not one.is_later for part in values[one.name]]
    for one in columns:
        if one.is_later and one.name in batch.schema.names:
            later = batch.column(one.name)
            name = pc.if_else(later.is_valid(), pa.scalar(one.name), pa.scalar(None, pa.string()))
            parts += [name, later]
    return parts
