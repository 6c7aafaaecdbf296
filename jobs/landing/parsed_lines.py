"""Delivered files as parsed lines in Spark: each line with its place, its events or the reason it is rejected for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from conf.pseudonyms import pseudonym
from conf.specs.source import Source
from conf.tables import RAW_LINES
from jobs.landing.raw_lines import LineBatch, LineFile, LineReading, map_lines
from jobs.parsing.event_parsing import RECORD_FIELDS, EventParser, ParsedLine
from jobs.parsing.field_reading import PathValues, path_values, remembered
from jobs.parsing.source_columns import path_patterns

_NUMBER_TYPES: dict[str, DataType] = {
    "price": LongType(),
    "quantity": LongType(),
    "position": IntegerType(),
    "propensity": DecimalType(18, 15),
}
_LINE_TYPES: dict[str, DataType] = {
    "delivery_date": DateType(),
    "file": StringType(),
    "line_number": LongType(),
    "byte_offset": LongType(),
    "line_hash": StringType(),
    "reason": StringType(),
    "detail": StringType(),
    "shape": StringType(),
    "event_date": DateType(),
    "event_time": TimestampType(),
    "shift": StringType(),
    "event_id": StringType(),
    "user_id": StringType(),
}


def _fields(types: dict[str, DataType]) -> list[StructField]:
    return [StructField(name, kind) for name, kind in types.items()]


_RECORD_TYPES: dict[str, DataType] = {name: _NUMBER_TYPES.get(name, StringType()) for name in RECORD_FIELDS}

# A line's own event stands in the columns, the further ones it holds in `further`; user_id is a pseudonym.
PARSED_SCHEMA = StructType(
    [
        *_fields(_LINE_TYPES),
        *_fields(_RECORD_TYPES),
        StructField("further", ArrayType(StructType(_fields(_RECORD_TYPES)))),
    ]
)
_DATED_SCHEMA = StructType(
    _fields(
        {
            "file": StringType(),
            "line_number": LongType(),
            "byte_offset": LongType(),
            "line": StringType(),
            "day": IntegerType(),
        }
    )
)
_ARROW_SCHEMA = to_arrow_schema(PARSED_SCHEMA, timezone="UTC")
_DATED_ARROW_SCHEMA = to_arrow_schema(_DATED_SCHEMA)


class BatchParser:
    """Parses batches of lines of one source; made once in each worker's task, since it remembers what it read.

    headers: column names for each `header_id`; none where the format names its fields.
    """

    def __init__(self, source: Source, headers: Sequence[Sequence[str]]) -> None:
        self._parsers = [EventParser(source, header) for header in headers or [()]]
        self._patterns = path_patterns(source)
        self._paths: dict[str, PathValues] = {}

    def parse(self, batch: LineBatch) -> list[ParsedLine]:
        """Return each line of the batch as events, or with the reason it is rejected for."""
        parser, path = self._parsers[batch.file.header_id], self._path(batch.file.name)
        day = batch.file.delivery_date or date.min
        return [parser.parse(line, path, day) for line in batch.lines]

    def business_days(self, batch: LineBatch) -> list[int | None]:
        """Return the business day of each line, in days since the epoch; null where its time can't be read."""
        parser = self._parsers[batch.file.header_id]
        times = [parser.time_of(line) for line in batch.lines]
        return [parser.day_of(time) if time is not None else None for time in times]

    def _path(self, name: str) -> PathValues:
        if name not in self._paths:
            self._paths[name] = path_values(self._patterns, name)
        return self._paths[name]


def parse_files(
    spark: SparkSession,
    files: Sequence[LineFile],
    source: Source,
    headers: Sequence[Sequence[str]],
    reading: LineReading,
) -> DataFrame:
    """Return every line of the files: columns of `PARSED_SCHEMA`. The key stands in no plan."""
    made: list[Callable[[LineBatch], pa.RecordBatch]] = []

    def describe(batch: LineBatch) -> pa.RecordBatch:
        if not made:
            parser = BatchParser(source, headers)
            keeps = source.events.user_id.is_pseudonym
            names = str if keeps else remembered(lambda user_id: pseudonym(user_id, reading.key))
            made.append(lambda lines: parsed_batch(lines, parser.parse(lines), names))
        return made[0](batch)

    return map_lines(spark, files, PARSED_SCHEMA, reading, describe)


def read_dated_lines(
    spark: SparkSession,
    files: Sequence[LineFile],
    source: Source,
    headers: Sequence[Sequence[str]],
    reading: LineReading,
) -> DataFrame:
    """Return every line of the files as it stands, and `day`: its business day in days since the epoch, or null."""
    made: list[BatchParser] = []

    def describe(batch: LineBatch) -> pa.RecordBatch:
        if not made:
            made.append(BatchParser(source, headers))
        columns = [[batch.file.name] * len(batch.lines), batch.numbers, batch.offsets, batch.lines]
        named = dict(zip(RAW_LINES.column_names, columns, strict=True)) | {"day": made[0].business_days(batch)}
        return pa.RecordBatch.from_pydict(named, _DATED_ARROW_SCHEMA)

    return map_lines(spark, files, _DATED_SCHEMA, reading, describe)


def parsed_batch(batch: LineBatch, parsed: Sequence[ParsedLine], names: Callable[[str], str]) -> pa.RecordBatch:
    """Return parsed lines in columns of `PARSED_SCHEMA`; `names` gives shoppers' pseudonyms."""
    n_lines = len(parsed)
    refusals = [one.refusal for one in parsed]
    columns: dict[str, list[Any]] = {
        "delivery_date": [batch.file.delivery_date] * n_lines,
        "file": [batch.file.name] * n_lines,
        "line_number": batch.numbers,
        "byte_offset": batch.offsets,
        "line_hash": batch.hashes,
        "reason": [one.reason if one else None for one in refusals],
        "detail": [one.field if one else None for one in refusals],
        "shape": [one.shape if one else None for one in refusals],
        "event_date": [one.event_day for one in parsed],
        "event_time": [one.event_time for one in parsed],
        "shift": [one.shift for one in parsed],
        "event_id": [one.event_id for one in parsed],
        "user_id": [names(one.user_id) if one.user_id is not None else None for one in parsed],
    }
    own: list[dict[str, Any]] = [one.records[0] if one.records and not one.refusal else {} for one in parsed]
    columns |= {name: [fields.get(name) for fields in own] for name in RECORD_FIELDS}
    columns["further"] = [one.records[1:] if not one.refusal else [] for one in parsed]
    return pa.RecordBatch.from_arrays(
        [_array(columns[field.name], field.type) for field in _ARROW_SCHEMA], schema=_ARROW_SCHEMA
    )


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind) and not any(isinstance(one, date) for one in values):
        return pa.array(values, pa.int32()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
