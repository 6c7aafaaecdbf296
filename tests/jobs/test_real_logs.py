"""Public logs are ingested with every line accounted for; the facts are those of the logs' own descriptions."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.source import load_source
from jobs.events.events_reading import read_events
from tests.jobs.conftest import Ingest

pytestmark = pytest.mark.real_data


def test_taobao_lines_and_sessions_add_up(
    ingest_into: Ingest, spark: SparkSession, real_data: Path, tmp_path: Path
) -> None:
    """84,476 lines: one cut off, 35 outside the window; 14,097 sessions by the gap alone, more with the bounds."""
    log = real_data / "taobao" / "UserBehavior.csv"
    result = ingest_into(tmp_path, date(2017, 12, 2), log, load_source("taobao"))
    assert result["n_lines"] == 84_476
    assert result["rejected"] == {"missing_field": 1, "outside_window": 35}
    assert (result["n_events"], result["n_not_yet"]) == (73_063, 11_377)
    result = ingest_into(tmp_path, date(2017, 12, 3), source=load_source("taobao"))
    assert (result["n_events"], result["n_rejected"], result["n_not_yet"]) == (84_440, 36, 0)
    manifests = [pointer.manifest for pointer in read_pointers(tmp_path / "lake" / "taobao" / "sessions").values()]
    n_sessions, n_cut, n_events = (
        sum(one.counters[name] for one in manifests) for name in ("n_sessions", "n_cut", "n_events")
    )
    # Every cut makes one session of the gap two, and nothing else does.
    assert n_sessions - n_cut == 14_097
    assert n_events == 84_440
    events = read_events(
        spark,
        Lake(tmp_path / "lake", "taobao"),
        first_event_date=date(2017, 11, 25),
        last_event_date=date(2017, 12, 3),
        last_delivery_date=date(2017, 12, 3),
    )
    kinds = {row.event_type: row["count"] for row in events.groupBy("event_type").count().collect()}
    assert kinds == {"view": 75_873 - 36, "cart": 4_497, "favorite": 2_356, "purchase": 1_750}
    assert events.select(F.countDistinct("user_id")).collect()[0][0] == 815


def test_open_bandit_impressions_and_clicks_are_counted(ingest_into: Ingest, real_data: Path, tmp_path: Path) -> None:
    """10,000 impressions of the random policy, 38 of them clicked: derived events of the same lines."""
    log = real_data / "obd" / "random" / "all.csv.gz"
    result = ingest_into(tmp_path, date(2019, 12, 1), log, load_source("open_bandit"))
    assert (result["n_lines"], result["n_events"], result["n_derived"]) == (10_000, 10_000, 38)


def test_online_retail_days_keep_identical_lines(
    ingest_into: Ingest, spark: SparkSession, real_data: Path, tmp_path: Path
) -> None:
    """Identical invoice lines are different facts there, and each is an event."""
    logs = tmp_path / "logs"
    logs.mkdir()
    n_repeated = 0
    for day in ("2010-12-01", "2010-12-02"):
        log = real_data / "online_retail" / f"{day}.csv.gz"
        shutil.copyfile(log, logs / log.name)
        with gzip.open(log, "rt", encoding="utf-8") as file:
            lines = Counter(tuple(row.values()) for row in csv.DictReader(file) if row["CustomerID"])
            n_repeated += lines.total() - len(lines)
    result = ingest_into(tmp_path / "home", date(2010, 12, 2), logs, load_source("online_retail"))
    assert result["n_events"] + result["n_rejected"] == result["n_lines"]
    assert set(result["rejected"]) == {"missing_field"}
    events = read_events(
        spark,
        Lake(tmp_path / "home" / "lake", "online_retail"),
        first_event_date=date(2010, 12, 1),
        last_event_date=date(2010, 12, 2),
        last_delivery_date=date(2010, 12, 2),
    )
    assert events.where(F.col("event_id").contains("#")).count() == n_repeated > 0
