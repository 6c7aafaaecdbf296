"""Tables delivered beside the events: each line becomes rows of its table, or has a reason why it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, DataType, DateType, StringType, StructField, StructType

from conf.pseudonyms import pseudonym
from conf.specs.source import Source
from conf.tables import SIDE_TABLES
from jobs.events.side_tables import canonical_rows, one_for_each_key, read_canonical_lines
from jobs.landing.raw_lines import LineBatch, LineFile, map_lines, side_reading
from jobs.parsing.field_reading import remembered
from jobs.parsing.side_parsing import SideParser
from jobs.publishing.table_schema import table_schema

SideCounts = Mapping[tuple[str, date], Mapping[str | None, int]]
"""How many lines each table's deliveries have, by reason; None for those that are accepted."""


@dataclass(frozen=True)
class SideLines:
    """The lines of one side table that deliveries brought.

    Attributes:
        lines: with delivery_date and reason (null: accepted), among others.
        rows: of the table, with delivery_date.
    """

    lines: DataFrame
    rows: DataFrame


def read_side_table(
    spark: SparkSession,
    name: str,
    files: Sequence[LineFile],
    headers: Sequence[tuple[str, ...]],
    source: Source,
    key: bytes,
) -> SideLines:
    """Return what files of a side table hold; `headers`: column names by `header_id`, where they have any."""
    if not source.side_tables[name].columns:
        lines = read_canonical_lines(spark, name, files, source, key)
        return SideLines(lines, canonical_rows(name, lines))
    lines = _mapped_lines(spark, name, files, headers, source, key)
    return SideLines(lines, _mapped_rows(name, lines))


def _mapped_lines(
    spark: SparkSession,
    name: str,
    files: Sequence[LineFile],
    headers: Sequence[tuple[str, ...]],
    source: Source,
    key: bytes,
) -> DataFrame:
    """Return every line: delivery_date, reason (null: accepted), detail, and `rows` of the table's fields."""
    schema = _line_schema(name)
    arrow = to_arrow_schema(schema, timezone="UTC")
    reading = side_reading(source.side_tables[name], key)
    made: list[Callable[[LineBatch], pa.RecordBatch]] = []

    def describe(batch: LineBatch) -> pa.RecordBatch:
        if not made:
            names = remembered(lambda user_id: pseudonym(user_id, reading.key))
            parsers = [
                SideParser(name, source.side_tables[name], header, zone=source.zone, pseudonym=names)
                for header in headers or [()]
            ]
            made.append(lambda lines: _described(lines, parsers[lines.file.header_id], arrow))
        return made[0](batch)

    return map_lines(spark, files, schema, reading, describe)


def _mapped_rows(name: str, lines: DataFrame) -> DataFrame:
    """Return the accepted rows: the table's columns and delivery_date, one for each key of a delivery."""
    table = SIDE_TABLES[name]
    accepted = lines.where("reason IS NULL").select("delivery_date", F.explode("rows").alias("_"))
    rows = accepted.select("delivery_date", "_.*")
    if lists := [column.name for column in table.columns if column.type.startswith("array")]:
        gathered = [F.array_sort(F.collect_set(one)).alias(one) for one in lists]
        rows = rows.groupBy("delivery_date", *table.key).agg(*gathered)
    return one_for_each_key(rows.select(*table.column_names, "delivery_date"), table)


def count_lines_of(tables: Mapping[str, SideLines]) -> SideCounts:
    """Return how many lines the deliveries have."""
    if not tables:
        return {}
    named = [one.lines.select(F.lit(name).alias("table"), "delivery_date", "reason") for name, one in tables.items()]
    found: dict[tuple[str, date], dict[str | None, int]] = {}
    for row in reduce(DataFrame.union, named).groupBy("table", "delivery_date", "reason").count().collect():
        found.setdefault((row["table"], row["delivery_date"]), {})[row["reason"]] = row["count"]
    return found


def _described(batch: LineBatch, parser: SideParser, schema: pa.Schema) -> pa.RecordBatch:
    day = batch.file.delivery_date or date.min
    parsed = [parser.parse(line, day) for line in batch.lines.to_pylist()]
    columns: dict[str, list[Any]] = {
        "delivery_date": [day] * len(parsed),
        "reason": [one.refusal.reason if one.refusal else None for one in parsed],
        "detail": [one.refusal.field if one.refusal else None for one in parsed],
        "rows": [one.rows for one in parsed],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[one.name], one.type) for one in schema], schema=schema)


def _line_schema(name: str) -> StructType:
    row = StructType([StructField(one.name, _element(one.dataType)) for one in table_schema(SIDE_TABLES[name]).fields])
    return StructType(
        [
            StructField("delivery_date", DateType()),
            StructField("reason", StringType()),
            StructField("detail", StringType()),
            StructField("rows", ArrayType(row)),
        ]
    )


def _element(kind: DataType) -> DataType:
    """Return the type of one record's field: an element where the table holds lists."""
    return kind.elementType if isinstance(kind, ArrayType) else kind
