"""What side tables tell of shoppers and items is observed: in transitions, in what is published, and by the service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.kernel.calendar import day_number
from conf.observation_features import id_hash
from conf.specs.scenario import Pipeline
from conf.tables import ITEMS, SHOPPERS
from jobs.commands.observe import observe
from jobs.publishing.publishing import Target
from jobs.transitions.build import build
from jobs.transitions.due_dates import find_due_dates
from rl.serving.histories import fresh_history
from rl.serving.observation import Moment, ObservationMaker, SeenEvent
from rl.serving.shop_tables import read_tables
from rl.serving.store_filling import StorePlace
from tests.conf.kernel.columns_of_rows import micros
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, impression

BEFORE = DAY - timedelta(days=1)
SOURCE: dict[str, Any] = {
    "shoppers": {"files": ["s"], "columns": {"user_id": {"column": "who"}, "tier": {"column": "tier"}}},
    "items": {"files": ["i"]},
}
FEATURES: list[dict[str, Any]] = [
    {"name": "shopper_tier", "values": ["silver", "gold"]},
    {"name": "recent_engaged_categories", "length": 3},
    {"name": "favorite_categories", "length": 2},
]
# Who, attribute, from when it holds on DAY or the day before, what, and its delivery.
ATTRIBUTES = [
    ("ann", "tier", at("00:00", BEFORE), "silver", BEFORE - timedelta(days=9)),
    ("ann", "tier", at("10:30"), "gold", BEFORE),  # within the day
    ("ann", "tier", at("09:00"), "bronze", DAY),  # delivered on the day itself: not known yet
    ("ann", "land", at("00:00", BEFORE), "gold", BEFORE),  # nobody asks for it
    ("bob", "tier", at("09:00"), "tin", BEFORE),  # not listed
    ("cid", "tier", at("12:00"), "gold", BEFORE),  # not yet
    ("eve", "tier", at("12:00"), "gold", BEFORE),  # never came
]
CATEGORIES = [
    ("hat", at("00:00", BEFORE), "head", BEFORE - timedelta(days=2)),
    ("hat", at("10:05"), "hats", BEFORE),
    ("shoe", at("00:00", BEFORE), "feet", DAY),  # too late for the day
]
VIEWS = [
    event("view", "09:00", day=BEFORE, user_id="ann", item_id="hat"),
    event("view", "10:00", user_id="ann", item_id="hat", event_id="v1"),
    event("view", "10:06", user_id="ann", item_id="hat", event_id="v2"),
    event("view", "10:07", user_id="ann", item_id="shoe", event_id="v3"),
    event("view", "10:08", user_id="ann", item_id="hat", category_id="own", event_id="v4"),
]
DECISIONS = [
    impression("10:10", user_id="ann", decision_id="d1", event_id="d1"),
    impression("10:35", user_id="ann", decision_id="d2", event_id="d2"),
    impression("10:10", user_id="bob", decision_id="d3", event_id="d3"),
    impression("10:10", user_id="cid", decision_id="d4", event_id="d4"),
    impression("10:10", user_id="dan", decision_id="d5", event_id="d5"),
]
SEEN = [id_hash(name) for name in ("own", "hats", "head")]
EXPECTED = {
    "d1": (1, SEEN, [id_hash("head")]),
    "d2": (2, SEEN, [id_hash("head")]),
    "d3": (0, [], []),
    "d4": (-1, [], []),
    "d5": (-1, [], []),
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    observed = {"features": FEATURES, "history_days": 3, "item_categories": True}
    made = a_pipeline(source_changes=SOURCE, observation=observed)
    return Pipeline.model_validate(made.model_dump())


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline) -> DeliveredShop:
    shop = DeliveredShop(spark, tmp_path_factory.mktemp("told"), pipeline)
    shop.deliver([*VIEWS, *DECISIONS])
    tell(shop)
    build(spark, shop.settings, pipeline, DAY)
    observe(spark, shop.settings, pipeline, DAY)
    return shop


def tell(shop: DeliveredShop, *more: tuple[Any, ...]) -> None:
    """The tables are current, with further attributes."""
    rows = [(who, since, name, value, day) for who, name, since, value, day in (*ATTRIBUTES, *more)]
    items = [(item, since, category, None, None, None, None, day) for item, since, category, day in CATEGORIES]
    for table, values in ((SHOPPERS, rows), (ITEMS, items)):
        frame = shop.spark.createDataFrame(values, f"{table.ddl}, delivery_date date")
        shop._publish(frame, Target(table, shop.lake.table(table.name), "delivery_date"))


def test_a_decision_sees_what_had_been_told_by_then(shop: DeliveredShop) -> None:
    """Valid by its moment and delivered before its day; a category is that of the event's own moment."""
    rows = shop.transitions().select("decision_id", "observation.*").collect()
    found = {row.decision_id: tuple(row[one["name"]] for one in FEATURES) for row in rows}
    assert found == EXPECTED


def test_the_service_sees_the_same(shop: DeliveredShop, pipeline: Pipeline) -> None:
    """From the store that is filled with what was published for the day, and from the shop's tables."""
    place, maker = StorePlace(shop.settings, pipeline), ObservationMaker(pipeline)
    day = day_number(DAY)
    assert place.fill(day) == 4  # who came before the day, or of whom something was told
    shoppers = [row["user_id"] for row in DECISIONS]
    found = place.open().read(shoppers)
    maker.items = read_tables(shop.lake).told
    moments = [moment_of(row, fresh_history(found, at_place, day, 0).known) for at_place, row in enumerate(DECISIONS)]
    observed = maker.observe(moments)
    lists = [[one for one in row if one] for row in observed["recent_engaged_categories"].tolist()]
    favorites = [[one for one in row if one] for row in observed["favorite_categories"].tolist()]
    told = zip(observed["shopper_tier"].tolist(), lists, favorites, strict=True)
    assert dict(zip([row["event_id"] for row in DECISIONS], told, strict=True)) == EXPECTED


def moment_of(decision: Row, history: Any) -> Moment:
    seen = [
        SeenEvent(
            row["event_type"],
            micros(row["event_time"]),
            row["event_id"],
            row["item_id"],
            row["category_id"],
            row["action"],
            decision_id=row["decision_id"],
        )
        for row in [*VIEWS, *DECISIONS]
        if row["user_id"] == decision["user_id"] and row is not decision
    ]
    return Moment(micros(decision["event_time"]), decision["event_id"], seen, history)


def test_what_is_told_later_makes_only_open_dates_due(shop: DeliveredShop, pipeline: Pipeline) -> None:
    """A delivery after the date is sealed changes nothing; another one within is among its inputs."""
    sealed = DAY + timedelta(days=pipeline.settle_days)
    before = inputs_of(shop, pipeline)
    assert any(name.startswith("shoppers/") for name in before)
    assert any(name.startswith("items/") for name in before)
    tell(shop, ("dan", "tier", at("00:00", BEFORE), "gold", sealed + timedelta(days=1)))
    assert inputs_of(shop, pipeline) == before
    tell(shop, ("dan", "tier", at("00:00", BEFORE), "gold", BEFORE))
    assert inputs_of(shop, pipeline) != before


def inputs_of(shop: DeliveredShop, pipeline: Pipeline) -> dict[str, str]:
    return dict(find_due_dates(shop.lake, shop.folder, pipeline, DAY).inputs[DAY])
