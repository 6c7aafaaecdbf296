"""Where a source says who consented, nobody else is learned from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.specs.scenario import Pipeline
from conf.tables import CONSENT
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


def pipeline() -> Pipeline:
    return a_pipeline(source_changes=TABLE, observation={"features": [{"name": "n_session_clicks"}], "history_days": 7})


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
