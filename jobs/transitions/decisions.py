"""Which events are decisions, what they chose, and what they showed; which events show a shopper's interest."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.event_types import ENGAGEMENT_TYPES
from conf.scenario import Pipeline
from jobs.id_hash import id_hash


def with_decisions(events: DataFrame, pipeline: Pipeline) -> DataFrame:
    """Every event says whether it is a decision, and what features may know of it.

    New columns: `is_decision`, `is_engagement`, `action_key` (null where no decision), and id hashes
    `item`, `category`, `shown_item`, `shown_category` (the last two null where no decision).
    """
    is_decision = F.col("event_type") == pipeline.source.decisions.event_type
    marked = events.withColumns(
        {
            "is_decision": is_decision,
            "is_engagement": F.col("event_type").isin(*ENGAGEMENT_TYPES),
            "action_key": F.when(is_decision, action_key(pipeline)),
            "item": id_hash(F.col("item_id")),
            "category": id_hash(F.col("category_id")),
        }
    )
    return marked.withColumns(
        {
            "shown_item": F.when(F.col("is_decision"), _shown_item(pipeline)),
            "shown_category": F.when(F.col("is_decision"), F.col("category")),
        }
    )


def action_key(pipeline: Pipeline) -> Column:
    """Return the natural key of what a decision chose.

    A logged category decision may name its category in `action` alone; an `action` beside a category is finer than
    the category (an item), so the category comes first.
    """
    if pipeline.scenario.action.key == "item":
        return F.coalesce("action", "item_id")
    return F.coalesce("category_id", "action") if pipeline.is_logged else F.col("category_id")


def reward_link(pipeline: Pipeline) -> Column:
    """Return what ties an event to a decision: equal on both; null where the event names nothing."""
    if pipeline.scenario.reward.attribution.link == "decision_id":
        return F.when(F.col("is_decision"), decision_id()).otherwise(F.col("decision_id"))
    touched = F.col("item_id") if pipeline.scenario.action.key == "item" else F.col("category_id")
    return F.when(F.col("is_decision"), F.col("action_key")).otherwise(touched)


def decision_id() -> Column:
    """Return the decision's id; the event's where the log gives none."""
    return F.coalesce("decision_id", "event_id")


def _shown_item(pipeline: Pipeline) -> Column:
    if pipeline.is_logged and pipeline.scenario.action.key == "item":
        return id_hash(F.col("action_key"))
    return F.col("item")
