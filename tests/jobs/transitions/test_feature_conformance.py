"""What holds of every feature of the registry, on random logs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, LongType, StructType

from conf.observation_features import OBSERVATION_FEATURES
from conf.scenario import Observation, Pipeline
from jobs.transitions.history_features import HISTORY_LISTS, HISTORY_SCALARS
from jobs.transitions.observations import points_with_observations
from jobs.transitions.session_features import SESSION_LISTS, SESSION_SCALARS
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, events_frame, prepared

DAYS = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
NOW = at("12:00")
TYPES = ["impression"] * 5 + ["view", "click", "favorite", "cart", "purchase", "refund", "promotion"]

Seen = dict[tuple[str, Any, int, str], Any]


def random_log(seed: int) -> list[Row]:
    """Three days of twelve shoppers, dense enough for ties and sessions, some events delivered late."""
    rng = random.Random(seed)
    return [random_event(rng, f"{number:05d}") for number in range(900)]


def random_event(rng: random.Random, event_id: str) -> Row:
    day = rng.choice(DAYS)
    clock = f"{rng.choice([8, 11, 12, 23]):02d}:{rng.randrange(60):02d}:{rng.randrange(0, 60, 20):02d}"
    item = f"item {rng.randrange(9)}"
    return event(
        rng.choice(TYPES),
        clock,
        day=day,
        event_id=event_id,
        user_id=f"shopper {rng.randrange(12)}",
        item_id=rng.choice([item, item, None]),
        action=item,
        category_id=rng.choice(["feet", "head", "hands", None]),
        price=rng.choice([None, rng.randrange(10**9)]),
        propensity=Decimal("0.5"),
        delivery_date=day + timedelta(days=rng.choice([0, 0, 0, 1])),
    )


def all_features() -> Pipeline:
    features = [
        {"name": name, "length": 4 if known.kind == "list" else None} for name, known in OBSERVATION_FEATURES.items()
    ]
    return a_pipeline(observation=Observation.model_validate({"features": features, "history_days": 2}).model_dump())


def observe(spark: SparkSession, rows: list[Row], n_partitions: int = 2) -> tuple[Seen, StructType]:
    """The observation at every point, by shopper, time, rank and id; and its type."""
    before = str(spark.conf.get("spark.sql.shuffle.partitions"))
    spark.conf.set("spark.sql.shuffle.partitions", str(n_partitions))
    try:
        pipeline = all_features()
        sessions = prepared(spark, rows, pipeline).sessions
        points = points_with_observations(sessions, pipeline, DAYS)
        found = points.select("user_id", "event_time", "type_rank", "event_id", "is_closing", "observation")
        collected = found.collect()
        kind = found.schema["observation"].dataType
        assert isinstance(kind, StructType)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    seen = {
        (row["user_id"], row["event_time"], row["type_rank"], row["event_id"]): row["observation"].asDict()
        for row in collected
        if not row["is_closing"]
    }
    return seen, kind


@pytest.fixture(scope="module")
def base(spark: SparkSession) -> tuple[Seen, StructType]:
    return observe(spark, random_log(1))


@pytest.fixture(scope="module")
def shuffled(spark: SparkSession) -> Seen:
    rows = random_log(1)
    random.Random(2).shuffle(rows)
    return observe(spark, rows, n_partitions=7)[0]


@pytest.fixture(scope="module")
def other_future(spark: SparkSession) -> Seen:
    """The log with its events after NOW left out, changed, or replaced by others."""
    rng = random.Random(3)
    rows = []
    for row in random_log(1):
        if row["event_time"] <= NOW:
            rows.append(row)
        elif rng.random() < 0.6:
            changed = random_event(rng, row["event_id"])
            is_later = changed["event_time"] > NOW
            rows.append(changed if is_later else row)
    return observe(spark, rows)[0]


def up_to_now(seen: Seen) -> Seen:
    return {point: observation for point, observation in seen.items() if point[1] <= NOW.replace(tzinfo=None)}


def test_every_feature_is_made_by_exactly_one_function() -> None:
    """As its definition says: by delay in one of two modules, by kind in one of two dicts."""
    made: dict[tuple[str, str], Mapping[str, object]] = {
        ("scalar", "none"): SESSION_SCALARS,
        ("list", "none"): SESSION_LISTS,
        ("scalar", "delivery"): HISTORY_SCALARS,
        ("list", "delivery"): HISTORY_LISTS,
    }
    for (kind, delay), functions in made.items():
        defined = {name for name, known in OBSERVATION_FEATURES.items() if (known.kind, known.delay) == (kind, delay)}
        assert set(functions) == defined


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_has_the_type_it_is_defined_with(base: tuple[Seen, StructType], feature: str) -> None:
    """Whole numbers or lists of id hashes, never null, lists within their length."""
    seen, kind = base
    is_list = OBSERVATION_FEATURES[feature].kind == "list"
    values = [observation[feature] for observation in seen.values()]
    found = kind[feature].dataType
    assert isinstance(found.elementType if isinstance(found, ArrayType) else found, LongType)
    assert isinstance(found, ArrayType) == is_list
    assert all(value is not None for value in values)
    assert not is_list or max(len(value) for value in values) == 4 - (feature == "favorite_categories")


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_ignores_the_future(base: tuple[Seen, StructType], other_future: Seen, feature: str) -> None:
    """Whatever happens after noon, decisions up to noon have seen the same."""
    before, after = up_to_now(base[0]), up_to_now(other_future)
    assert len(before) > 100
    assert {point: seen[feature] for point, seen in before.items()} == {p: seen[feature] for p, seen in after.items()}


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_depends_on_no_order_and_no_partitioning(
    base: tuple[Seen, StructType], shuffled: Seen, feature: str
) -> None:
    """Rows shuffled, seven partitions instead of two."""
    assert {p: seen[feature] for p, seen in base[0].items()} == {p: seen[feature] for p, seen in shuffled.items()}


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_tells_decisions_apart(base: tuple[Seen, StructType], feature: str) -> None:
    """A feature that is the same everywhere would pass every other test here."""
    assert len({str(observation[feature]) for observation in base[0].values()}) > 1


def test_the_futures_differ(base: tuple[Seen, StructType], other_future: Seen) -> None:
    """Otherwise ignoring them would be easy."""
    assert set(base[0]) != set(other_future)


def test_random_log_holds_what_the_suite_is_about(spark: SparkSession) -> None:
    """Ties within one instant, late deliveries, and events on both sides of noon."""
    rows = random_log(1)
    instants = {(row["user_id"], row["event_time"]) for row in rows}
    assert len(instants) < len(rows)
    assert any(row["delivery_date"] > row["event_date"] for row in rows)
    assert {row["event_time"] > NOW for row in rows} == {True, False}
    assert events_frame(spark, rows).count() == 900
    assert date(2026, 1, 14) == DAY
