"""Days as the shop counts them: calendar days in the source's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F


def business_date(moment: Column, zone: str) -> Column:
    """Return the business date of a UTC timestamp, as a date.

    >>> moments = spark.sql("SELECT TIMESTAMP '2017-11-24 16:00:00' AS t")
    >>> moments.select(business_date(F.col("t"), "Asia/Shanghai").alias("day")).show()
    +----------+
    |       day|
    +----------+
    |2017-11-25|
    +----------+
    <BLANKLINE>
    """
    return F.to_date(F.from_utc_timestamp(moment, zone))


def start_of_day(day: date, zone: str) -> datetime:
    """Return when the business day starts, as an aware UTC time."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def days_between(first: date, last: date) -> list[date]:
    """Return all days from first to last, both included; none where last is before first."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
