"""Delivered lines as rows, read in Python workers: one task a file, each line with its place and its keyed hash."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BooleanType, IntegerType, LongType, StringType, StructField, StructType

from conf.specs.delivery import CsvFormat
from conf.specs.side_table import SideTable
from conf.specs.source import Source, unnested_keys
from jobs.landing.single_precision import rows_of
from jobs.parsing.keyed_hash import KeyedHash
from jobs.parsing.line_blocks import PlacedLines, placed_lines
from jobs.parsing.line_completion import LineCompleter, file_mark
from jobs.parsing.record_cutting import LONGEST_LINE, MOST_VALUES, UNDECODABLE, read_object, split_line
from jobs.parsing.source_columns import path_patterns
from jobs.parsing.text_files import decode, open_bytes, records
from jobs.parsing.unnesting import n_unnested, unnested
from jobs.spark.tasks import tasks_over

_BATCH_ROWS = 10_000
_SPLIT_ROWS = 32_768
_BATCH_CHARACTERS = 1 << 25  # well below the 2 GiB that a column of text holds in one batch

LINE_SCHEMA = StructType(
    [
        StructField("delivery_date", StringType()),
        StructField("file", StringType()),
        StructField("header_id", IntegerType()),
        StructField("line_number", LongType()),
        StructField("byte_offset", LongType()),
        StructField("line", StringType()),
        StructField("line_hash", StringType()),
        StructField("is_readable", BooleanType()),
    ]
)


@dataclass(frozen=True)
class LineFile:
    """A file to read lines from; `header_id` says which of several headers its columns follow."""

    path: Path
    name: str
    delivery_date: date | None = None
    header_id: int = 0


@dataclass(frozen=True)
class LinePlace:
    """Where a line begins: its number, from 1, and its offset in bytes."""

    number: int
    offset: int


@dataclass(frozen=True)
class LineReading:
    """How workers read files. The key is in the pickled function, never in a plan or a message."""

    layout: str
    has_header: bool
    is_json: bool
    patterns: tuple[str, ...]
    key: bytes = field(repr=False)
    csv: CsvFormat | None = None
    encoding: str = "utf-8"
    feed_name: str | None = None
    unnested: tuple[str, ...] = ()

    @property
    def n_lines_above(self) -> int:
        """How many lines of a text file stand above its first record."""
        return (self.csv.skip_lines if self.csv is not None else 0) + self.has_header


def reading_of(source: Source, key: bytes, *, is_split: bool = False, is_side_file: bool = False) -> LineReading:
    """Return how to read files: the source's as delivered, its side files, or Parquet that lines were split into."""
    is_parquet = source.format == "parquet" and not is_side_file
    layout = "split" if is_split else "parquet" if is_parquet else "text"
    has_header = source.csv is not None and source.csv.has_header and not is_side_file
    form = None if is_side_file else source.csv
    patterns = tuple(path_patterns(source))
    keys = () if is_side_file or source.unnest is None else unnested_keys(source.unnest)
    return LineReading(layout, has_header, form is None, patterns, key, form, source.encoding, source.feed_name, keys)


def side_reading(table: SideTable, key: bytes) -> LineReading:
    """Return how to read the files of a side table, as the source's `side_tables` give it."""
    layout = "parquet" if table.format == "parquet" else "text"
    has_header = table.csv is not None and table.csv.has_header
    return LineReading(layout, has_header, table.csv is None, (), key, table.csv, table.encoding)


@dataclass(frozen=True)
class LineBatch:
    """Lines of one file that stand one after the other: number from 1, offset in bytes, text, keyed hash.

    A hash covers the line, its feed and what its path says: equal lines of equal meaning share it.
    """

    file: LineFile
    numbers: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lines: pa.StringArray
    hashes: pa.StringArray

    def taken(self, rows: npt.NDArray[np.int64]) -> LineBatch:
        """Return the lines at the places."""
        if len(rows) == len(self.lines):
            return self
        place = pa.array(rows)
        return LineBatch(
            self.file, self.numbers[rows], self.offsets[rows], self.lines.take(place), self.hashes.take(place)
        )


def map_lines(
    spark: SparkSession,
    files: Sequence[LineFile],
    schema: StructType,
    reading: LineReading,
    describe: Callable[[LineBatch], pa.RecordBatch],
) -> DataFrame:
    """Return what the function makes of every batch of the files' lines: one task a file, or for several small ones."""

    def read(given: Iterable[LineFile]) -> Iterator[pa.RecordBatch]:
        for file in given:
            for lines in read_batches(file, reading):
                yield describe(lines)

    return tasks_over(spark, files, read, schema, n_bytes=sum(file.path.stat().st_size for file in files))


def read_lines(spark: SparkSession, files: Sequence[LineFile], reading: LineReading) -> DataFrame:
    """Return every line of the files that holds a record: columns of `LINE_SCHEMA`.

    is_readable: text of bounded length, and one whole object where lines are JSON.
    """

    def describe(batch: LineBatch) -> pa.RecordBatch:
        delimiter = reading.csv.delimiter if reading.csv is not None else ","
        readable = [is_readable(line, is_json=reading.is_json, delimiter=delimiter) for line in batch.lines.to_pylist()]
        n_lines, day = len(batch.lines), batch.file.delivery_date
        return pa.RecordBatch.from_pydict(
            {
                "delivery_date": pa.array([str(day) if day else None] * n_lines, pa.string()),
                "file": pa.array([batch.file.name] * n_lines, pa.string()),
                "header_id": pa.array([batch.file.header_id] * n_lines, pa.int32()),
                "line_number": pa.array(batch.numbers, pa.int64()),
                "byte_offset": pa.array(batch.offsets, pa.int64()),
                "line": batch.lines,
                "line_hash": batch.hashes,
                "is_readable": pa.array(readable, pa.bool_()),
            }
        )

    return map_lines(spark, files, LINE_SCHEMA, reading, describe)


def read_batches(file: LineFile, reading: LineReading, begin: LinePlace | None = None) -> Iterator[LineBatch]:
    """Yield every line of the file that holds a record, some thousands at a time.

    Args:
        file: to read.
        reading: how.
        begin: the line to begin with, of a file that `can_begin_anywhere`; left out, the first.
    """
    said = "".join(
        f"\0{found.group(1) if (found := re.search(pattern, file.name)) else ''}" for pattern in reading.patterns
    )
    if reading.feed_name is not None:
        said += f"\0\0{reading.feed_name}"
    hashed, meaning = KeyedHash(reading.key), said.encode()
    placed_batches = _batches(file, reading) if begin is None else _later_batches(file.path, reading, begin)
    for placed in _unnested(placed_batches, reading.unnested) if reading.unnested else placed_batches:
        hashes = [hashed(line + meaning) for line in placed.lines.cast(pa.binary()).to_pylist()]
        lines = _bearable(placed.lines)
        yield LineBatch(file, placed.numbers, placed.offsets, lines, pa.array(hashes, pa.string()))


def _unnested(batches: Iterable[PlacedLines], keys: Sequence[str]) -> Iterator[PlacedLines]:
    """Yield a line for each element of the records' lists: at its record's offset, numbered as lines of their own."""

    def lines() -> Iterator[tuple[int, int, str]]:
        more = 0
        for batch in batches:
            placed = zip(batch.numbers.tolist(), batch.offsets.tolist(), batch.lines.to_pylist(), strict=True)
            for number, offset, line in placed:
                found = unnested(line, keys)
                yield from ((number + more + place, offset, one) for place, one in enumerate(found))
                more += len(found) - 1

    yield from _collected(lines())


def n_unnested_lines(path: Path, source: Source) -> int:
    """Return how many lines a file of records has whose lists hold them."""
    reading = reading_of(source, b"")
    return sum(
        n_unnested(line, reading.unnested)
        for batch in _batches(LineFile(path, path.name), reading)
        for line in batch.lines.to_pylist()
    )


def _bearable(lines: pa.StringArray) -> pa.StringArray:
    """Return the lines; one too long to be carried is replaced by a short line that is rejected as unreadable."""
    if lines.nbytes <= LONGEST_LINE or pc.max(pc.utf8_length(lines)).as_py() <= LONGEST_LINE:
        return lines
    stand_ins = [
        line if len(line) <= LONGEST_LINE else f"{UNDECODABLE}a line of {len(line)} characters"
        for line in lines.to_pylist()
    ]
    return pa.array(stand_ins, pa.string())


def is_readable(line: str, *, is_json: bool, delimiter: str = ",") -> bool:
    """Return whether a line is text and, for JSON, one whole object; any line gets an answer, never an exception."""
    if line.startswith(UNDECODABLE) or not line.strip():
        return False
    return read_object(line) is not None if is_json else line.count(delimiter) < MOST_VALUES


def _batches(file: LineFile, reading: LineReading) -> Iterator[PlacedLines]:
    path = file.path
    if reading.layout == "split":
        yield from _split_batches(path)
    elif reading.layout == "parquet":
        yield from _collected(_parquet_lines(path))
    elif reading.csv is not None and (reading.csv.quoted_line_breaks or reading.csv.changes_lines):
        yield from _collected(_records(file, reading))
    else:
        yield from _text_batches(path, reading)


def _text_batches(path: Path, reading: LineReading) -> Iterator[PlacedLines]:
    with open_bytes(path) as file:
        for found in placed_lines(file, reading.encoding):
            kept = found.after(reading.n_lines_above)
            if len(kept.lines):
                yield kept


def can_begin_anywhere(path: Path, reading: LineReading) -> bool:
    """Return whether lines of a file can be read without those before them: plain text, and each line a record."""
    is_text = reading.layout == "text" and path.suffix not in (".gz", ".zst", ".zip")
    return is_text and (reading.csv is None or not (reading.csv.quoted_line_breaks or reading.csv.changes_lines))


def _later_batches(path: Path, reading: LineReading, begin: LinePlace) -> Iterator[PlacedLines]:
    with open_bytes(path) as file:
        file.seek(begin.offset)
        for found in placed_lines(file, reading.encoding):
            yield PlacedLines(found.numbers + (begin.number - 1), found.offsets + begin.offset, found.lines)


def _collected(each: Iterator[tuple[int, int, str]]) -> Iterator[PlacedLines]:
    """Yield placed records, some thousands at a time."""
    numbers, offsets, lines, n_characters = [], [], [], 0
    for number, offset, line in each:
        numbers.append(number)
        offsets.append(offset)
        lines.append(line)
        n_characters += len(line)
        if len(lines) == _BATCH_ROWS or n_characters >= _BATCH_CHARACTERS:
            yield PlacedLines(np.array(numbers), np.array(offsets), pa.array(lines, pa.string()))
            numbers, offsets, lines, n_characters = [], [], [], 0
    if lines:
        yield PlacedLines(np.array(numbers), np.array(offsets), pa.array(lines, pa.string()))


def _split_batches(path: Path) -> Iterator[PlacedLines]:
    with pq.ParquetFile(path) as content:
        for batch in content.iter_batches(_SPLIT_ROWS, columns=["line_number", "byte_offset", "line"]):
            numbers, offsets, lines = batch.columns
            yield PlacedLines(numbers.to_numpy(), offsets.to_numpy(), lines)


def _records(file: LineFile, reading: LineReading) -> Iterator[tuple[int, int, str]]:
    form, completer = reading.csv, None
    with open_bytes(file.path) as content:
        for number, offset, line in records(content, form):
            is_first = number == 1 or number <= reading.n_lines_above  # or the header, below a title
            text = decode(line, reading.encoding, is_first=is_first)
            if completer is None and form is not None and form.changes_lines:
                own = form.columns or split_line(text, form) or ()
                completer = LineCompleter(form, own, file_mark(file.name, reading.key))
            if number <= reading.n_lines_above:
                continue
            yield number, offset, completer.complete(text, number) if completer is not None else text


def _parquet_lines(path: Path) -> Iterator[tuple[int, int, str]]:
    """Yield each row as a JSON line, with its number and the offset it would have in a file of such lines."""
    number = offset = 0
    with pq.ParquetFile(path) as content:
        for batch in content.iter_batches(_BATCH_ROWS):
            for line in _row_lines(batch):
                number += 1
                yield number, offset, line
                offset += len(line.encode("utf-8", "replace")) + 1


def _row_lines(batch: pa.RecordBatch) -> list[str]:
    """Yield each row as a JSON line; a row with values that Python can't hold is unreadable alone."""
    try:
        return [_row_line(row) for row in rows_of(batch)]
    except Exception:  # whatever a value is: invalid text, a time beyond the calendar, a type without a JSON form
        return [_row_line_or_stand_in(batch.slice(place, 1)) for place in range(batch.num_rows)]


def _row_line_or_stand_in(row: pa.RecordBatch) -> str:
    try:
        return _row_line(rows_of(row)[0])
    except Exception as error:
        content = hashlib.sha256(row.serialize()).hexdigest()
        return f"{UNDECODABLE}a row that can't be read ({type(error).__name__}), sha256 {content}"


def _row_line(row: dict[str, Any]) -> str:
    line = json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)
    line.encode()  # a lone surrogate has no bytes
    return line


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time | timedelta):
        return value // timedelta(microseconds=1) if isinstance(value, timedelta) else value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return _text_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    return value


def _text_of(value: bytes) -> str:
    """Return the text that some writers store as plain bytes; base64 of what is no text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")
