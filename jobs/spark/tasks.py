"""Work that is split into tasks by a list: one task of Python's workers an entry, or for several small ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from jobs.spark.same_ground import ground_of, refuse_strange

Given = TypeVar("Given")

_MOST_WITH_EACH_TASK = 500
_FEW_BYTES = 1 << 23
_TASKS_A_CORE = 2


def tasks_over(
    spark: SparkSession,
    given: Sequence[Given],
    work: Callable[[Iterable[Given]], Iterator[pa.RecordBatch]],
    schema: StructType,
    *,
    n_bytes: int | None = None,
) -> DataFrame:
    """Return the rows that the work makes of the entries, one task an entry.

    A task costs some hundredths of a second whatever it does, which a hundred small files would wait for most of the
    time. Entries that hold little together are split among two tasks a core.

    The entries go with the function. In a frame of their own, each task would need a second worker that makes it.

    Args:
        spark: whose workers work.
        given: what the tasks are told, such as paths.
        work: what a task makes of its entries; it goes to the workers with every task, with all that it holds.
        schema: of the rows that the work yields.
        n_bytes: what all entries hold together, about; None where nobody knows.
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

    ground = ground_of(spark)

    def of_task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        refuse_strange(ground)
        return work(entries()[number] for batch in batches for number in batch.column(0).to_pylist())

    n_tasks = max(1, len(given))
    if n_bytes is not None and n_bytes <= _FEW_BYTES:
        n_tasks = min(n_tasks, _TASKS_A_CORE * spark.sparkContext.defaultParallelism)
    return spark.range(0, len(given), 1, n_tasks).mapInArrow(of_task, schema)
