"""Items and availability sets that are delivered as JSON lines with the tables' own names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.specs.reward import MILLIONTHS
from conf.specs.source import Source
from conf.tables import AVAILABILITY, ITEMS, SIDE_TABLES, Table
from jobs.landing.raw_lines import LineFile, read_lines, reading_of
from jobs.publishing.content_hash import row_hash

_ISO = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
_ISO_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999

_ITEM_FIELDS = (
    "item_id string, valid_from string, category_id string, price string, cost string, pack_size string, volume string"
)
_AVAILABILITY_FIELDS = "availability_id string, valid_from string, actions array<string>"


def read_canonical_lines(
    spark: SparkSession, name: str, files: Sequence[LineFile], source: Source, key: bytes
) -> DataFrame:
    """Return every line: the table's columns, delivery_date and reason (null: accepted)."""
    lines = read_lines(spark, files, reading_of(source, key, is_side_file=True))
    fields = {ITEMS.name: _ITEM_FIELDS, AVAILABILITY.name: _AVAILABILITY_FIELDS}[name]
    given = lines.select("delivery_date", "is_readable", F.from_json("line", fields).alias("_"))
    columns = {ITEMS.name: _item_columns, AVAILABILITY.name: _availability_columns}[name](source.zone)
    rows = given.select("delivery_date", "is_readable", "_.*").select(
        F.col("delivery_date").cast("date").alias("delivery_date"),
        *columns,
        "is_readable",
        (F.trim("valid_from") == "").alias("is_timeless"),
    )
    id_column, *others = [one for one in SIDE_TABLES[name].columns if not one.is_nullable and one.name != "valid_from"]
    is_missing = [F.col(one.name).isNull() for one in (id_column, *others)]
    lacks_field = reduce(Column.__or__, [*is_missing, F.coalesce("is_timeless", F.lit(True))])
    reason = (
        F.when(~F.col("is_readable") & F.col(id_column.name).isNull(), "unreadable")
        .when(lacks_field, "missing_field")
        .when(F.col("valid_from").isNull(), "bad_timestamp")
    )
    return rows.withColumn("reason", reason).drop("is_readable", "is_timeless")


def canonical_rows(name: str, lines: DataFrame) -> DataFrame:
    """Return the accepted rows: the table's columns and delivery_date, one for each key of a delivery."""
    return one_for_each_key(lines.where("reason IS NULL").drop("reason"), SIDE_TABLES[name])


def _item_columns(zone: str) -> list[Column]:
    return [
        _text("item_id"),
        iso_time(F.trim("valid_from"), zone).alias("valid_from"),
        _text("category_id"),
        _millionths("price"),
        _millionths("cost"),
        F.col("pack_size").try_cast("decimal(38,18)").try_cast("bigint").alias("pack_size"),
        F.col("volume").try_cast("decimal(38,18)").try_cast("bigint").alias("volume"),
    ]


def _availability_columns(zone: str) -> list[Column]:
    return [
        _text("availability_id"),
        iso_time(F.trim("valid_from"), zone).alias("valid_from"),
        F.array_sort(F.array_distinct(F.array_compact("actions"))).alias("actions"),
    ]


def one_for_each_key(rows: DataFrame, table: Table) -> DataFrame:
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
