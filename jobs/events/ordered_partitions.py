"""Whole shoppers, in the total order, handed to one function a partition: how Spark calls the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from conf.event_types import EVENT_TYPE_RANK
from jobs.events.event_order import type_rank
from jobs.events.shopper_files import ShopperFiles, ShopperPart, read_part
from jobs.publishing.row_cells import sorted_places
from jobs.spark.same_ground import ground_of, refuse_strange
from jobs.spark.tasks import tasks_over

_ROWS_A_BATCH = 65_536
_RANK = "_rank"
_ORDER = ("user_id", "event_time", _RANK, "event_id")
_RANKED_TYPES = pa.array(sorted(EVENT_TYPE_RANK, key=EVENT_TYPE_RANK.__getitem__))

EVENTS_A_PARTITION = 800_000
"""A worker holds a partition whole, with up to 2.5 kB for each event where observations hold lists: some 2 GB."""


def n_partitions_for(n_events: int, configured: int) -> int:
    """Return how many parts the shoppers are split into: as many as configured, more where these would be too large.

    Args:
        n_events: that will be read, or more.
        configured: of the deployment (`NIGHTCART_SHUFFLE_PARTITIONS`).
    """
    return max(configured, -(-n_events // EVENTS_A_PARTITION))


def by_shopper(
    events: DataFrame | ShopperFiles,
    columns: Sequence[str],
    made_of: Callable[[pa.Table], pa.Table],
    schema: StructType,
    *,
    n_partitions: int = 0,
) -> DataFrame:
    """Return what the function makes of each partition's shoppers; the shop's own events (no shopper) are left out.

    Args:
        events: accepted events, each once: as rows, which Spark sorts, or as files, which the workers read themselves.
        columns: that the function reads.
        made_of: of the rows of whole shoppers, by shopper in the total order; gives the columns of the schema.
        schema: of what it gives.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
    """
    arrow_schema = to_arrow_schema(schema, timezone="UTC")
    if isinstance(events, ShopperFiles):
        return _of_files(events, columns, made_of, schema, n_partitions)
    shoppers = events.where(F.col("user_id") != "").select(*columns, type_rank(F.col("event_type")).alias(_RANK))
    parts = shoppers.repartition(n_partitions, "user_id") if n_partitions else shoppers.repartition("user_id")
    ordered = parts.sortWithinPartitions(*_ORDER).drop(_RANK)

    ground = ground_of(events.sparkSession)

    def of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        refuse_strange(ground)
        read = list(batches)
        if sum(batch.num_rows for batch in read):
            yield from _batches(made_of, pa.Table.from_batches(read), arrow_schema)

    return ordered.mapInArrow(of_partition, schema)


def _of_files(
    files: ShopperFiles,
    columns: Sequence[str],
    made_of: Callable[[pa.Table], pa.Table],
    schema: StructType,
    n_partitions: int,
) -> DataFrame:
    arrow_schema, table_schema = to_arrow_schema(schema, timezone="UTC"), files.schema
    repeated = files.spark.sparkContext.broadcast(dict(files.repeated))

    def of_parts(parts: Iterable[ShopperPart]) -> Iterator[pa.RecordBatch]:
        for part in parts:
            rows = read_part(part, columns, table_schema, repeated.value)
            if rows.num_rows:
                yield from _batches(made_of, in_total_order(rows), arrow_schema)

    return tasks_over(files.spark, files.parts(n_partitions), of_parts, schema)


def in_total_order(rows: pa.Table) -> pa.Table:
    """Return events by shopper, and those of a shopper by time, rank of the type and event id."""
    ranks = pc.fill_null(pc.index_in(rows["event_type"], value_set=_RANKED_TYPES), -1)
    places = sorted_places(rows.append_column(_RANK, ranks), _ORDER)
    return rows.take(pa.array(places)).combine_chunks()


def _batches(
    made_of: Callable[[pa.Table], pa.Table], rows: pa.Table, arrow_schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    try:
        made = made_of(rows)
    except (MemoryError, pa.ArrowInvalid) as error:
        raise RuntimeError(
            f"{rows.num_rows} events of one partition are more than a worker can hold ({error}); raise "
            "NIGHTCART_SHUFFLE_PARTITIONS, into how many parts shoppers are split"
        ) from error
    yield from made.cast(arrow_schema).to_batches(max_chunksize=_ROWS_A_BATCH)
