"""A delivery that isn't whole is held back until it is: nothing of it is landed, and nothing is built over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.errors import FAILS_AGAIN, exit_code
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.arrival import Arrival
from jobs.errors import UnlikelyDelivery
from jobs.landing.held_back import read_held_back
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, deliver_days

FIRST, SECOND, _ = DAYS
WAITS = source(arrival=Arrival(marker="**/_SUCCESS"))


def _mark(logs: Path, *days: object) -> None:
    for day in days:
        (logs / str(day) / "_SUCCESS").touch()


def test_a_half_delivery_is_held_back_until_it_is_whole(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """Then it is what it would have been; the day before is published meanwhile."""
    logs, home = deliver_days(tmp_path / "logs", [FIRST, SECOND]), tmp_path / "home"
    lake = Lake(home / "lake", "canonical")
    _mark(logs, FIRST)
    for _ in range(2):
        with pytest.raises(UnlikelyDelivery, match=f"delivery_date={SECOND}: not whole, as .*no marker") as raised:
            ingest_into(home, SECOND, logs, WAITS)
        assert exit_code(raised.value) == FAILS_AGAIN
    assert list(read_pointers(lake.table("events"))) == [f"delivery_date={FIRST}"]
    _mark(logs, SECOND)
    result = ingest_into(home, SECOND, logs, WAITS)
    assert read_held_back(lake) == {} and result["unread_files"] == []
    assert result["digests"] == ingest_into(tmp_path / "other", SECOND, logs)["digests"]


def test_a_later_half_delivery_keeps_no_earlier_night(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """Tomorrow's files come in while today's night runs."""
    logs, home = deliver_days(tmp_path / "logs", [FIRST, SECOND]), tmp_path / "home"
    _mark(logs, FIRST)
    assert ingest_into(home, FIRST, logs, WAITS)["deliveries"] == [str(FIRST)]


def test_what_was_landed_before_a_source_declares_anything_stays(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """Deliveries of years ago have no marker."""
    logs, home = deliver_days(tmp_path / "logs", [FIRST, SECOND]), tmp_path / "home"
    expected = ingest_into(home, SECOND, logs)["digests"]
    assert ingest_into(home, SECOND, logs, WAITS)["digests"] == expected
