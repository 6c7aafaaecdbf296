"""Content hashes and nulls of files as they were written, counted in Python workers over Arrow: one pass, no shuffle.

The sums are those of `content_hash`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from conf.tables import Table
from jobs.publishing.arrow_hash import hash_text, hashed_values, row_hashes
from jobs.publishing.content_hash import CHAINS, format_content_hash

# So few rows at a time that a column of them stays near the processor.
_ROWS_A_BATCH = 16_384
_FILES_A_TASK = 8

_GIVEN = StructType([StructField("partition", StringType()), StructField("path", StringType())])
_FOUND = StructType(
    [
        StructField("partition", StringType()),
        StructField("n_rows", LongType()),
        StructField("sums", ArrayType(LongType())),
        StructField("n_nulls", ArrayType(LongType())),
    ]
)


@dataclass(frozen=True)
class WrittenSums:
    """What the rows of files come to.

    sums: of the two hashes of each row, modulo 2**64; n_nulls: by column that may hold none.
    """

    n_rows: int
    sums: tuple[int, ...]
    n_nulls: Mapping[str, int]

    @property
    def content_hash(self) -> str:
        """The content hash of the rows."""
        return format_content_hash(self.n_rows, *self.sums)

    def __add__(self, other: WrittenSums) -> WrittenSums:
        return WrittenSums(
            self.n_rows + other.n_rows,
            tuple((one + another) % 2**64 for one, another in zip(self.sums, other.sums, strict=True)),
            {name: n + other.n_nulls[name] for name, n in self.n_nulls.items()},
        )


def sums_of_files(spark: SparkSession, table: Table, files: Sequence[tuple[str, Path]]) -> dict[str, WrittenSums]:
    """Return the sums of each partition, of the Parquet files that hold it.

    Args:
        spark: whose workers read them.
        table: of the rows.
        files: value of the partition, and path.
    """
    required = [column.name for column in table.columns if not column.is_nullable]

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for one in batch.to_pylist():
                found = file_sums(Path(one["path"]), table)
                row = {
                    "partition": one["partition"],
                    "n_rows": found.n_rows,
                    "sums": np.array(found.sums, dtype=np.uint64).view(np.int64).tolist(),
                    "n_nulls": [found.n_nulls[name] for name in required],
                }
                yield pa.RecordBatch.from_pylist([row], _ARROW_FOUND)

    given = spark.sparkContext.parallelize([(value, str(path)) for value, path in files], _n_tasks(spark, len(files)))
    totals: dict[str, WrittenSums] = {}
    for row in spark.createDataFrame(given, _GIVEN).mapInArrow(read, _FOUND).collect():
        n_nulls = dict(zip(required, row["n_nulls"], strict=True))
        found = WrittenSums(row["n_rows"], tuple(one % 2**64 for one in row["sums"]), n_nulls)
        known = totals.get(row["partition"])
        totals[row["partition"]] = found if known is None else known + found
    return totals


_ARROW_FOUND = pa.schema(
    [
        ("partition", pa.string()),
        ("n_rows", pa.int64()),
        ("sums", pa.list_(pa.int64())),
        ("n_nulls", pa.list_(pa.int64())),
    ]
)


def _n_tasks(spark: SparkSession, n_files: int) -> int:
    return max(1, min(n_files, max(spark.sparkContext.defaultParallelism, -(-n_files // _FILES_A_TASK))))


def file_sums(path: Path, table: Table) -> WrittenSums:
    """Return the sums of a Parquet file with the table's columns."""
    hashed = [column.name for column in table.columns if column.is_hashed]
    required = [column.name for column in table.columns if not column.is_nullable]
    seeds = [hash_text(chain) for chain in CHAINS]
    total = WrittenSums(0, (0,) * len(seeds), dict.fromkeys(required, 0))
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as content:
        for batch in content.iter_batches(_ROWS_A_BATCH):
            parts = [part for name in hashed for part in hashed_values(batch.column(name))]
            sums = tuple(int(row_hashes(parts, seed).sum(dtype=np.uint64)) for seed in seeds)
            n_nulls = {name: batch.column(name).null_count for name in required}
            total += WrittenSums(batch.num_rows, sums, n_nulls)
    return total
