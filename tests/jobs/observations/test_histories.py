"""What shoppers did on each day, as published for serving."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.errors import SpecError
from conf.kernel.calendar import day_number
from conf.observation_features import id_hash
from conf.publication import read_pointers
from conf.specs.spec_hash import data_spec_hash
from conf.tables import HISTORIES
from jobs.commands.observe import observe
from jobs.errors import DeliveryError
from jobs.events.events_reading import read_files
from jobs.observations.histories import HistoryJob
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, event, events_table, impression, view


def day(n_back: int) -> date:
    return DAY - timedelta(days=n_back)


def counted(user_id: str, n_back: int, category: str | None, *numbers: int, visible_back: int) -> tuple[Any, ...]:
    return (user_id, day(n_back), day(visible_back), 0 if category is None else id_hash(category), *numbers)


EVENTS: list[Row] = [
    impression(day=day(7), user_id="regular"),
    view(day=day(3), user_id="regular"),
    event("click", day=day(3), user_id="regular", category_id="head"),
    event("purchase", day=day(3), user_id="regular", category_id="head"),
    view(day=day(2), user_id="late", delivery_date=day(1)),
    event("view", day=day(2), user_id="late"),
    event("stock", day=day(2), user_id=""),
]
# Clicks and views, purchases, engagements of each shopper, day and category.
ROWS = {
    counted("regular", 7, "feet", 0, 0, 0, visible_back=6),
    counted("regular", 3, "feet", 1, 0, 1, visible_back=2),
    counted("regular", 3, "head", 1, 1, 2, visible_back=2),
    counted("late", 2, None, 1, 0, 1, visible_back=1),
    counted("late", 2, "feet", 1, 0, 1, visible_back=0),
}


def values(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in HISTORIES.column_names) for row in rows]


def test_a_day_is_counted_by_category_from_when_it_was_delivered() -> None:
    """One row for each shopper, day, delivery and category; an impression alone is a visit that counts nothing."""
    found = HistoryJob(day_number(DAY))(events_table(EVENTS)).to_pylist()
    assert sorted(values(found)) == sorted(ROWS)
    assert {row["as_of"] for row in found} == {DAY}


def test_observe_publishes_what_was_delivered_before_the_day(spark: SparkSession, tmp_path: Path) -> None:
    """Days before history, and deliveries of the day itself, are left out; a repeat changes nothing."""
    pipeline = a_pipeline()
    shop = DeliveredShop(spark, tmp_path, pipeline)
    too_late, too_old = view(day=day(1), user_id="new", delivery_date=DAY), view(day=day(8), user_id="gone")
    shop.deliver([*EVENTS, too_late, too_old])
    result = observe(spark, shop.settings, pipeline, DAY)
    folder = shop.lake.histories("recommendation", data_spec_hash(pipeline))
    (pointer,) = read_pointers(folder).values()
    published = read_files(spark, HISTORIES, folder, pointer.files, ("as_of",))
    assert sorted(values([row.asDict() for row in published.collect()])) == sorted(ROWS)
    assert (result["n_shoppers"], result["n_rows"], result["content_hash"]) == (2, 5, pointer.manifest.content_hash)
    assert pointer.manifest.horizon == day(1)
    assert observe(spark, shop.settings, pipeline, DAY)["content_hash"] == result["content_hash"]
    assert set(read_pointers(folder)) == {f"as_of={DAY}"}


def test_a_day_after_one_that_was_not_delivered_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """Shoppers would be taken for ones that didn't come: the message says which day is missing."""
    shop = DeliveredShop(spark, tmp_path, a_pipeline())
    shop.deliver([view(day=day(3))])
    with pytest.raises(DeliveryError, match=f"no events were ingested of {day(1)}.*the last deliveries are {day(3)}"):
        observe(spark, shop.settings, shop.pipeline, DAY)


def test_what_no_request_can_ask_for_is_not_published(spark: SparkSession, tmp_path: Path) -> None:
    """Features that the service would make of the running session alone."""
    pipeline = a_pipeline(observation={"features": [{"name": "n_purchases_7d"}]})
    shop = DeliveredShop(spark, tmp_path, pipeline)
    with pytest.raises(SpecError, match="observes n_purchases_7d"):
        observe(spark, shop.settings, pipeline, DAY)
