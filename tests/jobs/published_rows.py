"""Published tables as Spark reads them, for tests to look into."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, SparkSession

from conf.paths import Lake, path_date
from conf.publication import read_pointers
from conf.tables import EVENTS_REJECTED, ITEMS, SESSIONS
from jobs.events.events_reading import read_deliveries, read_earliest, read_files


def read_sessions(spark: SparkSession, lake: Lake, *, first_date: date, last_date: date) -> DataFrame:
    """Return the current sessions that started on the days: columns of the table, and date."""
    files = [
        file
        for partition, pointer in read_pointers(lake.table(SESSIONS.name)).items()
        if first_date <= path_date(partition, "date") <= last_date
        for file in pointer.files
    ]
    return read_files(spark, SESSIONS, lake.table(SESSIONS.name), files, ("date",))


def read_rejected(spark: SparkSession, lake: Lake, *, last_delivery_date: date) -> DataFrame:
    """Return the rejected lines of the deliveries: columns of the table, and delivery_date."""
    return read_deliveries(spark, EVENTS_REJECTED, lake, last_delivery_date)


def read_items(spark: SparkSession, lake: Lake, *, last_delivery_date: date) -> DataFrame:
    """Return the items as delivered, the earliest delivery of each key: columns of the table, and delivery_date."""
    return read_earliest(spark, ITEMS, lake, last_delivery_date)
