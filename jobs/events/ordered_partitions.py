"""Whole shoppers, in the total order, handed to one function a partition: how Spark calls the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs.events.event_order import type_rank

_ROWS_A_BATCH = 65_536

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
    events: DataFrame,
    columns: Sequence[str],
    made_of: Callable[[pa.Table], pa.Table],
    schema: StructType,
    *,
    n_partitions: int = 0,
) -> DataFrame:
    """Return what the function makes of each partition's shoppers; the shop's own events (no shopper) are left out.

    Args:
        events: accepted events, each once.
        columns: that the function reads.
        made_of: of the rows of whole shoppers, by shopper in the total order; gives the columns of the schema.
        schema: of what it gives.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
    """
    rank = "_rank"
    shoppers = events.where(F.col("user_id") != "").select(*columns, type_rank(F.col("event_type")).alias(rank))
    parts = shoppers.repartition(n_partitions, "user_id") if n_partitions else shoppers.repartition("user_id")
    ordered = parts.sortWithinPartitions("user_id", "event_time", rank, "event_id").drop(rank)
    arrow_schema = to_arrow_schema(schema, timezone="UTC")

    def of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        read = list(batches)
        if not sum(batch.num_rows for batch in read):
            return
        try:
            made = made_of(pa.Table.from_batches(read))
        except (MemoryError, pa.ArrowInvalid) as error:
            n_events = sum(batch.num_rows for batch in read)
            raise RuntimeError(
                f"{n_events} events of one partition are more than a worker can hold ({error}); raise "
                "NIGHTCART_SHUFFLE_PARTITIONS, into how many parts shoppers are split"
            ) from error
        yield from made.cast(arrow_schema).to_batches(max_chunksize=_ROWS_A_BATCH)

    return ordered.mapInArrow(of_partition, schema)
