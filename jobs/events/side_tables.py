"""Tables delivered beside the events: each line becomes rows of its table, or has a reason why it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, DateType, StringType, StructField, StructType

from conf.pseudonyms import pseudonym
from conf.specs.source import Source
from conf.tables import SIDE_TABLES, Table
from jobs.landing.raw_lines import LineBatch, LineFile, map_lines, side_reading
from jobs.landing.spelled_ids import SpelledIds, SpelledNames, read, sum_of_spelled, written
from jobs.parsing.field_reading import remembered
from jobs.parsing.side_parsing import SideParser
from jobs.publishing.content_hash import row_hash
from jobs.publishing.table_schema import table_schema


@dataclass(frozen=True)
class SideLines:
    """The lines of one side table that deliveries brought.

    Attributes:
        lines: delivery_date, reason (null: accepted), detail, `rows` of the table's fields, and `spellings` of the ids
            of some lines that stand together; persisted.
        rows: of the table, with delivery_date, one for each key of a delivery.
        says_whole_rows: a line says all of its row, so that two lines of one key can contradict each other.
    """

    lines: DataFrame
    rows: DataFrame
    says_whole_rows: bool


@dataclass
class SideCount:
    """What became of one delivery's lines of a side table.

    Attributes:
        by_reason: how many lines; None for those that are accepted.
        n_contradicted: keys of which accepted lines say different things, valid from the same moment.
    """

    by_reason: dict[str | None, int] = field(default_factory=dict)
    n_contradicted: int = 0

    @property
    def n_lines(self) -> int:
        """Lines of any kind."""
        return sum(self.by_reason.values())

    @property
    def n_accepted(self) -> int:
        """Lines that became rows."""
        return self.by_reason.get(None, 0)


SideCounts = Mapping[tuple[str, date], SideCount]
"""What became of the lines, by table and delivery."""


def read_side_table(
    spark: SparkSession,
    name: str,
    files: Sequence[LineFile],
    headers: Sequence[tuple[str, ...]],
    source: Source,
    key: bytes,
) -> SideLines:
    """Return what files of a side table hold, to be let go of by `lines.unpersist`.

    Args:
        spark: the session.
        name: of the table.
        files: of the deliveries.
        headers: column names by `header_id`, where they have any.
        source: says how they are written.
        key: of shoppers' pseudonyms.
    """
    table = source.side_tables[name]
    reading, describe = side_reading(table, key), described_lines(name, headers, source, key)
    # Counted first, then written: parsed once.
    lines = map_lines(spark, files, _line_schema(name), reading, describe).persist(StorageLevel.MEMORY_AND_DISK)
    return SideLines(lines, _rows(SIDE_TABLES[name], lines), table.says_whole_rows(name))


def described_lines(
    name: str, headers: Sequence[tuple[str, ...]], source: Source, key: bytes
) -> Callable[[LineBatch], pa.RecordBatch]:
    """Return what says of lines of a side table: delivery_date, reason (null: accepted), detail, rows, spellings.

    Args:
        name: of the table.
        headers: column names by `header_id`, where files have any.
        source: says how lines are written.
        key: of shoppers' pseudonyms.
    """
    arrow, table = to_arrow_schema(_line_schema(name), timezone="UTC"), source.side_tables[name]
    made: list[Callable[[LineBatch], pa.RecordBatch]] = []  # parsers don't travel to workers

    def describe(batch: LineBatch) -> pa.RecordBatch:
        if not made:
            hashed = remembered(lambda user_id: pseudonym(user_id, key))
            names = SpelledNames(hashed, key)
            parsers = [SideParser(name, table, header, zone=source.zone, pseudonym=names) for header in headers or [()]]
            made.append(lambda lines: _described(lines, parsers[lines.file.header_id], names, arrow))
        return made[0](batch)

    return describe


def _rows(table: Table, lines: DataFrame) -> DataFrame:
    """Return the accepted rows: the table's columns and delivery_date, one for each key of a delivery."""
    accepted = lines.where("reason IS NULL").select("delivery_date", F.explode("rows").alias("_"))
    rows = accepted.select("delivery_date", "_.*")
    if lists := [column.name for column in table.columns if column.type.startswith("array")]:
        gathered = [F.array_sort(F.array_distinct(F.flatten(F.collect_list(one)))).alias(one) for one in lists]
        rows = rows.groupBy("delivery_date", *table.key).agg(*gathered)
    return _one_for_each_key(rows.select(*table.column_names, "delivery_date"), table)


def _one_for_each_key(rows: DataFrame, table: Table) -> DataFrame:
    """Return one row for each key of a delivery: the one with the smallest hash, whatever the order of the lines."""
    same = Window.partitionBy("delivery_date", *table.key).orderBy(row_hash(table))
    numbered = rows.withColumn("_number", F.row_number().over(same))
    return numbered.where(F.col("_number") == 1).drop("_number")


def spelled_of(lines: DataFrame) -> dict[date, SpelledIds]:
    """Return how some ids of each delivery are spelled; a look at lines that are kept, after they were counted."""
    found: dict[date, SpelledIds] = {}
    for row in lines.where("spellings IS NOT NULL").select("delivery_date", "spellings").toLocalIterator():
        found[row["delivery_date"]] = sum_of_spelled([found.get(row["delivery_date"], {}), read(row["spellings"])])
    return found


def count_lines_of(tables: Mapping[str, SideLines]) -> dict[tuple[str, date], SideCount]:
    """Return what became of the deliveries' lines, all tables in one pass over them."""
    if not tables:
        return {}
    by_key = reduce(DataFrame.union, [_told_by_key(name, one) for name, one in tables.items()])
    counted = by_key.groupBy("table", "delivery_date", "reason").agg(
        F.sum("n_lines").alias("n_lines"), F.sum(F.col("is_contradicted").cast("bigint")).alias("n_contradicted")
    )
    found: dict[tuple[str, date], SideCount] = {}
    for row in counted.collect():
        count = found.setdefault((row["table"], row["delivery_date"]), SideCount())
        count.by_reason[row["reason"]] = row["n_lines"]
        count.n_contradicted += row["n_contradicted"]
    return found


def _told_by_key(name: str, told: SideLines) -> DataFrame:
    """Return how many lines have each reason and key, and whether they say different things of the key."""
    table = SIDE_TABLES[name]
    others = [one for one in table.column_names if one not in table.key] if told.says_whole_rows else []
    each = told.lines.select("delivery_date", "reason", F.posexplode_outer("rows").alias("_place", "_row"))
    hashed = each.select(
        "delivery_date",
        "reason",
        (F.coalesce("_place", F.lit(0)) == 0).cast("bigint").alias("_is_first"),
        F.when(F.col("_row").isNotNull(), _hash_of(table.key)).alias("_key"),
        _hash_of(others).alias("_others"),
    )
    return hashed.groupBy(F.lit(name).alias("table"), "delivery_date", "reason", "_key").agg(
        F.sum("_is_first").alias("n_lines"), (F.min("_others") != F.max("_others")).alias("is_contradicted")
    )


def _hash_of(names: Sequence[str]) -> Column:
    values = [F.col("_row").getField(name) for name in names]
    return F.xxhash64(F.lit(0), *[part for one in values for part in (one.isNull(), one)])


def _described(batch: LineBatch, parser: SideParser, names: SpelledNames, schema: pa.Schema) -> pa.RecordBatch:
    day = batch.file.delivery_date or date.min
    names.begin(day)
    parsed = [parser.parse(line, day) for line in batch.lines.to_pylist()]
    spelled = [written(found)] if (found := names.taken()) else [None]
    columns: dict[str, list[Any]] = {
        "delivery_date": [day] * len(parsed),
        "reason": [one.refusal.reason if one.refusal else None for one in parsed],
        "detail": [one.refusal.field if one.refusal else None for one in parsed],
        "rows": [one.rows for one in parsed],
        "spellings": [*spelled, *[None] * (len(parsed) - 1)][: len(parsed)],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[one.name], one.type) for one in schema], schema=schema)


def _line_schema(name: str) -> StructType:
    return StructType(
        [
            StructField("delivery_date", DateType()),
            StructField("reason", StringType()),
            StructField("detail", StringType()),
            StructField("rows", ArrayType(table_schema(SIDE_TABLES[name]))),
            StructField("spellings", StringType()),
        ]
    )
