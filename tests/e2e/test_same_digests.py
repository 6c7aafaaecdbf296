"""The same deliveries and the same horizon give the same tables, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.e2e.simulated_lake import (
    LAST_DATE,
    build_transitions,
    deliveries_in_other_order,
    ingest_logs,
    write_small_logs,
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_logs(tmp_path_factory.mktemp("shop"))


@contextmanager
def shuffle_partitions(spark: SparkSession, n: int) -> Iterator[None]:
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", str(n))
    try:
        yield
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", str(before))


def digests(spark: SparkSession, home: Path) -> dict[str, Any]:
    """Content hashes of all partitions after a build at the last date."""
    built = build_transitions(spark, home, LAST_DATE)
    ingested = ingest_logs(spark, home, None, LAST_DATE)
    return {**ingested["digests"], "transitions": built["partitions"]}


@pytest.fixture(scope="module")
def at_once(spark: SparkSession, logs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All days ingested in order by one run, with 2 shuffle partitions."""
    home = tmp_path_factory.mktemp("at_once")
    with shuffle_partitions(spark, 2):
        ingest_logs(spark, home, logs, LAST_DATE)
        return digests(spark, home)


def test_digests_do_not_depend_on_order_of_days_lines_or_partitions(
    spark: SparkSession, logs: Path, at_once: dict[str, Any], tmp_path: Path
) -> None:
    """Days one by one in another order, lines shuffled, some days twice, 7 shuffle partitions: the same tables."""
    with shuffle_partitions(spark, 7):
        for day, alone in deliveries_in_other_order(logs, tmp_path / "deliveries", seed=3):
            ingest_logs(spark, tmp_path / "home", alone, day)
        ingest_logs(spark, tmp_path / "home", alone, LAST_DATE)
        found = digests(spark, tmp_path / "home")
    assert found == at_once
    assert all(len(found[name]) >= 6 for name in ("events", "sessions", "transitions"))


def test_digests_do_not_depend_on_nightly_or_range_runs(
    spark: SparkSession, logs: Path, at_once: dict[str, Any], tmp_path: Path
) -> None:
    """A build after each of the last four nights leaves the same tables as one build of the whole range."""
    alone = dict(deliveries_in_other_order(logs, tmp_path / "deliveries", seed=4))
    for day in sorted(alone):
        ingest_logs(spark, tmp_path / "home", alone[day], day)
        if day >= sorted(alone)[-4]:
            build_transitions(spark, tmp_path / "home", day)
    assert digests(spark, tmp_path / "home") == at_once


def test_repeated_run_leaves_everything_as_it_was(
    spark: SparkSession, logs: Path, at_once: dict[str, Any], tmp_path: Path
) -> None:
    """The same logs a second time land, ingest and publish nothing: no file in the lake is new."""
    ingest_logs(spark, tmp_path, logs, LAST_DATE)
    first = digests(spark, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*.parquet")}
    pointers = {path: path.read_text() for path in (tmp_path / "lake").rglob("_pointers/*.json")}
    again = ingest_logs(spark, tmp_path, logs, LAST_DATE)
    assert again["deliveries"] == []
    assert digests(spark, tmp_path) == first == at_once
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*.parquet")} == files
    assert {path: path.read_text() for path in (tmp_path / "lake").rglob("_pointers/*.json")} == pointers
