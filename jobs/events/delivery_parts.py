"""Deliveries become files of events and of rejected lines: parsed, compared with one another, written by the workers.

Two steps of Spark: lines to pieces, a task a file; pieces to sorted files, a task for each part of a delivery. Between
them the driver finds which lines stand more than once.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from conf.specs.source import Source
from jobs.events.id_samples import IdSample, sample_ids, sum_of_samples
from jobs.events.line_events import events_of, rejected_of
from jobs.events.line_pieces import (
    FeedFiles,
    LinePiece,
    n_parts_for,
    number_repetitions,
    read_piece,
    read_spellings,
    write_line_pieces,
)
from jobs.events.line_reasons import IntArray, with_reasons
from jobs.landing.days_beyond import hours_of_feeds
from jobs.landing.delivery_drift import Profile, profile_of, sum_of_profiles
from jobs.landing.delivery_limits import RejectedLines, sum_of_summaries, summarize
from jobs.landing.spelled_ids import SpelledIds
from jobs.publishing.publishing import Target
from jobs.publishing.row_cells import write_cells
from jobs.publishing.row_pieces import arrow_schema
from jobs.spark.tasks import tasks_over

_PIECES = "_pieces"
_FOUND = StructType([StructField("told", StringType())])
_ARROW_FOUND = to_arrow_schema(_FOUND)


@dataclass(frozen=True)
class WrittenLines:
    """What became of the lines of deliveries.

    Attributes:
        summary: how many lines share a reason, of each delivery and feed.
        profiles: what is counted of the accepted lines, by delivery and feed.
        ids: some of those that the accepted lines name, by delivery.
        spelled: how some shoppers are spelled, by delivery, where tables list shoppers.
    """

    summary: list[RejectedLines]
    profiles: dict[date, dict[str, Profile]]
    ids: dict[date, IdSample]
    spelled: dict[date, SpelledIds] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where rows of a table are written: its target, and the staging folder."""

    target: Target
    folder: Path


def write_lines(
    spark: SparkSession,
    source: Source,
    feeds: Sequence[FeedFiles],
    n_lines: Mapping[date, int],
    *,
    events: Place,
    rejected: Place,
) -> WrittenLines:
    """Write the events and the rejected lines of deliveries below the staging folders; return what became of them.

    Args:
        spark: whose workers do it.
        source: with all feeds.
        feeds: with the files of the deliveries.
        n_lines: of each delivery.
        events: where events go.
        rejected: where rejected lines go.
    """
    n_parts = {day: n_parts_for(n) for day, n in n_lines.items()}
    pieces = write_line_pieces(spark, feeds, n_parts, source.user_buckets, events.folder / _PIECES)
    by_delivery: dict[date, list[LinePiece]] = defaultdict(list)
    for piece in sorted(pieces, key=lambda one: (one.delivery_date, one.part, one.file)):
        by_delivery[piece.delivery_date].append(piece)
    for some in by_delivery.values():
        for path, numbers in number_repetitions(some).items():
            np.save(_beside(path), numbers)
    written = _written(spark, source, pieces, events, rejected)
    spelled = read_spellings(events.folder / _PIECES)
    shutil.rmtree(events.folder / _PIECES)
    return replace(written, spelled=spelled)


def _written(
    spark: SparkSession, source: Source, pieces: Sequence[LinePiece], events: Place, rejected: Place
) -> WrittenLines:
    """Write the files of each part: a task a part."""
    parts: dict[tuple[str, int], list[LinePiece]] = defaultdict(list)
    for piece in pieces:
        parts[str(piece.delivery_date), piece.part].append(piece)
    if not parts:
        return WrittenLines([], {}, {})
    schemas = arrow_schema(events.target.table), arrow_schema(rejected.target.table)

    def write(given: Iterable[tuple[str, int, list[LinePiece]]]) -> Iterator[pa.RecordBatch]:
        for delivery_date, part, some in given:
            lines = with_reasons(pa.concat_tables(map(read_piece, some)), _numbers(some), source)
            name, day = f"part-{part:05d}", pa.scalar(date.fromisoformat(delivery_date), pa.date32())
            for rows, place, schema in (
                (events_of(lines, source.user_buckets), events, schemas[0]),
                (rejected_of(lines), rejected, schemas[1]),
            ):
                dated = rows.append_column("delivery_date", pa.repeat(day, rows.num_rows))
                to = place.target
                write_cells(dated, schema, to.path_columns, to.sort_columns, place.folder, name)
            told = [asdict(one) | {"delivery_date": None} for one in summarize(lines, day.as_py())]
            beyond = hours_of_feeds(lines, day.as_py(), source)
            profile = {feed: counts | beyond.get(feed, {}) for feed, counts in profile_of(lines).items()}
            answer = {"day": delivery_date, "lines": told, "profile": profile, "ids": sample_ids(lines)}
            yield pa.RecordBatch.from_pylist([{"told": json.dumps(answer)}], _ARROW_FOUND)

    given = [(day, part, some) for (day, part), some in sorted(parts.items())]
    n_bytes = sum(piece.path.stat().st_size for piece in pieces)
    answers = [json.loads(row["told"]) for row in tasks_over(spark, given, write, _FOUND, n_bytes=n_bytes).collect()]
    profiles: dict[date, list[Mapping[str, Profile]]] = defaultdict(list)
    samples: dict[date, list[IdSample]] = defaultdict(list)
    summary: list[RejectedLines] = []
    for answer in answers:
        day = date.fromisoformat(answer["day"])
        profiles[day].append(answer["profile"])
        samples[day].append(answer["ids"])
        summary += [RejectedLines(**one | {"delivery_date": day}) for one in answer["lines"]]
    total = sum_of_summaries(summary)
    ids = {day: sum_of_samples(some) for day, some in samples.items()}
    return WrittenLines(total, sum_of_profiles(profiles, total), ids)


def _numbers(pieces: Sequence[LinePiece]) -> IntArray:
    """Return how many lines with its identity stand before each line of the pieces, one piece after the other."""
    kept = [_beside(piece.path) for piece in pieces]
    return np.concatenate(
        [
            np.load(path) if path.exists() else np.zeros(piece.n_lines, dtype=np.int64)
            for path, piece in zip(kept, pieces, strict=True)
        ]
    )


def _beside(path: Path) -> Path:
    return path.with_suffix(".before.npy")
