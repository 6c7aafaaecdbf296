"""Features of the kernel as values of a table's observation column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from conf.kernel.arrays import IntArray
from conf.kernel.stream import NO_ID


def observation_structs(
    features: Mapping[str, IntArray], lengths: Mapping[str, int | None], point: IntArray
) -> pa.StructArray:
    """Return the features at the points: numbers, and lists without their padding.

    Args:
        features: by name, `(n_points,)` or `(n_points, length)`.
        lengths: how long a list is, by name in the order of the fields; None for numbers.
        point: of each row.
    """
    arrays = [pa.array(features[n][point]) if lengths[n] is None else _lists(features[n][point]) for n in lengths]
    return pa.StructArray.from_arrays(arrays, list(lengths))


def _lists(ids: IntArray) -> pa.ListArray:
    is_id = ids != NO_ID
    offsets = np.concatenate([[0], np.cumsum(is_id.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids[is_id]))
