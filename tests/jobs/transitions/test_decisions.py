"""What decisions chose and showed, and what ties rewards to them."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.observation_features import id_hash
from conf.scenario import Pipeline
from jobs.transitions.decisions import reward_link, with_decisions
from tests.jobs.transitions.shop_events import Row, a_pipeline, event, events_frame, implied_pipeline, impression, view

BY_CATEGORY: dict[str, Any] = {"action": {"key": "category"}}


def marked(spark: SparkSession, row: Row, pipeline: Pipeline) -> dict[str, Any]:
    frame = with_decisions(events_frame(spark, [row]), pipeline).withColumn("link", reward_link(pipeline))
    return (
        frame.select(
            "is_decision", "is_engagement", "action_key", "item", "category", "shown_item", "shown_category", "link"
        )
        .collect()[0]
        .asDict()
    )


def test_logged_decision_chooses_its_action_and_shows_the_actions_item(spark: SparkSession) -> None:
    """`action` names what was chosen, whatever item the line is about."""
    found = marked(spark, impression(action="shoe", item_id="slot 3", decision_id="d1"), a_pipeline())
    assert (found["action_key"], found["shown_item"]) == ("shoe", id_hash("shoe"))
    assert (found["is_decision"], found["is_engagement"], found["link"]) == (True, False, "d1")


def test_logged_decision_without_action_falls_back_to_its_item_and_its_own_id(spark: SparkSession) -> None:
    """Without `action` the item was chosen; without `decision_id` the event's id names the decision."""
    row = impression(item_id="hat") | {"action": None, "event_id": "line 7"}
    found = marked(spark, row, a_pipeline())
    assert (found["action_key"], found["shown_item"], found["link"]) == ("hat", id_hash("hat"), "line 7")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (impression(action="shoe", category_id="feet"), "feet"),
        (impression(action="feet", category_id=None), "feet"),
    ],
)
def test_logged_category_decision_chooses_the_category_or_else_the_action(
    spark: SparkSession, row: Row, expected: str
) -> None:
    """An action beside a category is an item of it; alone it is the category."""
    assert marked(spark, row, a_pipeline(**BY_CATEGORY))["action_key"] == expected


def test_implied_decision_is_about_its_own_item_or_category(spark: SparkSession) -> None:
    """A view read as a decision chose what was viewed, and is an engagement, too."""
    by_item = marked(spark, view(item="hat"), implied_pipeline())
    by_category = marked(spark, view(item="hat"), implied_pipeline(**BY_CATEGORY))
    assert (by_item["action_key"], by_item["link"], by_item["is_engagement"]) == ("hat", "hat", True)
    assert (by_category["action_key"], by_category["link"]) == ("head", "head")
    assert (by_category["shown_item"], by_category["shown_category"]) == (id_hash("hat"), id_hash("head"))


def test_event_that_is_no_decision_shows_nothing(spark: SparkSession) -> None:
    """A purchase has an item and a link, but no action."""
    found = marked(spark, event("purchase", item_id="shoe", category_id="feet"), implied_pipeline())
    assert (found["action_key"], found["shown_item"], found["shown_category"]) == (None, None, None)
    assert (found["item"], found["category"], found["link"]) == (id_hash("shoe"), id_hash("feet"), "shoe")


def test_unnamed_decision_links_nothing(spark: SparkSession) -> None:
    """An event that names no decision has no link, not the link of its own id."""
    frame = with_decisions(events_frame(spark, [event("click", item_id="shoe")]), a_pipeline())
    assert frame.where(reward_link(a_pipeline()).isNotNull()).count() == 0
    assert frame.where(F.col("is_decision")).count() == 0
