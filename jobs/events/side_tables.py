"""Items and availability sets, delivered beside the events as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.specs.reward import MILLIONTHS
from conf.specs.source import Source
from conf.tables import AVAILABILITY, ITEMS, Table
from jobs.landing.raw_lines import LineFile, read_lines, reading_of
from jobs.publishing.content_hash import row_hash

_ISO = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
_ISO_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999

_ITEM_FIELDS = (
    "item_id string, valid_from string, category_id string, price string, cost string, pack_size string, volume string"
)
_AVAILABILITY_FIELDS = "availability_id string, valid_from string, actions array<string>"


def read_delivered_items(spark: SparkSession, files: Sequence[LineFile], source: Source, key: bytes) -> DataFrame:
    """Return the items table's columns and delivery_date, without lines whose item_id or valid_from can't be read."""
    lines = read_lines(spark, files, reading_of(source, key, is_side_file=True))
    given = lines.select("delivery_date", F.from_json("line", _ITEM_FIELDS).alias("_")).select("delivery_date", "_.*")
    rows = given.select(
        F.col("delivery_date").cast("date").alias("delivery_date"),
        _text("item_id"),
        iso_time(F.trim("valid_from"), source.zone).alias("valid_from"),
        _text("category_id"),
        _millionths("price"),
        _millionths("cost"),
        F.col("pack_size").try_cast("decimal(38,18)").try_cast("bigint").alias("pack_size"),
        F.col("volume").try_cast("decimal(38,18)").try_cast("bigint").alias("volume"),
    )
    return _one_for_each_key(rows.where("item_id IS NOT NULL AND valid_from IS NOT NULL"), ITEMS)


def read_delivered_availability(
    spark: SparkSession, files: Sequence[LineFile], source: Source, key: bytes
) -> DataFrame:
    """Return the availability table's columns and delivery_date, without lines that lack an id, a time or actions."""
    lines = read_lines(spark, files, reading_of(source, key, is_side_file=True))
    given = lines.select("delivery_date", F.from_json("line", _AVAILABILITY_FIELDS).alias("_"))
    rows = given.select("delivery_date", "_.*").select(
        F.col("delivery_date").cast("date").alias("delivery_date"),
        _text("availability_id"),
        iso_time(F.trim("valid_from"), source.zone).alias("valid_from"),
        F.array_sort(F.array_distinct(F.array_compact("actions"))).alias("actions"),
    )
    is_whole = "availability_id IS NOT NULL AND valid_from IS NOT NULL AND actions IS NOT NULL"
    return _one_for_each_key(rows.where(is_whole), AVAILABILITY)


def _one_for_each_key(rows: DataFrame, table: Table) -> DataFrame:
    """Return one row for each key of a delivery: the one with the smallest hash, whatever the order of the lines."""
    same = Window.partitionBy("delivery_date", *table.key).orderBy(row_hash(table))
    numbered = rows.withColumn("_number", F.row_number().over(same))
    return numbered.where(F.col("_number") == 1).drop("_number")


def _text(name: str) -> Column:
    trimmed = F.trim(name)
    return F.when(trimmed != "", trimmed).alias(name)


def _millionths(name: str) -> Column:
    exact = F.round(F.col(name).try_cast("decimal(38,18)"), 6).cast("decimal(32,6)")
    return (exact * F.lit(MILLIONTHS)).try_cast("bigint").alias(name)


def iso_time(given: Column, zone: str) -> Column:
    """Return ISO 8601 text as a UTC timestamp, read in the zone where it has no offset; null where it isn't whole."""
    # A bare cast would take "2019", and "12:30" as today: the whole form is asked for.
    whole = F.when(given.rlike(_ISO), given)
    with_colon = F.regexp_replace(whole, r"([+-]\d{2}):?(\d{2})$", "$1:$2")
    local = F.to_utc_timestamp(whole.try_cast("timestamp"), zone)
    time = F.when(whole.rlike(_ISO_OFFSET), with_colon.try_cast("timestamp")).otherwise(local)
    # Outside these years Spark holds times that neither Python nor a calendar can.
    return F.when(F.unix_micros(time).between(_FIRST_MICROS, _LAST_MICROS), time)
