"""Which availability set was in force at a moment, as far as had been delivered by its business day."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.business_days import business_date


def with_set_in_force(
    points: DataFrame, availability: DataFrame | None, *, first_day: date, last_day: date, zone: str
) -> DataFrame:
    """Return the points say which set was in force at their moment, as `set_in_force`; null where none was known.

    Args:
        points: with `event_time` and `as_of_date`, no date outside first_day and last_day.
        availability: with its delivery_date; a set delivered after its own day is known from the delivery's day on.
            None where the source has none.
        first_day: first as-of date of the points.
        last_day: last as-of date of the points.
        zone: of the business days.
    """
    if availability is None:
        return points.withColumn("set_in_force", F.lit(None).cast("string"))
    spans = F.broadcast(_by_day(spans_in_force(availability, zone), first_day, last_day, zone))
    is_same_day = F.col("as_of_date") == F.col("day")
    has_begun = F.col("event_time") >= F.col("in_force_from")
    has_ended = F.coalesce(F.col("event_time") >= F.col("in_force_until"), F.lit(False))
    matched = points.join(spans, is_same_day & has_begun & ~has_ended, how="left")
    return matched.drop("day", "in_force_from", "in_force_until")


def spans_in_force(availability: DataFrame, zone: str) -> DataFrame:
    """Return when each set was in force: set_in_force, in_force_from, in_force_until (null: to this day).

    Of the sets known at a moment, the one valid from latest is in force; ties by the greater id.
    """
    sets = availability.groupBy("availability_id", "valid_from").agg(F.min("delivery_date").alias("delivery_date"))
    delivered_at = F.to_utc_timestamp(F.col("delivery_date").cast("timestamp"), zone)
    known = sets.withColumn("in_force_from", F.greatest("valid_from", delivered_at))
    # One ordered run over all sets: they are a small table, one row for each change of the shelf.
    in_sight = Window.orderBy("in_force_from", "valid_from", "availability_id")
    latest = F.max(F.struct("valid_from", "availability_id")).over(in_sight)
    ruling = known.withColumn("latest", latest).where(F.struct("valid_from", "availability_id") == F.col("latest"))
    return ruling.select(
        F.col("availability_id").alias("set_in_force"),
        "in_force_from",
        F.lead("in_force_from").over(in_sight).alias("in_force_until"),
    )


def _by_day(spans: DataFrame, first_day: date, last_day: date, zone: str) -> DataFrame:
    """Return one row per span and day it touches, so that a moment looks only at its own day's few spans."""
    first, last = F.lit(first_day), F.lit(last_day)
    start = F.greatest(business_date(F.col("in_force_from"), zone), first)
    end = F.least(F.coalesce(business_date(F.col("in_force_until"), zone), last), last)
    touched = spans.withColumns({"start": start, "end": end}).where("start <= end")
    return touched.withColumn("day", F.explode(F.sequence("start", "end"))).drop("start", "end")
