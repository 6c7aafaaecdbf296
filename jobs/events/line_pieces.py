"""Parsed lines between two steps: workers leave them in files, a file's lines by part of its delivery.

A part holds all acceptable lines of its shoppers, and is small enough for a worker. On the way through the JVM each
line would be turned into Spark's form, kept and shuffled; what Spark carries is only where the pieces lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

from conf.specs.source import Source
from jobs.events.line_events import buckets
from jobs.events.line_reasons import IntArray, identity_hashes, repetitions
from jobs.landing.parsed_lines import line_describer, shopper_names
from jobs.landing.raw_lines import LineBatch, LineFile, LineReading, read_batches
from jobs.landing.spelled_ids import LISTS, SpelledIds, SpelledNames, read, sum_of_spelled, written
from jobs.parsing.money import Rates
from jobs.spark.tasks import tasks_over

LINES_A_PART = 500_000
"""A worker holds a part whole, with about 1.5 kB for each line."""

_SPELLINGS = ".spellings.json"
_SAME, _FILE = "_same", ("delivery_date", "file")
_FOUND = StructType(
    [
        StructField("delivery_date", StringType()),
        StructField("part", IntegerType()),
        StructField("feed", StringType()),
        StructField("file", StringType()),
        StructField("path", StringType()),
        StructField("n_lines", LongType()),
    ]
)
_ARROW_FOUND = to_arrow_schema(_FOUND)


@dataclass(frozen=True)
class FeedFiles:
    """The files of one feed, and how its lines are read.

    Attributes:
        name: of the feed.
        source: narrowed to the feed.
        headers: column names for each `header_id`.
        files: of all deliveries.
        reading: how workers read them.
        rates: of exchange, as far as they were delivered.
        hides_names: whether ids of events, decisions and slates, and names of files, become keyed hashes.
    """

    name: str
    source: Source
    headers: Sequence[Sequence[str]]
    files: Sequence[LineFile]
    reading: LineReading
    rates: Rates | None
    hides_names: bool

    @property
    def is_compared(self) -> bool:
        """Whether tables list shoppers by the ids that the feed's lines have."""
        return any(name in self.source.side_tables for name in LISTS) and not self.source.events.user_id.is_pseudonym


@dataclass(frozen=True)
class LinePiece:
    """Parsed lines of one file that belong to one part of its delivery.

    Attributes:
        delivery_date: of the delivery.
        part: its number, from 0.
        feed: name of the feed.
        file: as the lines name it.
        path: the Arrow file with the lines.
        n_lines: in it.
    """

    delivery_date: date
    part: int
    feed: str
    file: str
    path: Path
    n_lines: int


def n_parts_for(n_lines: int) -> int:
    """Return into how many parts a delivery of so many lines is split."""
    return max(1, -(-n_lines // LINES_A_PART))


def write_line_pieces(
    spark: SparkSession, feeds: Sequence[FeedFiles], n_parts: Mapping[date, int], n_buckets: int, folder: Path
) -> list[LinePiece]:
    """Parse every line of the files, and leave the pieces in the folder: one task a file, or some where all are small.

    Args:
        spark: whose workers parse.
        feeds: with their files.
        n_parts: of each delivery.
        n_buckets: into which shoppers are split.
        folder: of the pieces; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {str(day): n for day, n in n_parts.items()}
    readings = [replace(feed, files=()) for feed in feeds]  # every task is sent them

    def write(given: Iterable[tuple[int, LineFile]]) -> Iterator[pa.RecordBatch]:
        describers: dict[int, Callable[[LineBatch], pa.RecordBatch]] = {}
        names: dict[int, SpelledNames | None] = {}
        for number, file in given:
            feed, day = readings[number], str(file.delivery_date)
            if number not in describers:
                given_names = shopper_names(feed.source, feed.reading)
                names[number] = SpelledNames(given_names, feed.reading.key) if feed.is_compared else None
                describers[number] = line_describer(
                    feed.source,
                    feed.headers,
                    feed.reading,
                    feed.rates,
                    hides_names=feed.hides_names,
                    names=names[number] or given_names,
                )
            if (spelled := names[number]) is not None:
                spelled.begin(day)
            with _PieceWriter(folder, feed.name, day, parts[day], n_buckets) as writer:
                for lines in read_batches(file, feed.reading):
                    writer.write(describers[number](lines))
            _leave_spellings(spelled, folder, day)
            yield pa.RecordBatch.from_pylist(writer.found, _ARROW_FOUND)

    given = [(number, file) for number, feed in enumerate(feeds) for file in feed.files]
    n_bytes = sum(file.path.stat().st_size for _, file in given)
    found = tasks_over(spark, given, write, _FOUND, n_bytes=n_bytes).collect()
    return [
        LinePiece(
            date.fromisoformat(row["delivery_date"]),
            row["part"],
            row["feed"],
            row["file"],
            Path(row["path"]),
            row["n_lines"],
        )
        for row in found
    ]


def read_spellings(folder: Path) -> dict[date, SpelledIds]:
    """Return how some shoppers of each delivery are spelled, as the tasks that parsed the lines left it."""
    by_day: dict[date, SpelledIds] = {}
    for path in folder.glob(f"*{_SPELLINGS}"):
        day = date.fromisoformat(path.name[: len("2026-01-31")])
        by_day[day] = sum_of_spelled([by_day.get(day, {}), read(path.read_text())])
    return by_day


def _leave_spellings(names: SpelledNames | None, folder: Path, day: str) -> None:
    """Write how some shoppers of a file are spelled: beside the pieces, since Spark would carry each to the driver."""
    if names is not None and (found := names.taken()):
        (folder / f"{day}-{uuid4().hex}{_SPELLINGS}").write_text(written(found))


class _PieceWriter:
    """Writes the lines of one file to a piece for each part; `found` says which, once it is closed."""

    def __init__(self, folder: Path, feed: str, day: str, n_parts: int, n_buckets: int) -> None:
        self._folder, self._feed, self._day = folder, feed, day
        self._n_parts, self._n_buckets = n_parts, n_buckets
        self._files: dict[int, tuple[Path, Any]] = {}
        self._n_lines: dict[int, int] = {}
        self._file = ""

    def __enter__(self) -> _PieceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._files.values():
            one[1].close()

    @property
    def found(self) -> list[dict[str, Any]]:
        """The pieces that have lines."""
        return [
            {
                "delivery_date": self._day,
                "part": part,
                "feed": self._feed,
                "file": self._file,
                "path": str(path),
                "n_lines": self._n_lines[part],
            }
            for part, (path, _) in self._files.items()
        ]

    def write(self, lines: pa.RecordBatch) -> None:
        """Write a batch of the file's lines, columns of `PARSED_SCHEMA`."""
        if not lines.num_rows:
            return
        self._file = lines["file"][0].as_py()
        kept = lines.select([name for name in lines.schema.names if name not in _FILE])
        kept = kept.append_column(_SAME, identity_hashes(lines))
        if self._n_parts == 1:
            self._append(0, kept)
            return
        parts = part_numbers(lines, self._n_parts, self._n_buckets)
        order = np.argsort(parts, kind="stable")
        ordered, counts = kept.take(pa.array(order)), np.bincount(parts, minlength=self._n_parts)
        for part, start in enumerate((np.cumsum(counts) - counts).tolist()):
            if counts[part]:
                self._append(part, ordered.slice(start, int(counts[part])))

    def _append(self, part: int, lines: pa.RecordBatch) -> None:
        if part not in self._files:
            path = self._folder / f"{self._day}-{part}-{uuid4().hex}.arrow"
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._files[part] = path, pa.ipc.new_file(path, lines.schema, options=options)
        self._files[part][1].write_batch(lines)
        self._n_lines[part] = self._n_lines.get(part, 0) + lines.num_rows


def part_numbers(lines: pa.RecordBatch, n_parts: int, n_buckets: int) -> IntArray:
    """Return the part that each line goes to, `(n,)`: an acceptable one's follows from its shopper's bucket.

    Where there are more parts than buckets, shoppers of a bucket are spread over several.
    """
    users = pc.fill_null(lines["user_id"], "")
    n_ways = -(-n_parts // n_buckets)
    fine = buckets(users, n_buckets * n_ways)
    # The bucket of a shopper is the rest of the finer number, since n_buckets divides n_buckets * n_ways.
    found = ((fine % n_buckets) * n_ways + fine // n_buckets) % n_parts
    is_rejected = np.asarray(lines["reason"].is_valid().to_numpy(zero_copy_only=False))
    return np.where(is_rejected, np.arange(len(found)) % n_parts, found)


def number_repetitions(pieces: Sequence[LinePiece]) -> dict[Path, IntArray]:
    """Return, for each piece of one delivery that has repetitions, how many lines with its identity stand before each.

    Nearly all lines are alone with their identity: only the others are compared.
    """
    hashes = [_column(piece.path, _SAME) for piece in pieces]
    known = np.sort(np.concatenate([np.asarray(one.drop_null()) for one in hashes]))
    repeated = pa.array(np.unique(known[1:][known[1:] == known[:-1]]), pa.uint64())
    if not len(repeated):
        return {}
    rows = [np.flatnonzero(np.asarray(pc.is_in(one, value_set=repeated))) for one in hashes]
    together = [
        _columns(piece.path, ["event_id", "line_hash", "line_number"])
        .take(pa.array(places))
        .append_column("file", pa.repeat(pa.scalar(piece.file), len(places)))
        for piece, places in zip(pieces, rows, strict=True)
    ]
    numbers = repetitions(pa.concat_tables(together))
    found, start = {}, 0
    for piece, places in zip(pieces, rows, strict=True):
        of_piece, start = numbers[start : start + len(places)], start + len(places)
        if of_piece.any():
            found[piece.path] = np.zeros(piece.n_lines, dtype=np.int64)
            found[piece.path][places] = of_piece
    return found


def read_piece(piece: LinePiece) -> pa.Table:
    """Return the lines of a piece: columns of `PARSED_SCHEMA`, and feed."""
    with pa.ipc.open_file(piece.path) as file:
        lines = file.read_all().drop_columns([_SAME])
    texts = {"file": piece.file, "feed": piece.feed}
    for name, text in texts.items():
        lines = lines.append_column(name, pa.repeat(pa.scalar(text), lines.num_rows))
    return lines


def _column(path: Path, name: str) -> pa.Array:
    return _columns(path, [name])[name].combine_chunks()


def _columns(path: Path, names: Sequence[str]) -> pa.Table:
    with pa.ipc.open_file(path) as file:
        places = sorted(file.schema.get_field_index(name) for name in names)
    with pa.ipc.open_file(path, options=pa.ipc.IpcReadOptions(included_fields=places)) as file:
        return file.read_all()
