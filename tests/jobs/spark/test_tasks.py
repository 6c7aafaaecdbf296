"""A list is worked through by one task an entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pytest
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs.spark import tasks
from jobs.spark.tasks import tasks_over

SCHEMA = StructType([StructField("task", LongType()), StructField("entry", StringType())])


def told(given: Iterable[tuple[str, int]]) -> Iterator[pa.RecordBatch]:
    for name, number in given:
        task = TaskContext.get().partitionId()
        yield pa.RecordBatch.from_pydict({"task": [task], "entry": [f"{name}{number}"]})


def test_every_entry_is_a_task_of_its_own(spark: SparkSession) -> None:
    """In order, whatever the entries are."""
    rows = tasks_over(spark, [("a", 1), ("b", 2), ("a", 1)], told, SCHEMA).collect()
    assert [(row.task, row.entry) for row in rows] == [(0, "a1"), (1, "b2"), (2, "a1")]


def test_nothing_given_makes_no_rows(spark: SparkSession) -> None:
    """Nor an error."""
    assert tasks_over(spark, [], told, SCHEMA).collect() == []


def test_a_long_list_is_loaded_once_by_each_worker(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows, whichever way the entries travel."""
    monkeypatch.setattr(tasks, "_MOST_WITH_EACH_TASK", 2)
    rows = tasks_over(spark, [("a", 1), ("b", 2), ("a", 1)], told, SCHEMA).collect()
    assert [(row.task, row.entry) for row in rows] == [(0, "a1"), (1, "b2"), (2, "a1")]


def test_small_entries_share_tasks_and_keep_their_order(spark: SparkSession) -> None:
    """Two tasks a core, as long as all entries together hold little."""
    entries, n_cores = [("a", number) for number in range(50)], spark.sparkContext.defaultParallelism
    small = tasks_over(spark, entries, told, SCHEMA, n_bytes=1_000).collect()
    large = tasks_over(spark, entries, told, SCHEMA, n_bytes=1 << 40).collect()
    assert [row.entry for row in small] == [row.entry for row in large] == [f"a{number}" for number in range(50)]
    assert (len({row.task for row in small}), len({row.task for row in large})) == (2 * n_cores, 50)
