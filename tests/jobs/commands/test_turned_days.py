"""Dates that read either way are asked about, unless the order of days shows that they are read right."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from jobs.commands.source_outlook import OutlookEvent
from jobs.commands.turned_days import turned_days
from tests.jobs.commands.test_feed_warnings import _source

PATTERN = {"event_time": {"column": "at", "unit": "pattern", "pattern": "M/d/yyyy H:mm"}}
DATED = {"layout": "dated_files", "files": ["**/*.csv"]}


def events(*days: date) -> list[OutlookEvent]:
    return [
        OutlookEvent(int(datetime(day.year, day.month, day.day, 10, tzinfo=UTC).timestamp() * 1e6), "u", "view", {})
        for day in days
    ]


def test_days_a_month_apart_are_asked_about_with_both_widths() -> None:
    """The first of March to the seventh, read as the third of January to July."""
    told = turned_days(events(*[date(2026, month, 3) for month in range(1, 8)]), _source(events=PATTERN))
    assert told is not None
    assert "so the days lie within 182 days, and turned within 7" in told
    assert "is it pattern: M/d/yyyy H:mm, or d/M/yyyy H:mm?" in told


@pytest.mark.parametrize(
    ("days", "changes", "is_asked"),
    [
        ([date(2026, 3, day) for day in range(1, 8)], {}, False),  # they follow each other
        ([date(2026, 3, 4)], {}, True),
        ([date(2026, 3, 4), date(2026, 3, 13)], {}, False),
        ([date(2026, 3, 3)], {}, False),  # the same either way
        ([date(2026, 3, 4)], {"delivery": DATED}, False),  # the file's own day tells
        ([date(2026, 3, 4)], {"events": {"event_time": {"column": "at", "unit": "seconds"}}}, False),
        ([], {}, False),
    ],
)
def test_only_dates_that_nothing_tells_are_asked_about(
    days: list[date], changes: dict[str, Any], is_asked: bool
) -> None:
    source = _source(**{"events": PATTERN} | changes)
    assert (turned_days(events(*days), source) is not None) == is_asked
