"""Numbers of single or half precision as their shortest decimals: what a shop wrote, not the nearest double to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LARGEST_EXACT: dict[pa.DataType, int] = {pa.float16(): 2**11, pa.float32(): 2**24}
"""Up to which bound every whole number has a value of its own; beyond, several share one."""

BEYOND = "single_precision"
"""Key of the object that stands for a number beyond the bound: no field takes an object for an id or a number."""


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as Python has them, 1999.99 of single precision as 1999.99."""
    columns = [_widened(column) for column in batch.columns]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for row in np.flatnonzero(_is_beyond(column)).tolist():
            rows[row][name] = {BEYOND: rows[row][name]}
    return rows


def _is_beyond(column: pa.Array) -> npt.NDArray[np.bool_]:
    bound = LARGEST_EXACT.get(column.type)
    if bound is None:
        return np.zeros(0, dtype=np.bool_)
    numbers = column.to_numpy(zero_copy_only=False)
    found: npt.NDArray[np.bool_] = np.isfinite(numbers) & (np.abs(numbers) >= bound)
    return found


def _widened(column: pa.Array) -> pa.Array:
    """Return the column with numbers of less precision as doubles, in structs and lists, too."""
    if pa.types.is_struct(column.type):
        fields = [_widened(part) for part in column.flatten()]
        names = [column.type.field(place).name for place in range(column.type.num_fields)]
        return pa.StructArray.from_arrays(fields, names, mask=column.is_null())
    if pa.types.is_list(column.type):
        whole = pa.concat_arrays([column])  # whose offsets start at 0
        return pa.ListArray.from_arrays(whole.offsets, _widened(whole.values), mask=whole.is_null())
    if column.type not in LARGEST_EXACT:
        return column
    numbers = column.to_numpy(zero_copy_only=False)
    is_finite = np.isfinite(numbers)
    # Text of a single is the shortest that names it.
    shortest = np.where(is_finite, numbers, 0).astype(column.type.to_pandas_dtype()).astype(str).astype(np.float64)
    doubles = np.where(is_finite, shortest, numbers.astype(np.float64))
    return pa.array(doubles, pa.float64(), mask=np.asarray(column.is_null()))
