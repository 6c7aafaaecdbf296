"""The lake that several modules read."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from tests.e2e.simulated_lake import LAST_DATE, BuiltLake, build_transitions, ingest_logs, write_small_logs
from tests.spark_plans import as_in_a_night


@pytest.fixture(scope="session")
def small_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> BuiltLake:
    """All days ingested in order by one run and built once, with plans compiled as in a night. Copy it to change it."""
    home = tmp_path_factory.mktemp("small_lake") / "home"
    logs = write_small_logs(home / "shop")
    with as_in_a_night(spark):
        ingested = ingest_logs(spark, home, logs, LAST_DATE)
        return BuiltLake(home, ingested, build_transitions(spark, home, LAST_DATE))
