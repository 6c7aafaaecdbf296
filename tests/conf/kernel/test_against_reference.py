"""The kernel against loops over rows, on small logs that Hypothesis makes and simplifies, and on many drawn at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.conf.kernel.comparison import differences
from tests.conf.kernel.made_logs import MadeLog, made_logs, many_logs, random_pipelines

PIPELINES = random_pipelines(120, seed=2)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(made_logs(PIPELINES))
def test_transitions_are_those_of_loops_over_the_rows(log: MadeLog) -> None:
    """Every feature, reward, metric, end and outcome of every row."""
    assert differences(log) == []


@pytest.mark.parametrize("first", range(0, 300, 60))
def test_transitions_of_many_shoppers_are_those_of_loops_over_the_rows(first: int) -> None:
    """The same of 720 logs each, of which half end where a window or a gap does."""
    assert [found for seed in range(first, first + 60) if (found := differences(many_logs(PIPELINES, seed)))] == []
