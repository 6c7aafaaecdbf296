"""Parquet columns of less than double precision, read as what a shop wrote."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from jobs.landing.single_precision import rows_of

SINGLES = st.floats(min_value=-(2**23), max_value=2**23, width=32)


def batch_of(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def test_singles_are_their_shortest_decimals() -> None:
    """As a shop wrote them, nulls and what is no number among them; doubles stay as they are."""
    singles = pa.array([1999.99, None, float("nan"), 0.1, -3.0], pa.float32())
    rows = rows_of(batch_of(paid=singles, half=pa.array([1.1] * 5, pa.float16()), exact=pa.array([0.1] * 5)))
    assert [row["paid"] for row in rows if row["paid"] is None or not math.isnan(row["paid"])] == [
        1999.99,
        None,
        0.1,
        -3.0,
    ]
    assert rows[0]["half"] == 1.1
    assert rows[0]["exact"] == 0.1


def test_singles_within_structs_and_lists_are_read_alike() -> None:
    """Cut batches, whose lists don't begin at the first element, too."""
    lists = pa.array([[1.1], [2.2, 3.3], None, []], pa.list_(pa.float32()))
    structs = pa.array([{"a": 1.1}, {"a": None}, None, {"a": 4.4}], pa.struct([("a", pa.float32())]))
    batch = batch_of(lists=lists, structs=structs)
    expected = [
        {"lists": [1.1], "structs": {"a": 1.1}},
        {"lists": [2.2, 3.3], "structs": {"a": None}},
        {"lists": None, "structs": None},
        {"lists": [], "structs": {"a": 4.4}},
    ]
    assert rows_of(batch) == expected
    assert rows_of(batch.slice(1, 2)) == expected[1:3]


def test_numbers_that_share_a_value_are_no_numbers() -> None:
    """From 2**24 on, two ids may have become one: the row's own column says so, and no other is touched."""
    ids = pa.array(np.array([2**24 - 1, 2**24, 2**24 + 1], dtype=np.float32))
    rows = rows_of(batch_of(id=ids, n=pa.array([1, 2, 3])))
    assert rows[0] == {"id": 2**24 - 1, "n": 1}
    assert [row["id"] for row in rows[1:]] == [{"single_precision": 2.0**24}] * 2
    assert [row["n"] for row in rows] == [1, 2, 3]


@given(st.lists(SINGLES, min_size=1, max_size=20))
def test_what_is_read_names_the_same_single(values: list[float]) -> None:
    """And no shorter text would."""
    found = [row["x"] for row in rows_of(batch_of(x=pa.array(values, pa.float32())))]
    assert [np.float32(one) for one in found] == [np.float32(one) for one in values]
    assert all(len(repr(one)) <= len(repr(float(np.float32(one)))) for one in found)
