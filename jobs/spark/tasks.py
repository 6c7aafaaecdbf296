"""Work that is split into tasks by a list: one task of Python's workers for each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

Given = TypeVar("Given")

_MOST_WITH_EACH_TASK = 500


def tasks_over(
    spark: SparkSession,
    given: Sequence[Given],
    work: Callable[[Iterable[Given]], Iterator[pa.RecordBatch]],
    schema: StructType,
) -> DataFrame:
    """Return the rows that the work makes of the entries, one task an entry.

    The entries go with the function. In a frame of their own, each task would need a second worker that makes it.

    Args:
        spark: whose workers work.
        given: what the tasks are told, such as paths.
        work: what a task makes of its entries; it goes to the workers with every task, with all that it holds.
        schema: of the rows that the work yields.
    """
    entries: Callable[[], list[Given]]
    if len(given) > _MOST_WITH_EACH_TASK:
        shared = spark.sparkContext.broadcast(list(given))  # which a worker loads once, not with every task

        def entries() -> list[Given]:
            return shared.value
    else:
        own = list(given)

        def entries() -> list[Given]:
            return own

    def of_task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return work(entries()[number] for batch in batches for number in batch.column(0).to_pylist())

    return spark.range(0, len(given), 1, max(1, len(given))).mapInArrow(of_task, schema)
