"""Rows depend on their unit and the days around them alone: a log can be cut by unit and by date."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from conf.kernel_rules import rules_of
from tests.conf.kernel.comparison import kernel_transitions, told_transitions
from tests.conf.kernel.made_logs import MadeLog, Row, made_logs, random_pipelines

LOGS = made_logs(random_pipelines(60, seed=4))


def transitions(log: MadeLog) -> list[Row]:
    columns, made = kernel_transitions(log)
    return told_transitions(columns, made, log.pipeline)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(LOGS, st.integers(0, 13))
def test_rows_of_a_date_need_only_the_days_around_it(log: MadeLog, place: int) -> None:
    """As many before as attribution looks back, as many behind as a partition takes to settle."""
    day = log.horizon - timedelta(days=place)
    first = day - timedelta(days=rules_of(log.pipeline).attribution.look_back_days)
    last = day + timedelta(days=log.pipeline.settle_days)
    around = [row for row in log.rows if first <= row["event_date"] <= last]
    whole = [row for row in transitions(replace(log, dates=[day, *log.dates])) if row["date"] == day]
    assert transitions(replace(log, rows=around, dates=[day])) == whole


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LOGS)
def test_units_alone_are_what_they_are_together(log: MadeLog) -> None:
    """No shopper's rows depend on another's."""
    alone = [
        row
        for shopper in sorted({row["user_id"] for row in log.rows})
        for row in transitions(replace(log, rows=[row for row in log.rows if row["user_id"] == shopper]))
    ]
    assert alone == transitions(log)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(LOGS, st.randoms())
def test_order_of_lines_does_not_matter(log: MadeLog, chance: object) -> None:
    """The total order alone does."""
    rows = [*log.rows]
    chance.shuffle(rows)  # type: ignore[attr-defined]
    assert transitions(replace(log, rows=rows)) == transitions(log)
