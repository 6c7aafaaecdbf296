"""The total order of events: (event_time, type rank, event_id)."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.event_types import EVENT_TYPE_RANK


def type_rank(event_type: Column) -> Column:
    """Return the rank of a canonical event type among events of one instant, as an int."""
    ranks = F.create_map(*[F.lit(part) for pair in EVENT_TYPE_RANK.items() for part in pair])
    return F.element_at(ranks, event_type)


def total_order() -> list[Column]:
    """Return the columns to order events by, so that "before" means one thing everywhere."""
    return [F.col("event_time"), type_rank(F.col("event_type")), F.col("event_id")]
