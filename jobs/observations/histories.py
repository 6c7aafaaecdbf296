"""Events of whole shoppers become what they did on each day, by the kernel: rows of the histories table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.kernel.arrays import IntArray
from conf.kernel.calendar import day_number
from conf.kernel.daily_counts import daily_counts
from conf.kernel.told import Told
from conf.tables import ATTRIBUTES, HISTORIES
from jobs.events.event_columns import SESSION_COLUMNS, event_columns
from jobs.events.ordered_partitions import by_shopper
from jobs.events.shopper_files import ShopperFiles
from jobs.publishing.table_schema import struct_of

COUNTED_COLUMNS = (*SESSION_COLUMNS, "item_id", "category_id", "action", "price")
"""Columns of the events table that histories are made of."""


def histories_of(
    events: DataFrame | ShopperFiles, *, as_of: date, n_partitions: int = 0, items: Told | None = None
) -> DataFrame:
    """Return what each shopper did on each day: the columns of the histories table, and as_of.

    Args:
        events: accepted events, each once, of the days that history looks back on, as delivered before the day.
        as_of: the day for whose decisions it is known.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
        items: categories of items, for events that name none; None where they have none then.
    """
    schema = struct_of(f"{HISTORIES.ddl}, as_of date")
    job = HistoryJob(day_number(as_of), items)
    return by_shopper(events, COUNTED_COLUMNS, job, schema, n_partitions=n_partitions)


def attributes_of(told: DataFrame, *, as_of: date) -> DataFrame:
    """Return what was told of shoppers: the columns of the attributes table, and as_of.

    Args:
        told: user_id, attribute, valid_from, delivery_date and value.
        as_of: the day for whose decisions it is known.
    """
    named = told.withColumnRenamed("delivery_date", "delivered").withColumn("as_of", F.lit(as_of))
    return named.select(*ATTRIBUTES.column_names, "as_of")


@dataclass(frozen=True)
class HistoryJob:
    """What is done with the events of a partition's shoppers; it travels to the workers.

    Attributes:
        as_of_day: days since the epoch.
        items: categories of items, for events that name none; None where they have none then.
    """

    as_of_day: int
    items: Told | None = None

    def __call__(self, events: pa.Table) -> pa.Table:
        """Return the columns of the histories table, and as_of.

        Args:
            events: COUNTED_COLUMNS of whole shoppers, by shopper in the total order.
        """
        stream = event_columns(events, items=self.items).stream
        daily = daily_counts(stream)
        shoppers = events["user_id"].combine_chunks().take(pa.array(stream.starts[:-1]))
        return pa.table(
            {
                "user_id": shoppers.take(pa.array(daily.unit)),
                "day": _dates(daily.day),
                "visible_from": _dates(daily.visible_from),
                "category_hash": pa.array(daily.category),
                "n_clicks": pa.array(daily.n_clicks),
                "n_purchases": pa.array(daily.n_purchases),
                "n_engagements": pa.array(daily.n_engagements),
                "as_of": _dates(np.full(len(daily), self.as_of_day, dtype=np.int64)),
            }
        )


def _dates(days: IntArray) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())
