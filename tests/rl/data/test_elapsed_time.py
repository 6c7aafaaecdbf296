"""Times between decisions are exact to the microsecond wherever decisions tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from conf.tables import transitions_table
from rl.data.arrow_schema import arrow_schema
from rl.data.elapsed_time import elapsed_microseconds
from rl.data.transition_columns import transitions_from_table
from rl.errors import DatasetError
from tests.rl.factories import make_pipeline, make_row

SECOND = 1_000_000


def test_time_inside_an_episode_is_that_between_its_decisions() -> None:
    """The table's whole seconds leave out a fraction; the closing of a session is known to the second alone."""
    times = np.array([0, 1_500_000, 4_250_001])
    found = elapsed_microseconds(np.array([1, 2, 9]), times, np.zeros(3, dtype=np.int64), np.array([0, 3]))
    assert found.tolist() == [1_500_000, 2_750_001, 9 * SECOND]


def test_a_further_episode_of_the_session_closes_the_one_before_it() -> None:
    """Bounded episodes are cut at the next one's first decision; another session's start says nothing."""
    times = np.array([0, 10_300_000, 7_700_000, 50_900_000])
    session, offsets = np.array([4, 4, 1, 4]), np.arange(5)
    found = elapsed_microseconds(np.array([10, 40, 30, 5]), times, session, offsets)
    assert found.tolist() == [10_300_000, 40_600_000, 30 * SECOND, 5 * SECOND]


def test_a_further_episode_that_is_not_the_next_one_is_passed_over() -> None:
    """Where the episode between them was set aside, the table's seconds hold."""
    found = elapsed_microseconds(np.array([10, 5]), np.array([0, 99_000_000]), np.array([4, 4]), np.arange(3))
    assert found.tolist() == [10 * SECOND, 5 * SECOND]


def test_times_that_contradict_each_other_are_refused() -> None:
    """Seconds other than those between the decision times are named with their rows."""
    with pytest.raises(DatasetError, match=r"1 rows have another time .* rows \[1\]; build the partitions again"):
        elapsed_microseconds(
            np.array([2, 3, 1]), np.arange(3) * 2 * SECOND, np.zeros(3, dtype=np.int64), np.array([0, 3])
        )


def test_tables_are_read_with_exact_times() -> None:
    """Steps of two and a half days, in a table whose rows come in any order."""
    pipeline, start = make_pipeline(), datetime(2026, 1, 5, 12, tzinfo=UTC)
    gap = timedelta(days=2.5, microseconds=1)
    rows = [
        make_row(
            pipeline,
            step=step,
            decision_time=start + step * gap,
            elapsed_seconds=216_000,
            terminal=step == 2,
        )
        for step in (2, 0, 1)
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(transitions_table(pipeline.scenario)))
    found = transitions_from_table(table, pipeline.scenario).elapsed_microseconds
    assert found.tolist() == [216_000 * SECOND + 1, 216_000 * SECOND + 1, 216_000 * SECOND]
