"""Events by product instead of by shopper, and what the items table told of products: for decisions on products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.kernel.product_features import ProductFacts
from conf.kernel.told import Told
from jobs.events.column_numbers import days, id_hashes, micros, whole
from jobs.events.event_columns import SHOPPER

PRODUCT_FACT_COLUMNS = ("item_id", "valid_from", "delivery_date", "category_id", "price")
"""Columns of the items table that features of products are made of."""


def by_product(events: DataFrame) -> DataFrame:
    """Return the events with their item in the place of the shopper; empty, and so of nobody, where they name none.

    All that follows takes products for the units that decisions are about, and parts, sorts and counts by them. The
    shopper stands in SHOPPER, null where there is none.
    """
    told = events.withColumn(SHOPPER, F.nullif(F.col("user_id"), F.lit("")))
    return told.withColumn("user_id", F.coalesce(F.col("item_id"), F.lit("")))


@dataclass(frozen=True)
class ToldProducts:
    """What was told of products: PRODUCT_FACT_COLUMNS of the items table, all of its rows."""

    rows: pa.Table

    def of_units(self, unit_keys: pa.ChunkedArray) -> ProductFacts:
        """Return what was told of the products of a partition, by their number as they stand there.

        Args:
            unit_keys: the product of each row, those of a product together.
        """
        units = pc.unique(unit_keys)
        rows = self.rows.filter(pc.is_in(self.rows["item_id"], value_set=units))
        unit = whole(pc.index_in(rows["item_id"], value_set=units).cast(pa.int64()))
        since, told = micros(rows["valid_from"]), days(rows["delivery_date"])
        # A row that tells no price takes none back.
        is_priced = np.asarray(rows["price"].is_valid())
        price = whole(pc.fill_null(rows["price"], 0)) + 1
        return ProductFacts(
            prices=Told(unit[is_priced], since[is_priced], told[is_priced], price[is_priced]),
            categories=Told(unit, since, told, id_hashes(rows["category_id"])),
        )
