"""A lake of an earlier release keeps its ids until it is migrated; then the next ingest hashes all of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.id_form import keyed_id
from conf.paths import Lake
from conf.settings import Settings
from jobs.commands.migrate import migrate
from jobs.errors import DeliveryError
from jobs.events import ingest as events
from jobs.events.events_reading import read_events
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, deliver_days

FIRST, SECOND, THIRD = DAYS
KEY = b"a key for tests only"


@pytest.fixture
def home(ingest_into: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two days that were ingested before ids were hashed, and a third that is landed."""
    monkeypatch.setattr(events, "has_keyed_ids", lambda _: False)
    monkeypatch.setattr(events, "id_inputs", lambda _: {})
    ingest_into(tmp_path, SECOND, deliver_days(tmp_path / "logs"))
    monkeypatch.undo()
    return tmp_path


def ids(spark: SparkSession, home: Path, last: date) -> set[str]:
    """Ids of the events and of the decisions that they name, up to a delivery."""
    lake = Lake(home / "lake", "canonical")
    rows = read_events(spark, lake, first_event_date=FIRST, last_event_date=last, last_delivery_date=last).collect()
    return {row.event_id for row in rows} | {row.decision_id for row in rows}


def test_ids_stay_as_given_until_the_home_is_migrated(ingest_into: Ingest, spark: SparkSession, home: Path) -> None:
    """A night more changes nothing; after `make migrate` the next one makes every delivery anew, and no more."""
    assert ingest_into(home, THIRD)["deliveries"] == [str(THIRD)]
    given = {f"{day}-{n}" for day in DAYS for n in range(10)}
    assert given <= ids(spark, home, THIRD)

    told = migrate(Settings.from_environment({"NIGHTCART_HOME": str(home)}))
    assert (told["ids"], "ids_as_given" in told) == (1, False)
    assert "keyed hashes" in told["done"]
    assert given <= ids(spark, home, THIRD)  # nothing is made anew yet

    assert ingest_into(home, SECOND)["deliveries"] == [str(FIRST), str(SECOND)]
    with pytest.raises(DeliveryError, match=f"1 delivery.s. hold ids as they were given .*{THIRD}.*; ingest up to"):
        ids(spark, home, THIRD)
    assert ingest_into(home, THIRD)["deliveries"] == [str(THIRD)]
    found = ids(spark, home, THIRD)
    assert not given & found
    assert {keyed_id(one, KEY) for one in given} <= found
    assert migrate(Settings.from_environment({"NIGHTCART_HOME": str(home)}))["ids"] == 0


def test_a_lake_whose_landed_files_are_gone_keeps_its_ids(home: Path) -> None:
    """It couldn't be made anew; the command says which file, and changes nothing of it."""
    lake = Lake(home / "lake", "canonical")
    next((lake.folder / "raw").rglob("*.jsonl")).unlink()
    told = migrate(Settings.from_environment({"NIGHTCART_HOME": str(home)}))
    assert told["ids"] == 0
    assert ".jsonl is gone" in told["ids_as_given"][0]
    assert not lake.keyed_ids.exists()
