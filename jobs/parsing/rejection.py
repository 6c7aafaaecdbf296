"""Every parsed line is judged: accepted, or rejected for the first reason that applies, in the contract's order."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.specs.source import Source

# More lines than this that aren't alone with their identity are numbered where they lie, among all others.
_MOST_COLLECTED = 200_000

_PLACE = ("delivery_date", "file", "line_number")


def with_reasons(parsed: DataFrame, source: Source) -> DataFrame:
    """Return the lines with `reason` (null: accepted) also for what only other lines show, and `event_id` set.

    It asks Spark which lines stand more than once: keep the lines before, so that they aren't parsed again.

    Args:
        parsed: columns of `PARSED_SCHEMA`.
        source: says what repetitions and bots are.
    """
    numbered = _numbered(parsed)
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


def _numbered(parsed: DataFrame) -> DataFrame:
    """Return the lines with `_occurrence`.

    Nearly all lines are alone with their identity. Only the others are brought together and numbered: shuffling whole
    lines for them would cost more than parsing.
    """
    same = F.xxhash64("delivery_date", F.col("reason").isNull(), _identity())
    repeated = parsed.groupBy(same.alias("_same")).count().where("count > 1")
    n_lines = repeated.agg(F.coalesce(F.sum("count"), F.lit(0))).collect()[0][0]
    if n_lines == 0:
        return parsed.withColumn("_occurrence", F.lit(0))
    if n_lines > _MOST_COLLECTED:
        return parsed.withColumn("_occurrence", _occurrence())
    together = parsed.join(F.broadcast(repeated), same == F.col("_same"), "leftsemi")
    later = together.select(*_PLACE, _occurrence().alias("_later")).where("_later > 0").toArrow()
    if not later.num_rows:
        return parsed.withColumn("_occurrence", F.lit(0))
    found = parsed.sparkSession.createDataFrame(later)
    return (
        parsed.join(F.broadcast(found), list(_PLACE), "left")
        .withColumn("_occurrence", F.coalesce("_later", F.lit(0)))
        .drop("_later")
    )


def _identity() -> Column:
    return F.coalesce(F.concat(F.lit("given "), F.col("event_id")), F.col("line_hash"))


def _occurrence() -> Column:
    """Return how many acceptable lines with the same identity stand before this one in the delivery, from 0.

    Identical lines are interchangeable; lines that share a given id stand by their hash. So the order in which they
    were delivered doesn't matter.
    """
    same = Window.partitionBy("delivery_date", F.col("reason").isNull(), _identity())
    return F.row_number().over(same.orderBy("line_hash", "file", "line_number")) - 1


def _reject_bots(lines: DataFrame, source: Source) -> DataFrame:
    """Reject all events of a shopper's delivery once any clock hour holds more than the rule allows."""
    if source.bots is None:
        return lines
    is_candidate = F.col("reason").isNull() & (F.coalesce(F.col("user_id"), F.lit("")) != "")
    in_hour = lines.where(is_candidate).groupBy("delivery_date", "user_id", F.date_trunc("hour", F.col("event_time")))
    busy = in_hour.count().where(F.col("count") > source.bots.max_events_per_hour)
    bots = busy.select("delivery_date", "user_id").distinct().withColumn("_is_bot", F.lit(True))
    marked = lines.join(F.broadcast(bots), ["delivery_date", "user_id"], "left")
    is_bot = is_candidate & F.coalesce("_is_bot", F.lit(False))
    return marked.withColumn("reason", F.when(is_bot, F.lit("bot_rate")).otherwise(F.col("reason"))).drop("_is_bot")
