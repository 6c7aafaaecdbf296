"""What a stream takes, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from conf.kernel.arrays import IntArray
from conf.kernel.stream import STREAM_COLUMNS, stream_of, total_order
from tests.conf.kernel.columns_of_rows import array


def columns(**given: list[int]) -> dict[str, IntArray]:
    n_rows = len(next(iter(given.values())))
    zeros = {name: np.zeros(n_rows, dtype=np.int64) for name in STREAM_COLUMNS}
    return zeros | {name: array(values) for name, values in given.items()}


def test_total_order_is_by_time_then_rank_then_event_id() -> None:
    """Within a unit; in one instant an impression stands before a purchase, equal types by their ids."""
    order = total_order(
        unit=array([1, 0, 0, 0, 0]),
        time_us=array([0, 9, 5, 5, 5]),
        rank=array([0, 0, 10, 5, 5]),
        event=array([0, 1, 2, 4, 3]),
    )
    assert order.tolist() == [4, 3, 2, 1, 0]


def test_stream_knows_where_units_start() -> None:
    """And where the last one ends."""
    assert stream_of(columns(unit=[0, 0, 1, 3])).starts.tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    "unordered", [{"unit": [1, 0]}, {"time_us": [1, 0]}, {"rank": [1, 0]}, {"unit": [0, 0], "time_us": [5, 4]}]
)
def test_rows_out_of_order_are_refused(unordered: dict[str, list[int]]) -> None:
    """Everything that follows would be wrong."""
    with pytest.raises(ValueError, match="total_order"):
        stream_of(columns(**unordered))


def test_columns_that_are_missing_or_too_short_are_refused() -> None:
    """By name."""
    whole = columns(unit=[0, 0])
    with pytest.raises(ValueError, match="needs the columns price, link"):
        stream_of({name: column for name, column in whole.items() if name not in {"price", "link"}})
    with pytest.raises(ValueError, match=r"other shapes.*: item"):
        stream_of(whole | {"item": array([1])})
