"""Sessions against a loop over each shopper's events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from conf.kernel.arrays import MICROS_PER_HOUR, MICROS_PER_MINUTE
from conf.kernel.sessions import SessionRule, sessions
from conf.kernel.stream import STREAM_COLUMNS, Stream, stream_of
from tests.conf.kernel.columns_of_rows import log_of
from tests.conf.kernel.made_logs import MadeLog, made_logs, many_logs, random_pipelines
from tests.conf.kernel.reference import by_shopper, sessions_of

PIPELINES = random_pipelines(60)
RULE = SessionRule(gap_us=30 * MICROS_PER_MINUTE, longest_us=4 * MICROS_PER_HOUR)


def stream(minutes: list[float], units: list[int] | None = None) -> Stream:
    """Events so many minutes after the epoch."""
    columns = {name: np.zeros(len(minutes), dtype=np.int64) for name in STREAM_COLUMNS}
    columns["time_us"] = np.array([minute * MICROS_PER_MINUTE for minute in minutes], dtype=np.int64)
    columns["day"] = columns["time_us"] // (24 * MICROS_PER_HOUR)
    columns["unit"] = np.array(units or [0] * len(minutes), dtype=np.int64)
    return stream_of(columns)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(made_logs(PIPELINES))
def test_sessions_are_those_of_a_loop_over_the_rows(log: MadeLog) -> None:
    """The same events together, cut alike."""
    compare(log)


def test_sessions_of_many_shoppers_are_those_of_a_loop_over_the_rows() -> None:
    """The same of two thousand logs, twelve at once."""
    for seed in range(170):
        compare(many_logs(PIPELINES, seed))


def compare(log: MadeLog) -> None:
    rule = log.pipeline.source.session
    made = log_of(log.rows)
    found = sessions(made.stream, SessionRule(rule.gap_minutes * MICROS_PER_MINUTE, rule.max_hours * MICROS_PER_HOUR))
    ids = [row["event_id"] for row in made.rows]
    told = [
        (ids[start:end], bool(is_cut))
        for start, end, is_cut in zip(found.starts, found.starts[1:], found.is_cut, strict=False)
    ]
    expected = [
        ([row["event_id"] for row in one.events], one.is_cut)
        for _, events in sorted(by_shopper(log.rows, log.pipeline).items())
        for one in sessions_of(events, log.pipeline)
    ]
    assert told == expected
    assert found.number.tolist() == [number for number, (rows, _) in enumerate(told) for _ in rows]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([0, 30], [0, 0]),
        ([0, 30 + 1 / 60], [0, 1]),
        ([20 * n for n in range(14)], [0] * 12 + [1] * 2),
        ([1430, 1450], [0, 0]),
    ],
)
def test_session_is_ended_by_a_longer_gap_or_the_longest_duration(minutes: list[float], expected: list[int]) -> None:
    """A gap of the limit joins, a midnight joins, four full hours cut."""
    assert sessions(stream(minutes), RULE).number.tolist() == expected


def test_chain_is_cut_at_its_second_midnight_and_at_every_further_one() -> None:
    """Hourly events from noon: the longest duration counts from the midnights, and only cuts are cuts."""
    rule = SessionRule(gap_us=90 * MICROS_PER_MINUTE, longest_us=24 * MICROS_PER_HOUR)
    found = sessions(stream([60 * n for n in range(12, 75)]), rule)
    assert (found.starts - found.starts[0] + 12).tolist() == [12, 36, 48, 72, 75]
    assert found.is_cut.tolist() == [True, True, True, False]


def test_units_share_no_session() -> None:
    """Even where one's first event follows the other's last one within the gap; neither was cut."""
    found = sessions(stream([0, 1, 2, 3], units=[0, 0, 1, 1]), RULE)
    assert (found.number.tolist(), found.is_cut.tolist()) == ([0, 0, 1, 1], [False, False])


def test_empty_stream_has_no_sessions() -> None:
    """Nor an error."""
    found = sessions(stream([]), RULE)
    assert (len(found), found.starts.tolist()) == (0, [0])
