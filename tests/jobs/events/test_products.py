"""Events by product, and what is told of products, as the kernel takes it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.observation_features import id_hash
from jobs.events.products import ToldProducts, by_product

TOLD = pa.table(
    {
        "item_id": ["hat", "shoe", "hat", "scarf"],
        "valid_from": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)], pa.timestamp("us", "UTC")),
        "delivery_date": pa.array([date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]),
        "category_id": ["clothes", None, "hats", "clothes"],
        "price": pa.array([0, 5_000_000, None, 1], pa.int64()),
    }
)


def test_products_stand_in_the_place_of_shoppers(spark: SparkSession) -> None:
    """The shop's own events of a product are its events, too; what names no product is nobody's."""
    rows = [("ann", "hat"), ("", "hat"), ("ann", None)]
    events = by_product(spark.createDataFrame(rows, "user_id string, item_id string"))
    assert sorted(row["user_id"] for row in events.collect()) == ["", "hat", "hat"]


def test_what_is_told_goes_by_the_partition_s_products() -> None:
    """Products are numbered as they stand; prices are one more, so that none is nothing, and none takes one back."""
    facts = ToldProducts(TOLD).of_units(pa.chunked_array([["shoe", "shoe", "hat"]]))
    assert facts.prices.key.tolist() == [1, 0]
    assert facts.prices.value.tolist() == [1, 5_000_001]
    assert facts.categories.key.tolist() == [1, 0, 1]
    assert facts.categories.value.tolist() == [id_hash("clothes"), 0, id_hash("hats")]
    assert facts.categories.delivery_day.tolist() == [20453, 20454, 20455]


def test_a_partition_without_known_products_is_told_nothing() -> None:
    """Nor is one without rows."""
    for keys in ([["cap"]], [[]]):
        facts = ToldProducts(TOLD).of_units(pa.chunked_array(keys, pa.string()))
        assert len(facts.prices) == len(facts.categories) == 0
