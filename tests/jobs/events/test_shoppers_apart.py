"""Line numbers that stand for shoppers begin anew in each file: ingest says so of its own deliveries."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from conf.specs.source import Source
from jobs.events.shoppers_apart import listed_apart, numbered_anew
from jobs.landing.raw_deliveries import RawDelivery, RawFile

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)


def _source(user: dict[str, Any]) -> Source:
    return Source.model_validate(
        {
            "name": "till",
            "title": "Receipts",
            "format": "csv",
            "csv": {"has_header": True, "line_number": "row"},
            "delivery": {"layout": "dated_files", "files": ["**/*.csv"]},
            "events": {
                "event_time": {"column": "at", "unit": "iso"},
                "event_type": {"constant": "purchase"},
                "user_id": user,
            },
            "duplicates": "keep",
            "session": {"gap_minutes": 30, "max_hours": 4},
            "decisions": {"kind": "implied", "event_type": "purchase"},
        }
    )


def _delivery(day: date, *names: str) -> RawDelivery:
    return RawDelivery(day, tuple(RawFile(day, "events", name, "hash", 1) for name in names))


@pytest.mark.parametrize(
    ("user", "files", "expected"),
    [
        ({"column": "row"}, {DAY: ["a.csv"]}, []),
        ({"column": "row"}, {DAY: ["a.csv", "b.csv"]}, [DAY]),
        ({"column": "row"}, {DAY: ["5.csv"], NEXT: ["6.csv"]}, [NEXT]),
        ({"first_of": ["card", "row"]}, {DAY: ["a.csv", "b.csv"]}, [DAY]),
        ({"columns": ["till", "row"]}, {DAY: ["a.csv", "b.csv"]}, []),
        # One file that was split by date is one file.
        ({"column": "row"}, {DAY: ["log.csv"], NEXT: ["log.csv"]}, []),
    ],
)
def test_numbers_that_begin_anew_are_told(
    user: dict[str, Any], files: dict[date, list[str]], expected: list[date]
) -> None:
    """From the second file on, be it another day's; a number that is joined with something else is taken as meant."""
    landed = {day: _delivery(day, *names) for day, names in files.items()}
    found = list(numbered_anew([*files], landed, _source(user)))
    assert [one.delivery_date for one in found] == expected
    assert all("lines of the same number in different files become one shopper" in one.sentence for one in found)


def test_a_table_that_came_before_the_events_is_compared_with_them() -> None:
    """A list of the whole log comes the day before its first delivery; a later list says nothing of earlier days."""
    listed, shoppers = {("1", "a"): "0009"}, {("1", "b"): "9"}
    found = [*listed_apart([DAY, NEXT], {"consent": {DAY: listed}}, {NEXT: shoppers})]
    assert [one.delivery_date for one in found] == [NEXT]
    assert "consent: 1 of 1 shoppers of this delivery whom it lists are spelled otherwise" in found[0].what
    # The spelling of the events stands there since.
    assert not [*listed_apart([DAY, NEXT], {"consent": {DAY: listed, NEXT: shoppers}}, {NEXT: shoppers})]
    assert not [*listed_apart([DAY, NEXT], {"consent": {NEXT: listed}}, {DAY: shoppers})]
