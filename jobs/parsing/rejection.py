"""Every parsed line is judged: accepted, or rejected for the first reason that applies, in the contract's order."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.specs.source import Source


def judge(parsed: DataFrame, source: Source) -> DataFrame:
    """Return the lines with `reason` (null: accepted) also for what only other lines show, and `event_id` set.

    `parsed` has the columns of `PARSED_SCHEMA`.
    """
    numbered = parsed.withColumn("_occurrence", _occurrence())
    if source.duplicates == "reject":
        is_repeat = F.col("reason").isNull() & (F.col("_occurrence") > 0)
        numbered = numbered.withColumn("reason", F.when(is_repeat, F.lit("duplicate")).otherwise(F.col("reason")))
    return _reject_bots(numbered, source).withColumn(
        "event_id", event_id_of(F.col("event_id"), F.col("line_hash"), F.col("_occurrence"))
    )


def event_id_of(given: Column, line_hash: Column, occurrence: Column) -> Column:
    """Return the id of a line's event: the given one or the line's hash, and `#k` for its k-th repetition.

    A `#` in a given id is doubled, so that no given id looks like a repetition's.
    """
    base = F.coalesce(F.replace(given, F.lit("#"), F.lit("##")), line_hash)
    return F.when(occurrence > 0, F.concat(base, F.lit("#"), occurrence.cast("string"))).otherwise(base)


def part_id(event_id: Column, part: Column) -> Column:
    """Return the id of a further event read off the same line: `#k.part`, with k = 0 unless the line is repeated."""
    has_suffix = F.regexp_replace(event_id, "##", "").contains("#")
    suffix = F.concat(F.lit("."), part.cast("string"))
    return F.concat(event_id, F.when(has_suffix, F.lit("")).otherwise(F.lit("#0")), suffix)


def _occurrence() -> Column:
    """Return how many acceptable lines with the same identity stand before this one in the delivery, from 0.

    Identical lines are interchangeable; lines that share a given id stand by their hash. So the order in which they
    were delivered doesn't matter.
    """
    identity = F.coalesce(F.concat(F.lit("given "), F.col("event_id")), F.col("line_hash"))
    same = Window.partitionBy("delivery_date", F.col("reason").isNull(), identity)
    return F.row_number().over(same.orderBy("line_hash", "file", "line_number")) - 1


def _reject_bots(lines: DataFrame, source: Source) -> DataFrame:
    """Reject all events of a shopper's delivery once any clock hour holds more than the rule allows."""
    if source.bots is None:
        return lines
    is_candidate = F.col("reason").isNull() & (F.coalesce(F.col("user_id"), F.lit("")) != "")
    hour = F.date_trunc("hour", F.col("event_time"))
    in_hour = Window.partitionBy("delivery_date", "user_id", hour)
    in_delivery = Window.partitionBy("delivery_date", "user_id")
    counted = lines.withColumn("_in_hour", F.count_if(is_candidate).over(in_hour))
    peaked = counted.withColumn("_peak", F.max("_in_hour").over(in_delivery)).drop("_in_hour")
    is_bot = is_candidate & (F.col("_peak") > source.bots.max_events_per_hour)
    return peaked.withColumn("reason", F.when(is_bot, F.lit("bot_rate")).otherwise(F.col("reason"))).drop("_peak")
