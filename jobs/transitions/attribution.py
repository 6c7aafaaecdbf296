"""Where the reward goes that no shopper's decision can have earned, and what events are worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.kernel_rules import attribution_rule
from conf.specs.scenario import Pipeline, Scenario


def look_back_days(scenario: Scenario) -> int:
    """Return how many business days before an event its decision may lie; a day's history reaches as far.

    Bounded, so that a partition needs a bounded number of days: a decision beyond them counts as not there.
    """
    return attribution_rule(scenario).look_back_days


def unattributable(events: DataFrame, pipeline: Pipeline) -> list[tuple[date, str, str, date | None, int]]:
    """Return how many of the shop's own events are counted: no shopper's decision can have led to them.

    By business day, type and residual; as `tallies.outcomes` tells those of shoppers.
    """
    counted = attribution_rule(pipeline.scenario).counted
    own = events.where((F.col("user_id") == "") & F.col("event_type").isin(*counted))
    grouped = own.groupBy("event_date", "event_type", _residual(pipeline).alias("outcome")).count()
    return [(row["event_date"], row["event_type"], row["outcome"], None, row["count"]) for row in grouped.collect()]


def reward_millionths(weights: Mapping[str, int]) -> Column:
    """Return what an event of the row's type is worth; 0 for types without weight."""
    worth = F.lit(0).cast("bigint")
    for event_type, weight in weights.items():
        worth = F.when(F.col("event_type") == event_type, F.lit(weight).cast("bigint")).otherwise(worth)
    return worth


def _residual(pipeline: Pipeline) -> Column:
    by_id = F.lit(pipeline.scenario.reward.attribution.link == "decision_id")
    names_decision = by_id & F.col("decision_id").isNotNull()
    return F.when(names_decision, "unknown_decision").otherwise("no_earlier_decision")
