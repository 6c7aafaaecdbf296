"""Delivered files as parsed lines in Spark: each line with its place, its events or the reason it is rejected for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
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

from conf.specs.field_mapping import MONEY_FIELDS
from conf.specs.source import Source
from jobs.landing.raw_lines import LineBatch, LineFile, LineReading, map_lines
from jobs.parsing.columns.parsing import ColumnParser, ReadLines
from jobs.parsing.event_parsing import RECORD_FIELDS, EventParser, ParsedLine
from jobs.parsing.field_reading import PathValues, path_values
from jobs.parsing.hidden_names import HiddenNames
from jobs.parsing.money import Rates
from jobs.parsing.pseudonyms import pseudonyms
from jobs.parsing.source_columns import path_patterns

_NUMBER_TYPES: dict[str, DataType] = {
    **dict.fromkeys(MONEY_FIELDS, LongType()),
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


_KINDS = {name: _ARROW_SCHEMA.field(name).type for name in RECORD_FIELDS}


class BatchParser:
    """Parses batches of lines of one source; made once in each worker's task, since it remembers what it read.

    headers: column names for each `header_id`; none where the format names its fields.
    rates: of exchange, as far as they were delivered.
    n_by_columns: how many lines `columns` did not have to read one by one.
    """

    def __init__(self, source: Source, headers: Sequence[Sequence[str]], rates: Rates | None = None) -> None:
        self._parsers = [EventParser(source, header, rates) for header in headers or [()]]
        self._columns = [ColumnParser(source, header, _KINDS) for header in headers or [()]]
        self._patterns = path_patterns(source)
        self._paths: dict[str, PathValues] = {}
        self.n_by_columns = 0

    def parse(self, batch: LineBatch) -> list[ParsedLine]:
        """Return each line of the batch as events, or with the reason it is rejected for; line by line."""
        parser, path = self._parsers[batch.file.header_id], self._path(batch.file.name)
        day = batch.file.delivery_date or date.min
        return [parser.parse(line, path, day) for line in batch.lines.to_pylist()]

    def columns(
        self, batch: LineBatch, names: Callable[[str], str], hidden: HiddenNames | None = None
    ) -> pa.RecordBatch:
        """Return the same in columns of `PARSED_SCHEMA`, as far as possible by columns.

        Args:
            batch: of one file.
            names: gives shoppers' pseudonyms.
            hidden: hashes what else names something; None leaves it as it is.
        """
        path, day = self._path(batch.file.name), batch.file.delivery_date or date.min
        read = self._columns[batch.file.header_id].read(batch.lines, path, day)
        rest = _others([one.rows for one in read], len(batch.lines))
        self.n_by_columns += len(batch.lines) - len(rest)
        parts = [read_batch(batch.taken(one.rows), one, names) for one in read]
        if len(rest):
            lines = batch.taken(rest)
            parts.append(parsed_batch(lines, self.parse(lines), names))
        found = _in_order(parts, [*(one.rows for one in read), rest])
        return found if hidden is None else hidden(found)

    def business_days(self, batch: LineBatch) -> pa.Int32Array:
        """Return the business day of each line, in days since the epoch; null where its time can't be read."""
        found = self._columns[batch.file.header_id].days(batch.lines)
        days = np.zeros(len(batch.lines), dtype=np.int32)
        is_null = np.zeros(len(batch.lines), dtype=np.bool_)
        for rows, of_rows in found:
            days[rows] = of_rows
        rest = _others([rows for rows, _ in found], len(batch.lines))
        parser = self._parsers[batch.file.header_id]
        for row, line in zip(rest.tolist(), batch.lines.take(pa.array(rest)).to_pylist(), strict=True):
            time = parser.time_of(line)
            if time is None:
                is_null[row] = True
            else:
                days[row] = parser.day_of(time)
        return pa.array(days, mask=is_null)

    def _path(self, name: str) -> PathValues:
        if name not in self._paths:
            self._paths[name] = path_values(self._patterns, name)
        return self._paths[name]


def _others(rows: Sequence[npt.NDArray[np.int64]], n_lines: int) -> npt.NDArray[np.int64]:
    """Return the places that stand in none of the parts, ascending."""
    is_other = np.ones(n_lines, dtype=np.bool_)
    for one in rows:
        is_other[one] = False
    return np.flatnonzero(is_other)


def _in_order(parts: Sequence[pa.RecordBatch], rows: Sequence[npt.NDArray[np.int64]]) -> pa.RecordBatch:
    """Return the parts' rows as one batch, in the order of their places."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate(rows))
    joined = pa.Table.from_batches(parts, _ARROW_SCHEMA).take(pa.array(order)).combine_chunks()
    return joined.to_batches()[0]


def line_describer(
    source: Source,
    headers: Sequence[Sequence[str]],
    reading: LineReading,
    rates: Rates | None = None,
    *,
    hides_names: bool = True,
    names: Callable[[str], str] | None = None,
) -> Callable[[LineBatch], pa.RecordBatch]:
    """Return what makes batches of a feed's lines columns of `PARSED_SCHEMA`; one for each task, since it remembers.

    With `hides_names` ids of events, decisions and slates, and the names of files, are keyed hashes. `names` gives
    shoppers' pseudonyms, in place of those that the source and the key say.
    """
    parser = BatchParser(source, headers, rates)
    names = names or shopper_names(source, reading)
    hidden = HiddenNames(reading.key) if hides_names else None
    return lambda lines: parser.columns(lines, names, hidden)


def shopper_names(source: Source, reading: LineReading) -> Callable[[str], str]:
    """Return what gives shoppers' pseudonyms: a log of decisions may hold them already."""
    return str if source.events.user_id.is_pseudonym else pseudonyms(reading.key)


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
        name = pa.repeat(pa.scalar(batch.file.name), len(batch.lines))
        columns = [name, pa.array(batch.numbers), pa.array(batch.offsets), batch.lines, made[0].business_days(batch)]
        return pa.RecordBatch.from_arrays(columns, schema=_DATED_ARROW_SCHEMA)

    return map_lines(spark, files, _DATED_SCHEMA, reading, describe)


def parsed_batch(batch: LineBatch, parsed: Sequence[ParsedLine], names: Callable[[str], str]) -> pa.RecordBatch:
    """Return parsed lines in columns of `PARSED_SCHEMA`; `names` gives shoppers' pseudonyms."""
    n_lines = len(parsed)
    refusals = [one.refusal for one in parsed]
    columns: dict[str, list[Any]] = {
        "delivery_date": [batch.file.delivery_date] * n_lines,
        "file": [batch.file.name] * n_lines,
        "line_number": batch.numbers.tolist(),
        "byte_offset": batch.offsets.tolist(),
        "line_hash": batch.hashes.to_pylist(),
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


def read_batch(batch: LineBatch, read: ReadLines, names: Callable[[str], str]) -> pa.RecordBatch:
    """Return lines that were read by columns, in columns of `PARSED_SCHEMA`; `names` gives shoppers' pseudonyms."""
    n_lines, is_ignored = len(batch.lines), pa.array(read.is_ignored)
    users = read.fields["user_id"].dictionary_encode()
    known = pa.array(list(map(names, users.dictionary.to_pylist())), pa.string())
    fields = dict(read.fields) | {"user_id": known.take(users.indices), "event_date": read.fields["event_day"]}
    columns: dict[str, pa.Array] = {
        "delivery_date": pa.repeat(pa.scalar(batch.file.delivery_date, pa.date32()), n_lines),
        "file": pa.repeat(pa.scalar(batch.file.name), n_lines),
        "line_number": pa.array(batch.numbers),
        "byte_offset": pa.array(batch.offsets),
        "line_hash": batch.hashes,
        "reason": pc.if_else(is_ignored, pa.scalar("ignored"), pa.scalar(None, pa.string())),
        "detail": read.ignored_by,
        "shape": pa.nulls(n_lines, pa.string()),
        "further": read.further,
    }
    columns |= {name: fields[name] for name in (*_READ_FIELDS, *RECORD_FIELDS)}
    if read.is_ignored.any():
        columns |= {
            name: pc.if_else(is_ignored, pa.scalar(None, columns[name].type), columns[name])
            for name in (*_READ_FIELDS, *RECORD_FIELDS)
        }
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(field.type) for field in _ARROW_SCHEMA], schema=_ARROW_SCHEMA
    )


_READ_FIELDS = ("event_date", "event_time", "shift", "event_id", "user_id")


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind) and not any(isinstance(one, date) for one in values):
        return pa.array(values, pa.int32()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
