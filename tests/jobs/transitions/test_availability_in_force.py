"""Which set was in force when, as far as was known."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.business_days import business_date
from jobs.transitions.availability_in_force import with_set_in_force
from tests.jobs.transitions.shop_events import DAY, Row, at, availability_frame, available

YESTERDAY, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)


def in_force(
    spark: SparkSession, sets: list[Row], moments: list[tuple[str, date]], zone: str = "UTC"
) -> list[str | None]:
    """The set in force at each moment."""
    points = spark.createDataFrame(
        [(n, at(*moment)) for n, moment in enumerate(moments)], "n int, event_time timestamp"
    )
    dated = points.withColumn("as_of_date", business_date(F.col("event_time"), zone))
    known = availability_frame(spark, sets)
    found = with_set_in_force(dated, known, first_day=YESTERDAY, last_day=TOMORROW, zone=zone).orderBy("n").collect()
    assert len(found) == len(moments)
    return [row["set_in_force"] for row in found]


def test_latest_set_is_in_force_until_the_next(spark: SparkSession) -> None:
    """From its own instant on; before the first there is none; the last holds over days."""
    sets = [available("a", "08:00", day=YESTERDAY, delivery_date=YESTERDAY), available("b", "12:00")]
    moments = [
        ("07:59:59.999999", YESTERDAY),
        ("08:00", YESTERDAY),
        ("11:59", DAY),
        ("12:00", DAY),
        ("23:00", TOMORROW),
    ]
    assert in_force(spark, sets, moments) == [None, "a", "a", "b", "b"]


def test_late_set_is_known_from_its_deliverys_day_on(spark: SparkSession) -> None:
    """Yesterday's set came with today's delivery; a newer one that was known isn't displaced by it."""
    early = available("early", "08:00", day=YESTERDAY, delivery_date=YESTERDAY)
    late = available("late", "10:00", day=YESTERDAY, delivery_date=DAY)
    newer = available("newer", "11:00", day=YESTERDAY, delivery_date=YESTERDAY)
    moments = [("10:30", YESTERDAY), ("00:00", DAY)]
    assert in_force(spark, [early, late], moments) == ["early", "late"]
    assert in_force(spark, [early, late, newer], moments) == ["early", "newer"]


def test_sets_of_one_instant_are_settled_by_id(spark: SparkSession) -> None:
    """The greater id, in whatever order they come."""
    both = [available("a", "08:00"), available("b", "08:00")]
    assert in_force(spark, both, [("09:00", DAY)]) == in_force(spark, both[::-1], [("09:00", DAY)]) == ["b"]


def test_set_that_comes_back_is_in_force_again(spark: SparkSession) -> None:
    """An id may stand at several times."""
    sets = [available("a", "08:00"), available("b", "09:00"), available("a", "10:00")]
    assert in_force(spark, sets, [("08:30", DAY), ("09:30", DAY), ("10:30", DAY)]) == ["a", "b", "a"]


def test_days_are_the_business_zones(spark: SparkSession) -> None:
    """A set delivered with Wednesday is known from Wednesday's start in Tokyo, Tuesday 15:00 UTC."""
    sets = [available("a", "10:00", day=YESTERDAY, delivery_date=DAY)]
    assert in_force(spark, sets, [("14:59", YESTERDAY), ("15:00", YESTERDAY)], zone="Asia/Tokyo") == [None, "a"]
