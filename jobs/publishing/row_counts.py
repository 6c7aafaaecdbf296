"""What is counted over the written rows of a partition, batch by batch in Arrow: the counters of its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

RowCount = Callable[[pa.RecordBatch], int]
"""Counts the rows of one batch; those of a partition's batches are added."""

RowCounts = Mapping[str, RowCount]
"""Counts by the name of their counter; they travel to the workers."""


def n_rows() -> RowCount:
    """Return how rows are counted."""
    return lambda batch: batch.num_rows


def n_true(column: str, *, expected: bool = True) -> RowCount:
    """Return how rows are counted whose flag is as expected; a null is neither."""
    return lambda batch: _total(pc.equal(batch.column(column), expected))


def n_equal(column: str, value: str | int) -> RowCount:
    """Return how rows are counted that hold the value."""
    return lambda batch: _total(pc.equal(batch.column(column), value))


def n_above(column: str, value: int) -> RowCount:
    """Return how rows are counted that hold more than the value."""
    return lambda batch: _total(pc.greater(batch.column(column), value))


def total(column: str) -> RowCount:
    """Return how whole numbers are summed; a null counts nothing."""
    return lambda batch: _total(batch.column(column))


def _total(values: pa.Array) -> int:
    return int(pc.sum(values).as_py() or 0)
