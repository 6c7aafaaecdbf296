"""Which decision earned a reward event, and where reward goes that none earned."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.scenario import Pipeline, Scenario
from jobs.transitions.decisions import reward_link
from jobs.transitions.total_order import earlier

ATTRIBUTED = "attributed"


def look_back_days(scenario: Scenario) -> int:
    """Return how many business days before an event its decision is looked for, and a day's history reaches.

    Bounded, so that a partition needs a bounded number of days: a decision beyond them counts as not there.
    """
    window_days = -(-scenario.reward.attribution.window_hours // 24)
    return max(scenario.observation.history_days, window_days + 1, 2)


def attribute(events: DataFrame, pipeline: Pipeline) -> DataFrame:
    """Return the events that rewards or metrics count, each with its decision or the reason why it has none.

    Args:
        events: with the columns of `with_decisions` and sessions.
        pipeline: link and window.

    Returns:
        user_id, event_date, event_type, outcome (`attributed` or a residual's name), decision_event_id and
        decision_session_date (null unless attributed). The decision is the latest earlier one with the same link, so
        each event has at most one.
    """
    counted = _counted_types(pipeline.scenario)
    linked = events.withColumn("link", reward_link(pipeline))
    own = F.struct("event_id", "event_time", "event_date", "session_date")
    touch = F.last(F.when(F.col("is_decision"), own), ignorenulls=True).over(earlier("link"))
    touched = linked.where(F.col("is_decision") | F.col("event_type").isin(*counted)).withColumn("touch", touch)
    outcome = _outcome(pipeline)
    is_attributed = F.col("outcome") == ATTRIBUTED
    return (
        touched.where(F.col("event_type").isin(*counted))
        .withColumn("outcome", outcome)
        .select(
            "user_id",
            "event_date",
            "event_type",
            "outcome",
            F.when(is_attributed, F.col("touch.event_id")).alias("decision_event_id"),
            F.when(is_attributed, F.col("touch.session_date")).alias("decision_session_date"),
        )
    )


def unattributable(events: DataFrame, pipeline: Pipeline) -> DataFrame:
    """The shop's own events among those counted: no shopper's decision can have led to them; as `attribute` returns."""
    return events.where(F.col("event_type").isin(*_counted_types(pipeline.scenario))).select(
        "user_id",
        "event_date",
        "event_type",
        _outcome_without_decision(pipeline).alias("outcome"),
        F.lit(None).cast("string").alias("decision_event_id"),
        F.lit(None).cast("date").alias("decision_session_date"),
    )


def credits_of(attributed: DataFrame, scenario: Scenario) -> DataFrame:
    """What each decision earned: user_id, decision_event_id, reward (millionths), metrics; one row a decision."""
    earned = attributed.where(F.col("outcome") == ATTRIBUTED)
    metrics = [F.count_if(F.col("event_type") == kind).alias(name) for name, kind in scenario.metrics.items()]
    return earned.groupBy("user_id", "decision_event_id").agg(
        F.sum(reward_millionths(scenario.reward.weight_millionths)).alias("reward"),
        F.struct(*metrics or [F.count_if(F.lit(False)).alias("none")]).alias("metrics"),
    )


def no_metrics(scenario: Scenario) -> Column:
    """Return the metrics of a decision that earned nothing."""
    return F.struct(*[F.lit(0).cast("bigint").alias(name) for name in [*scenario.metrics] or ["none"]])


def reward_millionths(weights: Mapping[str, int]) -> Column:
    """Return what an event of the row's type is worth; 0 for types without weight."""
    worth = F.lit(0).cast("bigint")
    for event_type, weight in weights.items():
        worth = F.when(F.col("event_type") == event_type, F.lit(weight).cast("bigint")).otherwise(worth)
    return worth


def _outcome(pipeline: Pipeline) -> Column:
    attribution = pipeline.scenario.reward.attribution
    window = F.make_dt_interval(hours=F.lit(attribution.window_hours))
    days_back = F.date_sub("event_date", look_back_days(pipeline.scenario))
    touch = F.col("touch")
    # A link of null ties to nothing, though the window groups such rows.
    has_touch = F.col("link").isNotNull() & touch.isNotNull() & (touch["event_date"] >= days_back)
    is_in_time = F.col("event_time") <= touch["event_time"] + window
    too_late = F.when(has_touch, "outside_attribution_window").otherwise(_outcome_without_decision(pipeline))
    return F.when(has_touch & is_in_time, ATTRIBUTED).otherwise(too_late)


def _outcome_without_decision(pipeline: Pipeline) -> Column:
    by_id = F.lit(pipeline.scenario.reward.attribution.link == "decision_id")
    names_decision = by_id & F.col("decision_id").isNotNull()
    return F.when(names_decision, "unknown_decision").otherwise("no_earlier_decision")


def _counted_types(scenario: Scenario) -> list[str]:
    return sorted({*scenario.reward.weights, *scenario.metrics.values()})
