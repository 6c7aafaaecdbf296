"""Whole shoppers, read by Python's workers from the published files themselves.

Events lie in files by shopper's bucket, in each of which they stand by shopper. So a worker that reads one bucket's
files has whole shoppers, without a shuffle through the JVM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from conf.paths import Lake, path_date, path_value
from conf.tables import EVENTS
from jobs.events.events_reading import published_files
from jobs.events.line_events import buckets
from jobs.events.repeated_ids import MOST_REPEATED, IdsByCell, repeated_ids
from jobs.publishing.row_cells import ROWS_A_GROUP
from jobs.publishing.row_pieces import arrow_schema
from jobs.spark.tasks import tasks_over

_DAYS = ("event_date", "delivery_date")


@dataclass(frozen=True)
class EventFile:
    """A file of events: of one event date, delivery and bucket of shoppers, by user id."""

    path: Path
    event_date: date
    delivery_date: date


@dataclass(frozen=True)
class ShopperPart:
    """What one task reads: the shoppers of a bucket from one user id (inclusive) up to another (exclusive).

    None stands for no bound.
    """

    files: tuple[EventFile, ...]
    first: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class ShopperFiles:
    """Files that hold the events of some days, each shopper's in one bucket.

    Attributes:
        spark: whose workers read them.
        buckets: the files of each bucket.
        repeated: ids of the events that an earlier delivery holds, which don't count, by event date and delivery.
        schema: of the table's columns.
    """

    spark: SparkSession
    buckets: Mapping[str, tuple[EventFile, ...]]
    repeated: IdsByCell = field(repr=False)
    schema: pa.Schema = field(repr=False)

    def parts(self, n_parts: int) -> list[ShopperPart]:
        """Return what the tasks read: the buckets, cut into at least as many parts where shoppers allow it."""
        n_cuts = -(-n_parts // max(1, len(self.buckets)))
        return [part for _, files in sorted(self.buckets.items()) for part in _cut(files, n_cuts)]


def shopper_files(
    spark: SparkSession,
    lake: Lake,
    *,
    n_buckets: int,
    first_event_date: date,
    last_event_date: date,
    last_delivery_date: date,
) -> ShopperFiles | None:
    """Return the files of the days' events by the last delivery; None where they can't be read by shopper.

    That is so where a file holds shoppers of another bucket, since it was written when there were more or fewer of
    them, or where more events are delivered again than a worker should know of.

    Raises:
        DamagedFile, DeliveryError: as of `read_events`.
    """
    folder = lake.table(EVENTS.name)
    names = published_files(lake, EVENTS, last_delivery_date, first_event_date, last_event_date)
    by_bucket: dict[str, list[EventFile]] = defaultdict(list)
    unknown: list[tuple[Path, int]] = []
    for name in sorted(names):
        if names[name] != n_buckets:
            unknown.append((folder / name, int(path_value(name, "user_bucket"))))
        days = {column: path_date(name, column) for column in _DAYS}
        by_bucket[path_value(name, "user_bucket")].append(EventFile(folder / name, **days))
    files = [file for some in by_bucket.values() for file in some]
    if not _agree(spark, unknown, n_buckets):
        return None
    repeated = repeated_ids(spark, [(one.path, one.event_date, one.delivery_date) for one in files])
    if sum(map(len, repeated.values())) > MOST_REPEATED:
        return None
    whole = {bucket: tuple(some) for bucket, some in by_bucket.items()}
    return ShopperFiles(spark, whole, repeated, arrow_schema(EVENTS))


def _agree(spark: SparkSession, files: Sequence[tuple[Path, int]], n_buckets: int) -> bool:
    """Return whether every file holds shoppers of its bucket alone."""
    if not files:
        return True

    def look(given: Iterable[Sequence[tuple[Path, int]]]) -> Iterator[pa.RecordBatch]:
        n_strange = sum(not holds_bucket(path, bucket, n_buckets) for some in given for path, bucket in some)
        yield pa.RecordBatch.from_pydict({"n_strange": pa.array([n_strange], pa.int64())})

    n_tasks = min(len(files), spark.sparkContext.defaultParallelism)
    given = [files[number::n_tasks] for number in range(n_tasks)]
    rows = tasks_over(spark, given, look, StructType([StructField("n_strange", LongType())])).collect()
    return not any(row["n_strange"] for row in rows)


def holds_bucket(path: Path, bucket: int, n_buckets: int) -> bool:
    """Return whether the file holds shoppers of the bucket alone, of so many."""
    with pq.ParquetFile(path, read_dictionary=["user_id"]) as content:
        for batch in content.iter_batches(columns=["user_id"], batch_size=ROWS_A_GROUP):
            known = batch.column(0).dictionary.cast(pa.string())
            if len(known) and (buckets(known, n_buckets) != bucket).any():
                return False
    return True


def read_part(part: ShopperPart, columns: Sequence[str], schema: pa.Schema, repeated: IdsByCell) -> pa.Table:
    """Return the events of a part's shoppers, each once, in no order.

    Args:
        part: which shoppers, and where they are.
        columns: of the table, and of event_date and delivery_date; user_id and event_id among them.
        schema: of the table's columns; one that a file of an earlier release lacks is null.
        repeated: ids of events that don't count, by event date and delivery.
    """
    wanted = pa.schema([schema.field(name) for name in columns if name not in _DAYS])
    found = [_read_file(file, part, wanted, repeated) for file in part.files]
    return pa.concat_tables(found).select(list(columns)) if found else _nothing(columns, wanted)


def _read_file(file: EventFile, part: ShopperPart, wanted: pa.Schema, repeated: IdsByCell) -> pa.Table:
    with pq.ParquetFile(file.path, coerce_int96_timestamp_unit="us") as content:
        names = [name for name in wanted.names if name in content.schema_arrow.names]
        groups = [number for number in range(content.num_row_groups) if _may_hold(content, number, part)]
        rows = content.read_row_groups(groups, columns=names)
    is_wanted = pc.not_equal(rows["user_id"], "")
    if part.first is not None:
        is_wanted = pc.and_(is_wanted, pc.greater_equal(rows["user_id"], part.first))
    if part.end is not None:
        is_wanted = pc.and_(is_wanted, pc.less(rows["user_id"], part.end))
    dropped = repeated.get((file.event_date, file.delivery_date))
    if dropped is not None:
        is_wanted = pc.and_(is_wanted, pc.invert(pc.is_in(rows["event_id"], value_set=dropped)))
    rows = rows.filter(is_wanted)
    for one in wanted:
        if one.name not in names:
            rows = rows.append_column(one.name, pa.nulls(len(rows), one.type))
    rows = rows.select(wanted.names).cast(wanted)
    for name in _DAYS:
        day = pa.scalar(getattr(file, name), pa.date32())
        rows = rows.append_column(name, pa.repeat(day, len(rows)))
    return rows


def _nothing(columns: Sequence[str], wanted: pa.Schema) -> pa.Table:
    types = {name: pa.date32() for name in _DAYS} | {one.name: one.type for one in wanted}
    return pa.schema([(name, types[name]) for name in columns]).empty_table()


def _may_hold(content: pq.ParquetFile, group: int, part: ShopperPart) -> bool:
    """Return False where the row group's least and greatest user id say that none of the part's shoppers is there."""
    place = content.schema_arrow.get_field_index("user_id")
    known = content.metadata.row_group(group).column(place).statistics
    if known is None or not known.has_min_max:
        return True
    is_before = part.first is not None and known.max < part.first
    is_after = part.end is not None and known.min >= part.end
    return not (is_before or is_after)


def _cut(files: Sequence[EventFile], n_cuts: int) -> list[ShopperPart]:
    """Return parts of a bucket's shoppers, of about as many events each, judged by the bucket's largest file."""
    if n_cuts <= 1:
        return [ShopperPart(tuple(files))]
    largest = max(files, key=lambda one: (one.path.stat().st_size, one.path))
    users = np.sort(np.asarray(pq.read_table(largest.path, columns=["user_id"])["user_id"].to_numpy(), dtype=object))
    places = [len(users) * number // n_cuts for number in range(1, n_cuts)]
    bounds = [None, *sorted({users[place] for place in places if users[place]}), None]
    return [ShopperPart(tuple(files), first, end) for first, end in pairwise(bounds)]
