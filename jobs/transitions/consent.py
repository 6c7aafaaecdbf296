"""Whether a shopper had consented to being learned from, as of each event."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.specs.scenario import Pipeline
from jobs.events.event_columns import HAS_CONSENT


def with_consent(events: DataFrame, consent: DataFrame, pipeline: Pipeline) -> DataFrame:
    """Return the events with `has_consent`: what the shopper's latest row says that held then.

    Without one it is what the source's `consent.unlisted` says.

    What is delivered after the event's partition is sealed comes too late for it.

    Args:
        events: with event_date.
        consent: all deliveries of the table, with delivery_date.
        pipeline: says when partitions are sealed, and what holds for those whom no row names.
    """
    said = F.struct("valid_from", "delivery_date", (~F.col("is_given")).alias("is_taken_back"))
    told = consent.groupBy("user_id").agg(F.array_sort(F.collect_list(said)).alias("_told"))
    # A session's events lie on its first business day or the next one.
    last = F.date_add("event_date", pipeline.settle_days - 1)
    held = F.filter("_told", lambda one: (one["valid_from"] <= F.col("event_time")) & (one["delivery_date"] <= last))
    # Of rows that say both of one moment, the one that takes it back stands last.
    given = ~F.try_element_at(held, F.lit(-1))["is_taken_back"]
    takes_unlisted = pipeline.source.consent is not None and pipeline.source.consent.takes_unlisted
    joined = events.join(told, "user_id", how="left")
    return joined.withColumn(HAS_CONSENT, F.coalesce(given, F.lit(takes_unlisted))).drop("_told")
