"""The kernel against loops over rows, on logs that Hypothesis makes."""

from __future__ import annotations

from hypothesis import given, settings

from tests.conf.kernel.comparison import differences
from tests.conf.kernel.made_logs import MadeLog, made_logs, random_pipelines


@settings(max_examples=3000, deadline=None, derandomize=True)
@given(made_logs(random_pipelines(120, seed=2)))
def test_transitions_are_those_of_loops_over_the_rows(log: MadeLog) -> None:
    """Every feature, reward, metric, end and outcome of every row."""
    assert differences(log) == []
