"""Partial sums as an Arrow table, so that parts of a log can be summed anywhere and merged elsewhere.

One row an estimator and unit. Rows of several parts are simply put below each other: the merge happens on reading,
or on another machine for a share of the units.

No command reaches it yet: it waits for an evaluation on Spark, whose parts are summed apart.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.intervals.partial_sums import PartialSums
from rl.ope.intervals.sums import RatioSums
from rl.ope.overlap.overlap_sums import COLUMNS, OverlapSums

OVERLAP = "overlap"
"""Stands in the place of an estimator's name in rows that hold a unit's overlap."""

SUMS_SCHEMA = pa.schema(
    [
        pa.field("estimator", pa.string(), nullable=False),
        pa.field("unit_id", pa.int64()),
        pa.field("numerators", pa.list_(pa.float64())),
        pa.field("denominators", pa.list_(pa.float64())),
        pa.field("largest_weight", pa.float64()),
        pa.field("refusal", pa.string()),
    ]
)
"""A refusal has no unit; `largest_weight` stands on rows of the overlap alone, whose sums are the `numerators`."""


def to_table(found: PartialSums) -> pa.Table:
    """Return the sums of a part, or of merged parts, in `SUMS_SCHEMA`."""
    tables = [_sums_rows(name, sums) for name, sums in found.sums.items()]
    overlap = found.overlap
    columns = {"numerators": _lists(overlap.sums), "largest_weight": pa.array(overlap.largest_weight)}
    tables.append(_rows(OVERLAP, pa.array(overlap.unit_ids), **columns))
    for name, reason in found.refusals.items():
        tables.append(_rows(name, pa.nulls(1, pa.int64()), refusal=pa.array([reason])))
    return pa.concat_tables(tables)


def from_table(table: pa.Table) -> PartialSums:
    """Return the merged sums of all parts whose rows the table holds, in any order.

    Raises:
        EvaluationError: a column is missing, or there is no overlap.
    """
    if missing := [name for name in SUMS_SCHEMA.names if name not in table.column_names]:
        raise EvaluationError(f"partial sums lack the columns {', '.join(missing)}; expected {SUMS_SCHEMA.names}")
    names = pc.unique(table["estimator"]).to_pylist()
    if OVERLAP not in names:
        raise EvaluationError("the table of partial sums has no rows of overlap: it holds no part")
    refused = table.filter(pc.is_valid(table["refusal"]))
    refusals = dict(zip(refused["estimator"].to_pylist(), refused["refusal"].to_pylist(), strict=True))
    sums = {
        name: _merged_sums(table.filter(pc.equal(table["estimator"], name)))
        for name in sorted(set(names) - {OVERLAP, *refusals})
    }
    return PartialSums(sums, refusals, _merged_overlap(table.filter(pc.equal(table["estimator"], OVERLAP))))


def merged_table(table: pa.Table) -> pa.Table:
    """Return one row for each estimator and unit of tables with several; any share of units may be merged apart."""
    return to_table(from_table(table))


def _sums_rows(name: str, sums: RatioSums) -> pa.Table:
    return _rows(
        name, pa.array(sums.unit_ids), numerators=_lists(sums.numerators), denominators=_lists(sums.denominators)
    )


def _rows(name: str, unit_ids: pa.Array, **columns: pa.Array) -> pa.Table:
    """Return the rows of one estimator; columns not given are null."""
    n = len(unit_ids)
    given = {"estimator": pa.array([name]).take(pa.array(np.zeros(n, dtype=np.int64))), "unit_id": unit_ids, **columns}
    return pa.table([given.get(f.name, pa.nulls(n, f.type)) for f in SUMS_SCHEMA], schema=SUMS_SCHEMA)


def _lists(values: FloatArray) -> pa.Array:
    n_rows, n_columns = values.shape
    offsets = pa.array(np.arange(n_rows + 1, dtype=np.int32) * n_columns)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).ravel()))


def _merged_sums(rows: pa.Table) -> RatioSums:
    unit_ids, unit = np.unique(rows["unit_id"].to_numpy(), return_inverse=True)
    numerators, denominators = _padded(rows["numerators"]), _padded(rows["denominators"], repeat_last=True)
    return RatioSums(
        unit_ids.astype(np.int64),
        _summed(numerators, unit, len(unit_ids)),
        _summed(denominators, unit, len(unit_ids)),
    )


def _merged_overlap(rows: pa.Table) -> OverlapSums:
    unit_ids, unit = np.unique(rows["unit_id"].to_numpy(), return_inverse=True)
    sums = _padded(rows["numerators"])
    if sums.shape[1] != len(COLUMNS):
        raise EvaluationError(f"rows of overlap hold {sums.shape[1]} sums, expected {len(COLUMNS)}: another version's")
    largest = np.zeros(len(unit_ids))
    np.maximum.at(largest, unit, rows["largest_weight"].to_numpy())
    return OverlapSums(unit_ids.astype(np.int64), _summed(sums, unit, len(unit_ids)), largest)


def _summed(values: FloatArray, unit: IntArray, n_units: int) -> FloatArray:
    """Return the rows of each unit added up, `(n_units, n_columns)`."""
    total = np.zeros((n_units, values.shape[1]))
    np.add.at(total, unit, values)
    return total


def _padded(column: pa.ChunkedArray, *, repeat_last: bool = False) -> FloatArray:
    """Return lists of any lengths as one matrix, filled with 0 or the list's last value, `(n_rows, longest)`."""
    lists = column.combine_chunks()
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.max(initial=0)))
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    values = flat[starts[:, None] + np.minimum(place, lengths[:, None] - 1)]
    is_own: BoolArray = place < lengths[:, None]
    return np.asarray(values if repeat_last else np.where(is_own, values, 0.0), dtype=np.float64)
