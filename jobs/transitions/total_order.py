"""The total order of a shopper's events as windows: what stands before a row, within the shopper or less."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from conf.event_types import EVENT_TYPE_RANK
from jobs.event_order import type_rank

TOTAL_ORDER = ("event_time", "type_rank", "event_id")

# A closing row stands behind every event of its instant.
CLOSING_RANK = 1 + max(EVENT_TYPE_RANK.values())


def with_type_rank(events: DataFrame) -> DataFrame:
    """Return the events carry their type's rank, so that sorting by it is done once and recognized later."""
    return events.withColumn("type_rank", type_rank(F.col("event_type")))


def in_total_order(*within: str) -> WindowSpec:
    """Return rows of one shopper that share the given columns, in the total order.

    The shopper always comes first, so that one shuffle by shopper serves every window.
    """
    return Window.partitionBy("user_id", *within).orderBy(*TOTAL_ORDER)


def earlier(*within: str) -> WindowSpec:
    """Return rows before the current one in the total order, without it."""
    return in_total_order(*within).rowsBetween(Window.unboundedPreceding, -1)


def whole_seconds(start: Column, end: Column) -> Column:
    """Return whole seconds from start to end.

    >>> times = spark.sql("SELECT TIMESTAMP '2026-01-31 08:00:00' AS a, TIMESTAMP '2026-01-31 08:01:00.999999' AS b")
    >>> times.select(whole_seconds(F.col("a"), F.col("b")).alias("seconds")).show()
    +-------+
    |seconds|
    +-------+
    |     60|
    +-------+
    <BLANKLINE>
    """
    return F.timestamp_diff("SECOND", start, end)
