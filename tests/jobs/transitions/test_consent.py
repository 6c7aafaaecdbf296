"""Where a source says who consented, nobody else is learned from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import CONSENT
from jobs.observations.weekly_observations import consenting
from jobs.publishing.publishing import Target
from jobs.transitions.build import build
from jobs.transitions.consent import with_consent
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, events_frame, impression

TABLE = {
    "consent": {
        "files": ["consent.jsonl"],
        "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}},
    }
}


def pipeline(**changes: str) -> Pipeline:
    table = {"consent": TABLE["consent"] | changes}
    return a_pipeline(source_changes=table, observation={"features": [{"name": "n_session_clicks"}], "history_days": 7})


def consents(spark: SparkSession, *rows: tuple[str, str, bool, date]) -> DataFrame:
    """Shopper, the clock of the first day from which the row holds, the answer, and its delivery."""
    values: list[tuple[Any, ...]] = [(who, at(clock), is_given, day) for who, clock, is_given, day in rows]
    return spark.createDataFrame(values, f"{CONSENT.ddl}, delivery_date date")


def test_consent_is_that_of_the_event(spark: SparkSession) -> None:
    """The latest row valid by then, whenever it was delivered before the partition is sealed; none means no."""
    late, too_late = DAY + timedelta(days=1), DAY + timedelta(days=pipeline().settle_days)
    told = consents(
        spark,
        ("ann", "09:00", True, DAY),
        ("ann", "11:00", False, late),
        ("bob", "09:00", False, DAY),
        ("bob", "09:30", True, too_late),
    )
    clocks = ("08:00", "10:00", "12:00")
    asked = [(who, clock) for who in ("ann", "bob", "cid") for clock in clocks]
    rows = [event("click", clock, user_id=who, event_id=f"{who} {clock}") for who, clock in asked]
    found = with_consent(events_frame(spark, rows), told, pipeline()).select("event_id", "has_consent").collect()
    assert {row.event_id for row in found if row.has_consent} == {"ann 10:00"}
    assert len(found) == len(rows)


def test_whoever_is_not_listed_may_count_as_consenting(spark: SparkSession) -> None:
    """A list of those who opted out takes away what they do from then on, and nobody else's."""
    told = consents(spark, ("ann", "11:00", False, DAY), ("bob", "07:00", False, DAY), ("bob", "11:00", True, DAY))
    asked = [(who, clock) for who in ("ann", "bob", "cid") for clock in ("10:00", "12:00")]
    rows = [event("click", clock, user_id=who, event_id=f"{who} {clock}") for who, clock in asked]
    found = with_consent(events_frame(spark, rows), told, pipeline(unlisted="given"))
    taken = {row.event_id for row in found.collect() if row.has_consent}
    assert taken == {"ann 10:00", "bob 12:00", "cid 10:00", "cid 12:00"}
    noon = int(at("12:00").timestamp()) * 1_000_000
    events = events_frame(spark, rows)
    listed = consenting(events, told, noon, takes_unlisted=True).select("user_id").distinct().collect()
    assert {row.user_id for row in listed} == {"bob", "cid"}
    assert {row.user_id for row in consenting(events, told, noon).select("user_id").collect()} == {"bob"}


def test_hashes_of_sources_that_ask_everybody_stay() -> None:
    """Who says nothing of those that aren't listed, or what held before, builds nothing anew."""
    assert data_spec_hash(pipeline(unlisted="refused")) == data_spec_hash(pipeline())
    assert data_spec_hash(pipeline(unlisted="given")) != data_spec_hash(pipeline())
    assert "unlisted" not in pipeline().source.model_dump()["consent"]


def test_episodes_without_consent_are_not_made(spark: SparkSession, tmp_path: Path) -> None:
    """However many: their reward is a residual of its own, and the ledger balances."""
    rows: list[Row] = []
    for who in ("ann", "bob", "cid"):
        named: Row = {"user_id": who, "decision_id": who}
        rows += [impression("10:00", **named), event("click", "10:01", **named)]
    shop = DeliveredShop(spark, tmp_path, pipeline())
    shop.deliver(rows)
    told = consents(spark, ("ann", "09:00", True, DAY), ("bob", "10:00:30", True, DAY))
    shop._publish(told, Target(CONSENT, shop.lake.table(CONSENT.name), "delivery_date"))
    result = build(spark, shop.settings, shop.pipeline, DAY)
    assert result["n_transitions"] == 1
    assert result["quarantined"] == {"episodes": 2, "decisions": 2, "no_consent": 2}
    assert {name: worth for name, worth in result["reward"]["residuals"].items() if worth} == {"no_consent": 2_000_000}
    assert [row.user_id for row in shop.transitions().select("user_id").collect()] == ["ann"]
