"""Files that hold whole sessions: what followed midnight counts on its own day, as if it had been delivered by day."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from jobs.commands.ingest import ingest
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.sessions.building import session_digests
from jobs.transitions.build import build
from tests.jobs.shop_logs import DAYS, deliver
from tests.jobs.transitions.shop_events import implied_pipeline
from tests.jobs.unnested_source import source_of_sessions

FIRST, SECOND, LAST = DAYS
Record = dict[str, Any]


def seconds(day: date, minutes: float) -> int:
    return int((datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)).timestamp())


def records(day: date, *, seed: int = 1) -> list[Record]:
    """A day's sessions: half of them begin within its last hour, and go on for up to two hours past midnight."""
    chance = random.Random(f"{day} {seed}")
    return [session(day, number, chance) for number in range(30)]


def session(day: date, number: int, chance: random.Random) -> Record:
    begins = chance.choice([600, 1380]) + chance.randrange(60)
    hits, minutes = list[Record](), float(begins)
    for place in range(chance.randrange(4, 10)):
        kind = "buy" if chance.random() < 0.2 else "view"
        item = f"i{chance.randrange(5)}"
        at = seconds(day, minutes)
        hits.append({"id": f"{day}-{number}-{place}", "at": at, "type": kind, "sku": item, "price": 2})
        minutes += chance.randrange(1, 20)
    return {"user": f"u{chance.randrange(12)}", "hits": hits}


def by_day(all_records: Sequence[Record]) -> dict[date, list[Record]]:
    """The same clicks as lines of their own, each with its own day."""
    found: dict[date, list[Record]] = {}
    for record in all_records:
        for hit in record["hits"]:
            day = datetime.fromtimestamp(hit["at"], UTC).date()
            found.setdefault(day, []).append({**record, "hits": hit})
    return found


@dataclass
class Shop:
    """A home with its logs: `night` ingests and builds as of a day."""

    spark: SparkSession
    home: Path
    pipeline: Pipeline

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(
            {"NIGHTCART_HOME": str(self.home), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"}
        )

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake, self.pipeline.source.name)

    def deliver(self, day: date, found: Sequence[Record]) -> None:
        deliver(self.home / "logs", day, [json.dumps(one) for one in found])

    def ingest(self, day: date) -> dict[str, Any]:
        logs = self.home / "logs"
        return ingest(self.spark, self.settings, self.pipeline.source, logs=logs, horizon=day, code_hash="code")

    def night(self, day: date) -> dict[str, str]:
        """Transitions and sessions as of the day: content hash by date."""
        self.ingest(day)
        partitions: dict[str, str] = build(self.spark, self.settings, self.pipeline, day)["partitions"]
        return partitions | {f"sessions {key}": one for key, one in session_digests(self.lake, last_date=day).items()}


def a_shop(spark: SparkSession, home: Path, **changes: Any) -> Shop:
    decisions = {"kind": "implied", "event_type": "view"}
    given = {"decisions": decisions, "lateness_days": 0, "items": None, "availability": None, "hours_past_day": 3}
    source = source_of_sessions(**given | changes).model_dump()
    source["events"] |= {"event_id": {"column": "hits.id"}}
    content = implied_pipeline().model_dump() | {"source": source}
    return Shop(spark, home, Pipeline.model_validate(content))


@pytest.fixture(scope="module")
def nested(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[date, dict[str, str]]:
    """Three nights, each after its day's file of whole sessions."""
    shop, found = a_shop(spark, tmp_path_factory.mktemp("nested")), {}
    for day in DAYS:
        shop.deliver(day, records(day))
        found[day] = shop.night(day)
    return found


def test_nights_are_those_of_the_same_clicks_delivered_by_day(
    spark: SparkSession, tmp_path: Path, nested: dict[date, dict[str, str]]
) -> None:
    """Each night gives the very transitions and sessions: none sees what followed its day's end, the next one does."""
    shop = a_shop(spark, tmp_path, unnest=None, hours_past_day=0)
    lines = by_day([one for day in DAYS for one in records(day)])
    over = [one for one in lines[SECOND] if one["hits"]["id"].startswith(str(FIRST))]
    assert len(over) > 10
    for day in DAYS:
        shop.deliver(day, lines[day])
        assert shop.night(day) == nested[day]


def test_order_of_ingestion_changes_nothing(
    spark: SparkSession, tmp_path: Path, nested: dict[date, dict[str, str]]
) -> None:
    """All days at once; and the middle one delivered again, with the clicks that the first one's file has already."""
    shop = a_shop(spark, tmp_path)
    for day in reversed(DAYS):
        again = [one for one in records(FIRST) if one["hits"][-1]["at"] >= seconds(SECOND, 0)] if day == SECOND else []
        tails = [one | {"hits": [hit for hit in one["hits"] if hit["at"] >= seconds(SECOND, 0)]} for one in again]
        shop.deliver(day, [*records(day), *tails])
    assert shop.night(LAST) == nested[LAST]


def test_a_planted_future_changes_nothing(
    spark: SparkSession, tmp_path: Path, nested: dict[date, dict[str, str]]
) -> None:
    """Whatever the day's file holds of the next day, the night of the day is the same."""
    shop = a_shop(spark, tmp_path)
    midnight = seconds(SECOND, 0)
    planted = [
        one | {"hits": [hit if hit["at"] < midnight else hit | {"sku": "future", "type": "buy"} for hit in one["hits"]]}
        for one in records(FIRST)
    ]
    more = {"user": "u1", "hits": [{"id": f"f{n}", "at": midnight + n, "type": "view", "sku": "f"} for n in range(50)]}
    shop.deliver(FIRST, [*planted, more])
    assert shop.night(FIRST) == nested[FIRST]


def test_a_day_of_which_only_first_hours_came_is_not_there_yet(spark: SparkSession, tmp_path: Path) -> None:
    """The clicks lie in their own day's partition of events; a build of that day waits for its own delivery."""
    shop = a_shop(spark, tmp_path)
    shop.deliver(FIRST, records(FIRST))
    told = shop.ingest(FIRST)
    assert told["n_rejected"] == 0
    files = [file for one in read_pointers(shop.lake.table("events")).values() for file in one.files]
    assert {str(day) in file for day in (FIRST, SECOND) for file in files if f"event_date={day}" in file} == {True}
    assert any(f"event_date={SECOND}" in file for file in files)
    with pytest.raises(DeliveryError, match=f"no events on {SECOND}; dates with events up to then: {FIRST}; ingest"):
        build(spark, shop.settings, shop.pipeline, SECOND)


def test_without_the_key_the_delivery_is_held_back_and_the_key_named(spark: SparkSession, tmp_path: Path) -> None:
    """With the hours that its sessions need."""
    shop = a_shop(spark, tmp_path, hours_past_day=0)
    shop.deliver(FIRST, records(FIRST))
    with pytest.raises(UnlikelyDelivery, match=r"up to 2 h past the delivery's day: .*\(hours_past_day: 2\)"):
        shop.ingest(FIRST)
