"""The kernel against what the Spark jobs publish of public logs."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.scenario import load_pipeline
from tests.conf.kernel.told_twice import assert_same, published
from tests.e2e.simulated_lake import build_transitions, ingest_logs

pytestmark = pytest.mark.real_data

# First and last date that is compared, and a least number of transitions there.
LOGS = {
    "taobao": (date(2017, 11, 25), date(2017, 12, 3), 75_000),
    "open_bandit": (date(2019, 11, 24), date(2019, 12, 1), 10_000),
    "online_retail": (date(2010, 12, 1), date(2010, 12, 5), 7_500),
}


def delivered(source: str, real_data: Path, folder: Path) -> Path:
    """The log, or of a log with a file a day those that are compared."""
    if source == "taobao":
        return real_data / "taobao" / "UserBehavior.csv"
    if source == "open_bandit":
        return real_data / "obd" / "random" / "all.csv.gz"
    folder.mkdir()
    for day in ("2010-12-01", "2010-12-02", "2010-12-03", "2010-12-05"):
        shutil.copyfile(real_data / source / f"{day}.csv.gz", folder / f"{day}.csv.gz")
    return folder


@pytest.mark.parametrize("source", LOGS)
def test_rows_of_public_logs_are_those_published(
    real_data: Path, spark: SparkSession, tmp_path: Path, source: str
) -> None:
    """Every column of every session and transition, and what became of every counted event."""
    first, last, n_least = LOGS[source]
    pipeline = load_pipeline("recommendation", source)
    ingest_logs(spark, tmp_path / "home", delivered(source, real_data, tmp_path / "logs"), last, pipeline)
    build_transitions(spark, tmp_path / "home", last, pipeline)
    told = published(spark, tmp_path / "home", pipeline, first_date=first, horizon=last)
    assert_same(told.kernel_sessions, told.spark_sessions, "session_id")
    assert_same(told.kernel_transitions, told.spark_transitions, "episode_id", "step")
    assert told.kernel_attributed == told.spark_attributed
    assert len(told.spark_transitions) >= n_least
