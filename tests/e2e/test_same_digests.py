"""The same deliveries and the same horizon give the same tables, whatever happened on the way."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from tests.e2e.simulated_lake import (
    LAST_DATE,
    BuiltLake,
    build_transitions,
    deliver_shuffled,
    digests,
    ingest_logs,
)
from tests.spark_plans import shuffle_partitions

# The shop's six days.
A, B, C, D, E, F = (date(2026, 3, day) for day in range(26, 32))


def test_digests_do_not_depend_on_order_of_days_lines_partitions_or_nights(
    spark: SparkSession, small_lake: BuiltLake, tmp_path: Path
) -> None:
    """Days in another order and twice, lines shuffled, some nights that build too, 7 partitions: the same."""
    home = tmp_path / "home"
    with shuffle_partitions(spark, 7):
        for number, (days, is_built) in enumerate([((C, A), False), ((D, B), True), ((F, D, E), True)]):
            alone = deliver_shuffled(small_lake.logs, tmp_path / f"delivery {number}", days, seed=number)
            ingested = ingest_logs(spark, home, alone, max(days))
            built = build_transitions(spark, home, max(days)) if is_built else {}
    found = digests(ingested, built)
    assert found == small_lake.digests
    assert all(len(found[name]) >= 6 for name in ("events", "sessions", "transitions"))


def test_repeated_run_leaves_everything_as_it_was(spark: SparkSession, small_lake: BuiltLake, tmp_path: Path) -> None:
    """The same logs a second time land, ingest and publish nothing: no file in the lake is new."""
    home = tmp_path / "home"
    shutil.copytree(small_lake.home, home)
    files = {path: path.stat().st_mtime_ns for path in (home / "lake").rglob("*.parquet")}
    pointers = {path: path.read_text() for path in (home / "lake").rglob("_pointers/*.json")}
    again = ingest_logs(spark, home, small_lake.logs, LAST_DATE)
    assert again["deliveries"] == []
    assert digests(again, build_transitions(spark, home, LAST_DATE)) == small_lake.digests
    assert {path: path.stat().st_mtime_ns for path in (home / "lake").rglob("*.parquet")} == files
    assert {path: path.read_text() for path in (home / "lake").rglob("_pointers/*.json")} == pointers
