"""What side tables told of shoppers and items, as transitions and observations need it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.kernel.told import Attributes, Told
from conf.observation_features import id_hash
from conf.observed_inputs import asks_products, table_inputs, told_tables
from conf.paths import Lake
from conf.specs.scenario import Pipeline
from conf.tables import ITEMS, SHOPPERS, Table
from jobs.events.column_numbers import by_value, days, id_hashes, micros, whole
from jobs.events.events_reading import read_earliest
from jobs.events.item_facts import FACT_COLUMNS, ItemFacts, item_facts
from jobs.events.products import PRODUCT_FACT_COLUMNS, ToldProducts

ATTRIBUTE = "told"
"""Column of rows that stand among a shopper's events and are none: what was told of the shopper."""

_ATTRIBUTE_FIELDS = ("attribute", "valid_from", "delivery_date", "value")
_MICROS = 1_000_000


@dataclass(frozen=True)
class ToldRows:
    """What was told, as far as the scenario asks for it.

    Attributes:
        attributes: user_id, attribute, valid_from, delivery_date and value; None where no feature is an attribute.
        items: of item ids, their categories; None where events have none but their own.
        facts: of items, what decisions and money lack of them; None where nothing is asked.
        products: of decisions on products, what features see of them; None where nothing is asked.
    """

    attributes: DataFrame | None
    items: Told | None
    facts: ItemFacts | None = None
    products: ToldProducts | None = None


def read_told(
    spark: SparkSession,
    lake: Lake,
    pipeline: Pipeline,
    *,
    first_day: date,
    last_delivery_date: date,
    further: Collection[str] = (),
) -> ToldRows:
    """Return what deliveries told up to the last one, as far as it can matter at moments of the first day or later.

    Args:
        spark: that reads.
        lake: of the source.
        pipeline: whose features ask.
        first_day: of the moments.
        last_delivery_date: later deliveries stay unread.
        further: attributes of shoppers that are asked for beside those that are features.
    """
    tables = told_tables(pipeline, further)
    scenario = pipeline.scenario
    attributes = items = facts = products = None
    if SHOPPERS in tables:
        asked = sorted({*scenario.observation.attributes.values(), *further})
        told = read_earliest(spark, SHOPPERS, lake, last_delivery_date).where(F.col("attribute").isin(asked))
        attributes = _needed_from(told, SHOPPERS, first_day, pipeline.source.zone)
    if ITEMS in tables:
        told = read_earliest(spark, ITEMS, lake, last_delivery_date)
        zone = pipeline.source.zone
        if asks_products(scenario):
            products = ToldProducts(told.select(*PRODUCT_FACT_COLUMNS).toArrow())
        rows = _needed_from(told, ITEMS, first_day, zone).select(*FACT_COLUMNS).toArrow()
        items = item_categories(rows) if scenario.observation.item_categories else None
        if scenario.action.item_categories or scenario.reward.item_costs:
            # A row that says no cost takes none back, so that it must not stand in for an older one that does.
            costed = told.where(F.col("cost").isNotNull())
            costs = _needed_from(costed, ITEMS, first_day, zone).select(*FACT_COLUMNS).toArrow()
            facts = item_facts(
                rows if scenario.action.item_categories else None, costs if scenario.reward.item_costs else None
            )
    return ToldRows(attributes, items, facts, products)


def told_inputs(
    lake: Lake, pipeline: Pipeline, last_delivery_date: date, further: Collection[str] = ()
) -> dict[str, str]:
    """Return input name -> content hash of what deliveries told up to the last one, for a manifest."""
    tables = told_tables(pipeline, further)
    return {name: found for table in tables for name, found in table_inputs(lake, table, last_delivery_date).items()}


def item_categories(rows: pa.Table) -> Told:
    """Return the categories of items, by the id hashes of these.

    Args:
        rows: item_id, valid_from, delivery_date and category_id.
    """
    return Told(
        id_hashes(rows["item_id"]),
        micros(rows["valid_from"]),
        days(rows["delivery_date"]),
        id_hashes(rows["category_id"]),
    )


def among_events(events: DataFrame, attributes: DataFrame) -> DataFrame:
    """Return the events and, in rows of their own, what was told of their shoppers: all else is null there."""
    told = attributes.select("user_id", F.struct(*_ATTRIBUTE_FIELDS).alias(ATTRIBUTE))
    return events.unionByName(told, allowMissingColumns=True)


def apart(table: pa.Table, word: Callable[[str], str] = lambda value: value) -> tuple[pa.Table, Attributes | None]:
    """Return the events of a partition, and what was told of their shoppers; keys are numbers of these, as they stand.

    Args:
        table: by shopper; None is told where it has no column for that.
        word: makes of a value what is told: as it was delivered, or so that values can be alike.
    """
    if ATTRIBUTE not in table.column_names:
        return table, None
    is_told = pc.is_valid(table[ATTRIBUTE])
    events = table.filter(pc.invert(is_told)).drop_columns([ATTRIBUTE])
    told = table.filter(is_told).select(["user_id", ATTRIBUTE])
    shoppers = pc.unique(events["user_id"])
    # Of shoppers without events nothing is asked.
    told = told.filter(pc.is_in(told["user_id"], value_set=shoppers)).combine_chunks()
    unit = pc.index_in(told["user_id"], value_set=shoppers).cast(pa.int64())
    fields = {name: pc.struct_field(told[ATTRIBUTE], name) for name in _ATTRIBUTE_FIELDS}
    rows = Told(
        whole(unit),
        micros(fields["valid_from"]),
        days(fields["delivery_date"]),
        by_value(fields["value"], lambda value: id_hash(word(value))),
    )
    return events, Attributes(id_hashes(fields["attribute"]), rows)


def _needed_from(rows: DataFrame, table: Table, day: date, zone: str) -> DataFrame:
    """Return the rows that can be what is known at a moment of the day or later: of older ones the last that held."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start_us = int(start.timestamp()) * _MICROS
    is_old = (F.unix_micros("valid_from") <= start_us) & (F.col("delivery_date") < F.lit(day))
    others: Sequence[str] = [name for name in table.key if name != "valid_from"]
    latest = Window.partitionBy(*others, is_old).orderBy(F.desc("valid_from"))
    numbered = rows.withColumn("_is_old", is_old).withColumn("_number", F.row_number().over(latest))
    return numbered.where(~F.col("_is_old") | (F.col("_number") == 1)).drop("_is_old", "_number")
