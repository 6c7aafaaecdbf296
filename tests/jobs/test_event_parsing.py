"""Lines become canonical fields exactly; what doesn't read is null with a note and never raises."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from conf.source import Source, load_source
from jobs.event_parsing import parse_lines
from jobs.raw_lines import LINE_SCHEMA, is_readable

GOOD = {"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann"}

JSON_LINES: dict[str, dict[str, Any] | str] = {
    "good": GOOD,
    "all fields": GOOD
    | {
        "event_id": "e1",
        "item_id": "i",
        "category_id": "c",
        "price": 12.5,
        "quantity": 3,
        "currency": "EUR",
        "decision_id": "d",
        "slate_id": "s",
        "position": 2,
        "action": "a",
        "propensity": 0.25,
        "availability_id": "v",
        "policy_version": "p1",
    },
    "price is exact": GOOD | {"price": "0.1"},
    "price with many digits": GOOD | {"price": "3.3333333333"},
    "price with an exponent": GOOD | {"price": "1.5e2"},
    "price of words": GOOD | {"price": "1,5"},
    "price below its bound": GOOD | {"price": -1},
    "price beyond all bounds": GOOD | {"price": "1e30"},
    "price with an absurd exponent": GOOD | {"price": "1e999999999"},
    "price too long to store": GOOD | {"price": "99999999999999"},
    "quantity of a half": GOOD | {"quantity": "1.5"},
    "quantity as a float": GOOD | {"quantity": "2.0"},
    "position too great": GOOD | {"position": "3000000000"},
    "propensity of many digits": GOOD | {"propensity": "0.1234567890123456789"},
    "propensity that rounds to nothing": GOOD | {"propensity": "1e-20"},
    "propensity above one": GOOD | {"propensity": 1.0001},
    "long propensity as a number": '{"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann", '
    '"propensity": 0.123456789012345678}',
    "blank item": GOOD | {"item_id": "  "},
    "spaces around": GOOD | {"item_id": " i "},
    "no user": {name: value for name, value in GOOD.items() if name != "user_id"},
    "stock without a user": {"event_time": GOOD["event_time"], "event_type": "stock", "item_id": "i"},
    "null time": GOOD | {"event_time": None},
    "time of a day only": GOOD | {"event_time": "2026-01-05"},
    "time of a year only": GOOD | {"event_time": "2026"},
    "time without a day": GOOD | {"event_time": "12:30"},
    "no such day": GOOD | {"event_time": "2026-02-30T12:00:00Z"},
    "time with an offset": GOOD | {"event_time": "2026-01-05T12:00:00.123456+0200"},
    "time with a space": GOOD | {"event_time": "2026-01-05 12:00:00"},
    "unknown type": GOOD | {"event_type": "stare"},
    "no type": GOOD | {"event_type": ""},
    "cut off": '{"event_time": "2026-01-05T12:00:00Z", "event_ty',
    "no object": "hello",
    "a number for a text": GOOD | {"item_id": 17},
    "a structure for a text": GOOD | {"item_id": {"x": 1}},
}


def _parse(
    spark: SparkSession, source: Source, lines: dict[str, str], header: list[str] | None = None
) -> dict[str, Row]:
    """The parsed line of each case, from one query."""
    rows = [
        ("2026-01-05", f"random/{case}", 0, 1, 0, line, case, is_readable(line, is_json=source.csv is None))
        for case, line in lines.items()
    ]
    parsed = parse_lines(spark.createDataFrame(rows, LINE_SCHEMA), source, [header] if header else [])
    return {row.line_hash: row for row in parsed.collect()}


@pytest.fixture(scope="module")
def parsed(spark: SparkSession) -> dict[str, Row]:
    lines = {case: line if isinstance(line, str) else json.dumps(line) for case, line in JSON_LINES.items()}
    return _parse(spark, load_source("canonical"), lines)


def _problem(row: Row) -> str | None:
    if not row._has_record:
        return "unreadable"
    found = [
        row._missing_field and f"missing {row._missing_field}",
        row._bad_timestamp and "bad time",
        row._bad_number and f"bad {row._bad_number}",
        row._unknown_type and "unknown type",
    ]
    return next((one for one in found if one), None)


def test_every_field_is_read(parsed: dict[str, Row]) -> None:
    """A line with all fields gives them all, money in millionths, propensity as a decimal."""
    row = parsed["all fields"].asDict()
    expected = {
        "event_time": datetime(2026, 1, 5, 12),
        "event_type": "view",
        "event_id": "e1",
        "user_id": "ann",
        "item_id": "i",
        "category_id": "c",
        "price": 12_500_000,
        "quantity": 3,
        "currency": "EUR",
        "decision_id": "d",
        "slate_id": "s",
        "position": 2,
        "action": "a",
        "propensity": Decimal("0.25"),
        "availability_id": "v",
        "policy_version": "p1",
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("case", "field", "expected"),
    [
        ("price is exact", "price", 100_000),
        ("price with many digits", "price", 3_333_333),
        ("price with an exponent", "price", 150_000_000),
        ("quantity as a float", "quantity", 2),
        ("propensity of many digits", "propensity", Decimal("0.123456789012346")),
        ("long propensity as a number", "propensity", Decimal("0.123456789012346")),
        ("blank item", "item_id", None),
        ("spaces around", "item_id", "i"),
        ("a number for a text", "item_id", "17"),
        ("a structure for a text", "item_id", '{"x":1}'),
        ("time with an offset", "event_time", datetime(2026, 1, 5, 10, 0, 0, 123456)),
        ("time with a space", "event_time", datetime(2026, 1, 5, 12)),
        ("stock without a user", "user_id", None),
    ],
)
def test_value_is_read_exactly(parsed: dict[str, Row], case: str, field: str, expected: object) -> None:
    """Numbers are rounded at their unit, times are UTC, texts are trimmed."""
    assert parsed[case][field] == expected
    assert _problem(parsed[case]) is None


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("good", None),
        ("price of words", "bad price"),
        ("price below its bound", "bad price"),
        ("price beyond all bounds", "bad price"),
        ("price with an absurd exponent", "bad price"),
        ("price too long to store", "bad price"),
        ("quantity of a half", "bad quantity"),
        ("position too great", "bad position"),
        ("propensity that rounds to nothing", "bad propensity"),
        ("propensity above one", "bad propensity"),
        ("no user", "missing user_id"),
        ("null time", "missing event_time"),
        ("no type", "missing event_type"),
        ("time of a day only", "bad time"),
        ("time of a year only", "bad time"),
        ("time without a day", "bad time"),
        ("no such day", "bad time"),
        ("unknown type", "unknown type"),
        ("cut off", "unreadable"),
        ("no object", "unreadable"),
    ],
)
def test_dirt_is_noted(parsed: dict[str, Row], case: str, problem: str | None) -> None:
    """What is wrong with a line is one note, and the other lines don't suffer."""
    assert _problem(parsed[case]) == problem


def test_epoch_times_of_any_size_never_raise(spark: SparkSession) -> None:
    """Seconds may have decimals; what no calendar holds is a bad timestamp."""
    values = {
        "whole": "1511544070",
        "with decimals": "1511544070.25",
        "negative": "-5",
        "huge": "9" * 30,
        "beyond the calendar": "999999999999999",
        "words": "soon",
        "missing": "",
    }
    rows = _parse(spark, load_source("taobao"), {case: f"1,2,3,pv,{value}" for case, value in values.items()})
    assert {case: (row.event_time, _problem(row)) for case, row in rows.items()} == {
        "whole": (datetime(2017, 11, 24, 17, 21, 10), None),
        "with decimals": (datetime(2017, 11, 24, 17, 21, 10, 250000), None),
        "negative": (datetime(1969, 12, 31, 23, 59, 55), None),
        "huge": (None, "bad time"),
        "beyond the calendar": (None, "bad time"),
        "words": (None, "bad time"),
        "missing": (None, "missing event_time"),
    }


def test_short_delimited_line_misses_fields_and_a_long_one_is_unreadable(spark: SparkSession) -> None:
    """A line cut off has fewer values; one with more can't be cut as the source says."""
    lines = {
        "cut in the time's place": "1,2,3,pv,",
        "cut before": "1,2,3",
        "too long": "1,2,3,pv,5,6",
        "quoted": '"1","2","3","pv","5"',
        "open quote": '1,2,"3,pv,5',
        "empty": "",
    }
    rows = _parse(spark, load_source("taobao"), lines)
    assert {case: _problem(row) for case, row in rows.items()} == {
        "cut in the time's place": "missing event_time",
        "cut before": "missing event_time",
        "too long": "unreadable",
        "quoted": None,
        "open quote": "missing event_time",
        "empty": "unreadable",
    }


def test_online_retail_line_follows_its_header_zone_and_patterns(spark: SparkSession) -> None:
    """Columns go by the header's order; local times by the zone; cancellations are refunds of positive quantity."""
    header = ["Country", "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    lines = {
        "summer": 'UK,5363,A1,"HEART, ""RED""",6,2011-07-01 08:26:00,2.55,17850.0',
        "refund": "UK,C5363,A1,x,-6,2011-01-01 08:26:00,2.55,17850.0",
        "adjustment": "UK,A5363,A1,x,1,2011-01-01 08:26:00,2.55,17850.0",
        "free": "UK,5363,A1,x,1,2011-01-01 08:26:00,0,17850.0",
        "other date": "UK,5363,A1,x,1,1/7/2011 08:26,2.55,17850.0",
        "nobody": "UK,5363,A1,x,1,2011-01-01 08:26:00,2.55,",
    }
    rows = _parse(spark, load_source("online_retail"), lines, header)
    summer = rows["summer"]
    assert (summer.event_time, summer.event_type, summer.price, summer.quantity, summer.currency, summer.user_id) == (
        datetime(2011, 7, 1, 7, 26),
        "purchase",
        2_550_000,
        6,
        "GBP",
        "17850.0",
    )
    assert (rows["refund"].event_type, rows["refund"].quantity) == ("refund", 6)
    assert {case: _problem(row) for case, row in rows.items() if case not in ("summer", "refund")} == {
        "adjustment": "unknown type",
        "free": "bad price",
        "other date": "bad time",
        "nobody": "missing user_id",
    }


def test_open_bandit_line_uses_an_unnamed_column_the_path_and_a_click_flag(spark: SparkSession) -> None:
    """The row number (a column without a name) is user and decision; the policy is in the path."""
    header = ["", "timestamp", "item_id", "position", "click", "propensity_score"]
    lines = {
        "click": "7,2019-11-24 00:00:34.762830+00:00,14,3,1,0.0125",
        "none": "8,2019-11-24 00:00:34.762830+00:00,14,3,0,0.0125",
    }
    rows = _parse(spark, load_source("open_bandit"), lines, header)
    click = rows["click"]
    assert (click.user_id, click.decision_id, click.action, click.policy_version, click._derived) == (
        "7",
        "7",
        "14",
        "random",
        ["click"],
    )
    assert rows["none"]._derived == []
