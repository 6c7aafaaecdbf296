"""Times are read exactly, local ones through the rules of their zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conf.specs.time_mapping import TimeMapping
from jobs.parsing.time_reading import LocalTimes, TimeReader


def _read(text: str, unit: str = "iso", zone: str = "UTC", pattern: str | None = None) -> str | None:
    mapping = TimeMapping.model_validate({"column": "t", "unit": unit, "pattern": pattern})
    micros = TimeReader(mapping, zone, ["t"]).read(text)
    return None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T12:00:00Z", "2026-01-05T12:00:00+00:00"),
        ("2026-01-05 12:00", "2026-01-05T11:00:00+00:00"),
        ("2026-07-05 12:00", "2026-07-05T10:00:00+00:00"),
        ("2026-01-05T12:00:00.123456789+0530", "2026-01-05T06:30:00.123456+00:00"),
        ("2026-01-05T12:00:00 -18:00", "2026-01-06T06:00:00+00:00"),
        ("2026-01-05T12:00:00+18:30", None),
        ("2026-01-05T24:00:00", None),
        ("2026-01-05T12:60:00", None),
        ("2026-02-29T12:00:00Z", None),
        ("2026-01-05", None),
        ("0000-01-05T12:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2026-01-05T12:00:00Z\n", None),
    ],
)
def test_iso_text_is_a_moment(text: str, expected: str | None) -> None:
    """Without an offset it is local time in Berlin."""
    assert _read(text, zone="Europe/Berlin") == expected


def test_local_time_that_no_clock_showed_or_two_did() -> None:
    """The skipped hour is read as if the clock hadn't changed, the repeated one as its first showing."""
    assert _read("2026-03-29 02:30", zone="Europe/Berlin") == "2026-03-29T01:30:00+00:00"
    assert _read("2026-10-25 02:30", zone="Europe/Berlin") == "2026-10-25T00:30:00+00:00"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("M/d/yyyy H:mm", "12/1/2010 8:26", "2010-12-01T08:26:00+00:00"),
        ("dd-MMM-yy hh:mm a", "01-Jul-11 12:26 am", "2011-06-30T23:26:00+00:00"),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2011-01-01 08:26:00.5", "2011-01-01T08:26:00.500000+00:00"),
        ("yyyy-MM-dd HH:mm:ss Z", "2011-07-01 08:26:00 +0000", "2011-07-01T08:26:00+00:00"),
        ("yyyy-MM-dd HH:mm VV", "2011-07-01 08:26 Asia/Tokyo", "2011-06-30T23:26:00+00:00"),
        ("yyyy-MM-dd HH:mm VV", "2011-07-01 08:26 Mars/Olympus", None),
        ("yyyy-MM-dd", "2011-01-32", None),
        ("hh:mm a", "13:00 PM", None),
        ("yyyy-MM-dd", "2011-01-31", "2011-01-31T00:00:00+00:00"),
    ],
)
def test_pattern_reads_local_times(pattern: str, text: str, expected: str | None) -> None:
    """London's clock, but where the text says its own zone."""
    assert _read(text, "pattern", "Europe/London", pattern) == expected


def test_epoch_counts_are_exact_down_to_the_microsecond() -> None:
    """Halves of a microsecond go up, as everywhere where numbers are stored."""
    reader = TimeReader(TimeMapping(column="t", unit="seconds"), "UTC", ["t"])
    assert reader.read("1511544070.1234565") == 1_511_544_070_123_457
    assert reader.read("1.511544070e9") == 1_511_544_070_000_000
    assert TimeReader(TimeMapping(column="t", unit="microseconds"), "UTC", ["t"]).read("1.9") == 1
    assert TimeReader(TimeMapping(column="t", unit="milliseconds"), "UTC", ["t"]).read("-0.0005") == -1


def test_business_day_follows_the_zone_at_that_moment() -> None:
    """23:30 UTC is the next day in Berlin, in summer already 22:30."""
    clock, day = LocalTimes("Europe/Berlin"), 86_400_000_000
    winter = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
    summer = int(datetime(2026, 7, 5, tzinfo=UTC).timestamp()) * 1_000_000
    hour = 3_600_000_000
    assert clock.day_of(winter + 23 * hour) == winter // day + 1
    assert clock.day_of(winter + 23 * hour - 1) == winter // day
    assert clock.day_of(summer + 22 * hour) == summer // day + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "2016-01-01T05:00:00+00:00"),
        ("1 1631", "2016-01-01T21:31:00+00:00"),
        ("1.0 5", "2016-01-01T05:05:00+00:00"),
        ("2 905", "2016-01-02T14:05:00+00:00"),
        ("2 9:05", "2016-01-02T14:05:00+00:00"),
        ("72 02:30:10", "2016-03-12T07:30:10+00:00"),
        ("73 230", "2016-03-13T07:30:00+00:00"),
        ("0 0", "2015-12-31T05:00:00+00:00"),
        ("1 2460", None),
        ("1 24:00", None),
        ("1.5", None),
        ("Monday", None),
    ],
)
def test_days_are_counted_from_day_one(text: str, expected: str | None) -> None:
    """The number 230 is half past two, on day 73 an hour that New York's clocks left out."""
    mapping = TimeMapping.model_validate({"columns": ["day", "time"], "unit": "day_number", "day_one": "2016-01-01"})
    micros = TimeReader(mapping, "America/New_York", ["day", "time"]).read(text)
    assert (None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat()) == expected
