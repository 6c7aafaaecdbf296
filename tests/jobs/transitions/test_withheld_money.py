"""Money that decisions which are set aside would have earned: a residual, less refunds, whatever they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.publication import read_pointers
from conf.specs.scenario import Pipeline
from conf.tables import CONSENT
from jobs.publishing.publishing import Target
from jobs.transitions.build import build
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, available, event, impression

EURO = 1_000_000
CONSENTS = {
    "consent": {"files": ["consent.jsonl"], "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}}}
}


def pipeline() -> Pipeline:
    """Margin less what a decision cost, of shoppers who consented, actions masked by availability."""
    return a_pipeline(
        source_changes=CONSENTS,
        action={"mask": "availability"},
        reward={
            "unit": "EUR",
            "weights": {},
            "terms": [{"event": "purchase", "value": "margin"}],
            "action_cost": {"logged": True},
            "attribution": {"link": "decision_id", "window_hours": 48},
        },
        metrics={"refunds": "refund"},
        observation={"features": [{"name": "session_step"}], "history_days": 2},
        gate={"guardrails": []},
        max_quarantined_share=0.5,
    )


def visit(who: str, *, action: str, refunded: int) -> list[Row]:
    """A decision that cost 0.50, a purchase of 20 that cost 12, and a refund of some of it."""
    named: Row = {"user_id": who, "decision_id": who}
    bought: Row = {"item_id": "hat", "amount": 20 * EURO, "cost": 12 * EURO, "order_id": who}
    return [
        impression("10:00", action=action, availability_id="morning", cost=EURO // 2, event_id=f"i {who}", **named),
        event("purchase", "10:05", event_id=f"p {who}", **named, **bought),
        event("refund", "11:00", user_id=who, event_id=f"r {who}", order_id=who, item_id="hat", amount=refunded),
    ]


def test_money_of_what_is_set_aside_is_a_residual(spark: SparkSession, tmp_path: Path) -> None:
    """By hand: 8 of margin each, less refunds of 1, 2 and 3; ann alone has a row, and pays for her decision."""
    rows = [
        *visit("ann", action="hat", refunded=EURO),
        *visit("bob", action="boot", refunded=2 * EURO),
        *visit("cid", action="hat", refunded=3 * EURO),
    ]
    shop = DeliveredShop(spark, tmp_path, pipeline())
    shop.offer([available("morning", "06:00", "shoe", "hat")])
    shop.deliver(rows)
    told: list[tuple[Any, ...]] = [(who, at("09:00"), True, DAY) for who in ("ann", "bob")]
    consents = spark.createDataFrame(told, f"{CONSENT.ddl}, delivery_date date")
    shop._publish(consents, Target(CONSENT, shop.lake.table(CONSENT.name), "delivery_date"))

    result = build(spark, shop.settings, shop.pipeline, DAY)

    assert result["quarantined"] == {"episodes": 2, "decisions": 2, "outside_set": 1, "no_consent": 1}
    reward = result["reward"]
    assert {name: worth for name, worth in reward["residuals"].items() if worth} == {
        "quarantined": 6 * EURO,
        "no_consent": 5 * EURO,
    }
    assert (reward["events"], reward["transitions"], reward["action_cost"]) == (18 * EURO, 6_500_000, 500_000)
    counters = read_pointers(shop.folder)[f"date={DAY}"].manifest.counters
    assert counters[f"reward.attributed_on.{DAY}"] == 7 * EURO
    assert counters[f"reward.quarantined_on.{DAY}"] == 6 * EURO
    assert counters[f"reward.no_consent_on.{DAY}"] == 5 * EURO
