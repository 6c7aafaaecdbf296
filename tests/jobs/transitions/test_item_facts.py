"""What the items table says of events that don't: their category as actions, and their cost as money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.specs.scenario import Pipeline
from conf.tables import ITEMS
from jobs.errors import CheckError
from jobs.events.events_reading import IS_REPEATED
from jobs.events.item_facts import FACT_COLUMNS, item_facts
from jobs.parsing.exact_numbers import LARGEST_MONEY
from jobs.publishing.publishing import Target
from jobs.transitions import events_read
from jobs.transitions.build import build
from jobs.transitions.worth import with_item_costs
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, events_frame, events_table, impression

EURO = 1_000_000
BEFORE = DAY - timedelta(days=1)
SOURCE: dict[str, Any] = {
    "items": {"files": ["i"]},
    "currency": "EUR",
    "events": {"amount": {"column": "amount"}, "quantity": {"column": "quantity"}},
}
MONEY: dict[str, Any] = {
    "reward": {
        "unit": "EUR",
        "weights": {},
        "terms": [{"event": "purchase", "value": "margin"}],
        "item_costs": True,
        "attribution": {"link": "decision_id", "window_hours": 12},
    },
    "metrics": {},
    "gate": {"guardrails": []},
}
# Item, from when the row holds, category, cost of a piece, delivery.
TOLD = [
    ("hat", at("00:00", BEFORE), "head", 2 * EURO, BEFORE),
    ("hat", at("10:30"), "hats", 3 * EURO, DAY),  # the cost counts on the day, the category from the next day on
    ("shoe", at("00:00", BEFORE), "feet", None, BEFORE),
    ("sock", at("12:00"), "feet", EURO, BEFORE),  # not yet
    ("coat", at("00:00", BEFORE), "back", 5 * EURO, DAY + timedelta(days=1)),  # told too late
]


def purchase(time: str, item: str, **columns: Any) -> Row:
    paid = {"amount": 10 * EURO, "quantity": 1} | columns
    return event("purchase", time, user_id="ann", item_id=item, decision_id="d1", **paid)


def tell(shop: DeliveredShop) -> None:
    items = [(item, since, category, None, cost, None, None, day) for item, since, category, cost, day in TOLD]
    frame = shop.spark.createDataFrame(items, f"{ITEMS.ddl}, delivery_date date")
    shop._publish(frame, Target(ITEMS, shop.lake.table(ITEMS.name), "delivery_date"))


def built(spark: SparkSession, home: Any, pipeline: Pipeline, rows: list[Row]) -> tuple[DeliveredShop, dict[str, Any]]:
    shop = DeliveredShop(spark, home, pipeline)
    shop.deliver(rows)
    tell(shop)
    return shop, build(spark, shop.settings, pipeline, DAY)


def test_purchases_take_the_cost_of_their_item(spark: SparkSession, tmp_path: Any) -> None:
    """As told by the end of the day, times the pieces; their own cost goes first, and none is counted."""
    pipeline = Pipeline.model_validate(a_pipeline(source_changes=SOURCE, **MONEY).model_dump())
    rows = [
        impression("10:00", user_id="ann", decision_id="d1", event_id="d1"),
        purchase("10:10", "hat", quantity=2),  # 10 - 2 * 2
        purchase("10:40", "hat"),  # 10 - 3
        purchase("10:41", "hat", cost=EURO),  # 10 - 1
        purchase("10:42", "hat", quantity=None),  # how many, nobody knows
        purchase("10:43", "shoe"),
        purchase("10:44", "sock"),
        purchase("10:45", "coat"),
        event("refund", "10:50", user_id="ann", item_id="hat", decision_id="d1", amount=-4 * EURO, quantity=-1),
    ]
    shop, result = built(spark, tmp_path, pipeline, rows)
    (row,) = shop.transitions().collect()
    # The refund takes back 4 less the 3 that its piece cost.
    assert row.reward == (6 + 7 + 9 - 1) * EURO
    assert result["reward"]["events_without_money"] == 4
    assert result["reward"]["events"] == row.reward


def test_a_cost_that_one_side_sees_otherwise_publishes_nothing(
    spark: SparkSession, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel and ledger take the cost of items apart."""
    pipeline = Pipeline.model_validate(a_pipeline(source_changes=SOURCE, **MONEY).model_dump())
    monkeypatch.setattr(events_read, "with_item_costs", lambda events, _: events)
    rows = [impression("10:00", user_id="ann", decision_id="d1", event_id="d1"), purchase("10:10", "hat")]
    with pytest.raises(CheckError, match="what the events are worth"):
        built(spark, tmp_path, pipeline, rows)


def test_decisions_take_the_category_of_their_item(spark: SparkSession, tmp_path: Any) -> None:
    """What had been told before the day; a category of their own goes first, one without any has no action."""
    chosen = {"key": "category", "mask": "none", "item_categories": True}
    pipeline = Pipeline.model_validate(
        a_pipeline(
            source_changes={"items": {"files": ["i"]}},
            action=chosen,
            observation={"item_categories": True},
            max_quarantined_share=1,
        ).model_dump()
    )
    names = {"d1": {"item_id": "hat"}, "d2": {"item_id": "hat", "category_id": "own"}, "d3": {"item_id": "coat"}}
    rows = [
        impression(
            "11:00",
            user_id=f"of {name}",
            decision_id=name,
            event_id=name,
            **({"category_id": None} | shown | {"action": None}),
        )
        for name, shown in names.items()
    ]
    shop, result = built(spark, tmp_path, pipeline, rows)
    assert {row.decision_id: row.action_key for row in shop.transitions().collect()} == {"d1": "head", "d2": "own"}
    assert result["quarantined"] == {"episodes": 1, "decisions": 1, "no_action": 1}


ITEM_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["hat", "shoe"]),
        st.integers(0, 3),
        st.sampled_from([None, 0, 7, 2 * EURO, LARGEST_MONEY - 1]),
        st.integers(0, 2),
    ),
    max_size=8,
    unique_by=lambda row: row[:2],
)
BOUGHT = st.tuples(
    st.sampled_from(["hat", "shoe", None]),
    st.integers(0, 3),
    st.sampled_from([None, 0, 1, -2, 2**40]),
    st.sampled_from([None, 5]),
    st.sampled_from(["purchase", "refund", "view"]),
)


@settings(max_examples=15, deadline=None)
@given(items=ITEM_ROWS, bought=st.lists(BOUGHT, min_size=1, max_size=8))
def test_spark_and_workers_fill_the_same_costs(spark: SparkSession, items: list[Any], bought: list[Any]) -> None:
    """Whatever is told when, of whatever is bought: zero costs, products beyond 64 bits, nulls."""
    told = [
        {
            "item_id": item,
            "valid_from": at("10:00", BEFORE) + timedelta(hours=8 * since),
            "delivery_date": BEFORE + timedelta(days=delivered),
            "category_id": None,
            "cost": cost,
        }
        for item, since, cost, delivered in items
    ]
    rows = [
        event(
            kind, "12:00", day=BEFORE + timedelta(days=day % 2), item_id=item, quantity=n, cost=cost, event_id=f"e{at_}"
        )
        for at_, (item, day, n, cost, kind) in enumerate(bought)
    ]
    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("valid_from", pa.timestamp("us", "UTC")),
            ("delivery_date", pa.date32()),
            ("category_id", pa.string()),
            ("cost", pa.int64()),
        ]
    )
    table = pa.Table.from_pylist(told, schema).select(list(FACT_COLUMNS))
    events = events_table(rows)
    filled = item_facts(None, table.filter(pc.is_valid(table["cost"]))).fill(events)
    found = dict(zip(filled["event_id"].to_pylist(), filled["cost"].to_pylist(), strict=True))
    ddl = "item_id string, valid_from timestamp, delivery_date date, category_id string, cost bigint"
    of_items = spark.createDataFrame([tuple(one.values()) for one in told], ddl)
    by_spark = with_item_costs(events_frame(spark, rows).withColumn(IS_REPEATED, F.lit(False)), of_items)
    assert found == {row["event_id"]: row["cost"] for row in by_spark.select("event_id", "cost").collect()}


@pytest.mark.parametrize("days_ago", [2, 60])
def test_a_cost_stays_known_though_a_later_row_says_none(
    spark: SparkSession, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, days_ago: int
) -> None:
    """A row that tells a category or price alone takes no cost back, however long ago both rows were told."""
    ago, later = DAY - timedelta(days=days_ago), DAY - timedelta(days=days_ago - 1)
    told = [
        ("hat", at("00:00", ago), "head", 2 * EURO, ago),
        ("hat", at("00:00", later), "hats", None, later),
    ]
    monkeypatch.setattr(f"{__name__}.TOLD", told)
    pipeline = Pipeline.model_validate(a_pipeline(source_changes=SOURCE, **MONEY).model_dump())
    rows = [impression("10:00", user_id="ann", decision_id="d1", event_id="d1"), purchase("10:10", "hat")]
    shop, _ = built(spark, tmp_path, pipeline, rows)
    (row,) = shop.transitions().collect()
    assert row.reward == 8 * EURO


def test_events_keep_their_order_and_other_columns() -> None:
    """Filling changes two columns and nothing else."""
    rows = [event("purchase", f"10:{n:02}", item_id="hat", quantity=1, event_id=f"e{n}") for n in range(4)]
    events = events_table(rows)
    empty = pa.table({name: [] for name in FACT_COLUMNS}, _EMPTY)
    nothing = item_facts(empty, empty)
    filled = nothing.fill(events)
    assert filled.equals(events)
    assert np.array_equal(nothing.hashes, [])


_EMPTY = pa.schema(
    [
        ("item_id", pa.string()),
        ("valid_from", pa.timestamp("us", "UTC")),
        ("delivery_date", pa.date32()),
        ("category_id", pa.string()),
        ("cost", pa.int64()),
    ]
)
