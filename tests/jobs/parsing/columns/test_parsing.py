"""Lines parsed by columns are what the plain parser makes of them, and ordinary lines are parsed by columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.specs.source import Source, load_source
from jobs.landing.delivered_files import find_files, read_columns
from jobs.landing.parsed_lines import BatchParser, parsed_batch
from jobs.landing.raw_deliveries import feed_of
from jobs.landing.raw_lines import LineBatch, LineFile, read_batches, reading_of
from tests.jobs.formats.plain_events import SAMPLES

DAY = date(2017, 11, 26)
EPOCH = date(1970, 1, 1).toordinal()
HEADER = ["when", "what", "who", "item", "group", "cost", "n", "share", "flag"]
PLAIN = ["2017-11-26 08:30:00", "view", "ann", "i1", "c1", "12.50", "2", "0.25", "0"]
OBJECT: dict[str, Any] = {
    "when": 1_511_683_200_000,
    "what": "view",
    "who": "ann",
    "item": "i1",
    "group": 7,
    "cost": 12.5,
    "n": 2,
    "share": 0.25,
    "flag": 0,
}

EVENTS: dict[str, Any] = {
    "event_time": {"column": "when", "unit": "iso"},
    "event_type": {"column": "what", "map": {"view": "view", "buy": "purchase", "add": "stock"}, "ignore": ["beat"]},
    "user_id": {"column": "who", "required": True},
    "item_id": {"column": "item", "required": True},
    "category_id": {"column": "group"},
    "price": {"column": "cost", "at_least": 0, "required": True},
    "quantity": {"column": "n", "absolute": True, "at_least": 1},
    "propensity": {"column": "share", "above": 0, "at_most": 1},
    "derived": [
        {"column": "flag", "values": ["1"], "type": "click"},
        {"column": "flag", "values": ["1", "2"], "type": "cart"},
    ],
}
MAPPINGS: dict[str, dict[str, Any]] = {
    "iso": {},
    "pattern": {"event_time": {"column": "when", "unit": "pattern", "pattern": "yyyy-MM-dd HH:mm:ss"}},
    "pattern with fixed Z": {
        "event_time": {"column": "when", "unit": "pattern", "pattern": "yyyy-MM-dd'T'HH:mm:ss'Z'"}
    },
    "pattern with an offset": {"event_time": {"column": "when", "unit": "pattern", "pattern": "dd/MM/yyyy HH:mmXXX"}},
    "milliseconds": {"event_time": {"column": "when", "unit": "milliseconds"}},
    "seconds": {"event_time": {"column": "when", "unit": "seconds"}},
    "nanoseconds": {"event_time": {"column": "when", "unit": "nanoseconds"}},
    "two columns": {"event_time": {"columns": ["group", "n"], "unit": "pattern", "pattern": "yyyy-MM-dd HH:mm"}},
    "shaped": {
        "event_type": {"column": "what", "match": [{"pattern": "v.*", "type": "view"}], "ignore": ["b.*"]},
        "user_id": {"column": "who", "whole": True},
        "item_id": {"columns": ["item", "group"], "separator": "/"},
        "category_id": {"column": "group", "extract": "(\\d+)"},
        "price": {"column": "cost", "times": "n"},
        "quantity": {"column": "n", "map": {"2": "4"}},
        "propensity": {"constant": 1},
    },
    "ignored by others": {
        "ignore_where": [{"column": "flag", "values": ["2", "x"]}, {"column": "group", "match": "[c7].*"}]
    },
    "folded": {
        "user_id": {"column": "who", "fold_case": True},
        "item_id": {"column": "item", "extract": "^([A-Z]?.*)$", "fold_case": True},
    },
    "first of joined": {
        "user_id": {"first_of": ["flag", ["who", "group"], "item"], "whole": True},
        "item_id": {"first_of": [["group", "item"], ["item"]], "separator": "/", "extract": "^(.{1,3})"},
    },
    "divided": {"price": {"column": "cost", "divided_by": "n", "above": 0}, "event_type": {"constant": "purchase"}},
}
WORDS = st.sampled_from(
    [
        *(
            "",
            " ",
            "NULL",
            "nan",
            "0",
            "-0",
            "1",
            "2",
            "7.0",
            "17850.0",
            "-5",
            "1e3",
            "1e00001",
            "149.",
            "17850.",
            "12.345678901234567890123",
        ),
        *(
            "beat",
            "view",
            "buy",
            "add",
            "stare",
            "vow",
            "x" * 40,
            "é",
            "漢字",
            "\0",
            "\t",
            "\x1c",
            "a\rb",
            "a\nb",
            "\ufeff",
        ),
        *('"', '""', '"a"', '"a""b"', '"a,b"', 'a"b', '"a"b', "'", ",", ";", "{", "}", "} {", "[", "\\", "\\u0000"),
        *("2017-11-26T08:30:00Z", "2017-11-26 08:30:00.123", "2017-11-26T08:30:00.1234567+01:00", "2017-11-26T08:30Z"),
        *("2017-11-26T23:59:60Z", "2017-02-29T00:00:00", "2017-11-26t08:30:00z", "26/11/2017 08:30+01:00"),
        *(
            "26/11/2017 08:30Z",
            "1511683200",
            "1511683200000",
            "1511683200.5",
            "1511683200000000000",
            "2017-11-26",
            "08:30",
        ),
        *("2016-02-29 00:00:00", "1899-12-31 00:00:00", "2200-01-01 00:00:00", "2017-11-26T08:30:00+18:00"),
        *(
            "2017-10-29 01:30:00",
            "2017-03-26 01:30:00",
            "+5",
            ".5",
            "5.",
            "99999999999999999999",
            "9223372036854775807",
        ),
    ]
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=False, allow_infinity=False).map(str))
VALUES = st.one_of(WORDS, WORDS, st.text(max_size=5), NUMBERS.map(str))
JSON_VALUES = st.one_of(VALUES, NUMBERS, st.none(), st.booleans(), st.just([1]), st.just({"a": 1}), st.just("\ud800"))


def _source(form: str, changes: dict[str, Any], **more: Any) -> Source:
    return Source.model_validate(
        {
            "name": "hostile",
            "title": "Hostile lines",
            "zone": "Europe/London",
            "format": form,
            "csv": {"has_header": True} if form == "csv" else None,
            "delivery": {"layout": "dated_files"},
            "events": EVENTS | changes,
            "duplicates": "keep",
            "lateness_days": 30,
            "session": {"gap_minutes": 30, "max_hours": 6},
            "decisions": {"kind": "implied", "event_type": "view"},
        }
        | more
    )


def _batch(lines: list[str]) -> LineBatch:
    nothing = pa.array([""] * len(lines), pa.string())
    numbers = np.arange(len(lines))
    return LineBatch(LineFile(Path("x"), "x", DAY), numbers, numbers * 10, pa.array(lines, pa.string()), nothing)


def _compare(source: Source, lines: list[str], header: list[str]) -> int:
    """Compare both parsers' rows, and days; return how many lines were read by columns."""
    batch, parser = _batch(lines), BatchParser(source, [header])
    expected = parsed_batch(batch, parser.parse(batch), str)
    found = parser.columns(batch, str)
    assert found.to_pylist() == expected.to_pylist()
    assert found.schema == expected.schema
    times = [parser._parsers[0].time_of(line) for line in lines]
    days = [parser._parsers[0].day_of(time) if time is not None else None for time in times]
    assert parser.business_days(batch).to_pylist() == days
    return parser.n_by_columns


@st.composite
def _delimited_lines(draw: st.DrawFn) -> list[str]:
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        row = list(PLAIN)
        for place in draw(st.lists(st.integers(0, len(row) - 1), max_size=3)):
            row[place] = draw(VALUES)
        row = row[: draw(st.sampled_from([len(row)] * 5 + [3, len(row) - 1]))]
        lines.append(",".join(row + draw(st.sampled_from([[]] * 5 + [["more"]]))))
    return [line.encode("utf-8", "replace").decode() for line in lines]


@st.composite
def _object_lines(draw: st.DrawFn) -> list[str]:
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        row = dict(OBJECT)
        for name in draw(st.lists(st.sampled_from(list(row)), max_size=3)):
            row[name] = draw(JSON_VALUES)
        line = json.dumps(row, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace").decode()
        lines.append(draw(st.sampled_from(BREAKS))(line))
    return lines


BREAKS: list[Callable[[str], str]] = [
    *([lambda line: line] * 6),
    lambda line: line[:-9],
    lambda line: line + line,
    lambda line: line + " " + line,
    lambda line: f"{line}1",
    lambda line: f" {line}",
    lambda line: f"[{line}]",
    lambda line: line[:-1] + ', "who": "bob"}',
    lambda line: line[:-1] + ', "other": {"a": [1, {"b": 2}]}, "other": 1}',
    lambda line: line[:-1] + ', "deep": ' + "[" * 2000 + "]" * 2000 + "}",
    lambda line: line[:-1] + ', "n": -0}',
    lambda line: line[:-1] + ",}",
    lambda line: line.replace(": 2", ": 02"),
    lambda line: line.replace("12.5", "1.25e00001"),
    lambda line: line.replace("12.5", "NaN"),
    lambda line: line.replace("12.5", "1e400"),
    lambda line: line.replace(", ", ",\t"),
    lambda _: "",
    lambda _: "{}",
]


@pytest.mark.parametrize("mapping", MAPPINGS)
@given(lines=_delimited_lines(), quote=st.sampled_from(['"', '"', ""]))
@settings(max_examples=60, deadline=None)
def test_delimited_lines_become_the_same_rows(mapping: str, lines: list[str], quote: str) -> None:
    """Whatever stands in the fields, and however many there are."""
    source = _source("csv", MAPPINGS[mapping], csv={"has_header": True, "quote": quote})
    _compare(source, lines, HEADER)


@pytest.mark.parametrize("mapping", MAPPINGS)
@given(lines=_object_lines())
@settings(max_examples=60, deadline=None)
def test_json_lines_become_the_same_rows(mapping: str, lines: list[str]) -> None:
    """Whatever the values are, and whether the line is one object."""
    _compare(_source("jsonl", MAPPINGS[mapping]), lines, [])


def test_kinds_of_values_may_change_within_a_file() -> None:
    """A column of whole numbers, then of texts, then of fractions: parts of one kind are read by columns."""
    lines = [json.dumps(OBJECT | {"item": place}) for place in range(300)]
    lines += [json.dumps(OBJECT | {"item": f"i{place}", "n": "2"}) for place in range(300)]
    lines += [json.dumps(OBJECT | {"item": place + 0.5}) for place in range(100)]
    assert _compare(_source("jsonl", MAPPINGS["milliseconds"]), lines, []) > 400


CANONICAL = {"event_time": "2017-11-26T08:30:00Z", "event_type": "view", "user_id": "ann", "item_id": "i", "price": 1.5}
ORDINARY: dict[str, tuple[list[str], list[str]]] = {
    "taobao": ([], ["1,2268318,2520377,pv,1511683200"]),
    "retailrocket": (
        ["timestamp", "visitorid", "event", "itemid", "transactionid"],
        ["1511683200123,257597,view,355908,", "1511683200123,2575,transaction,3559,4"],
    ),
    "online_retail": (
        ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"],
        ['536365,85123A,"A ""HOLDER"", WHITE",6,2017-11-26 08:26:00,2.55,17850.0,United Kingdom'],
    ),
    "open_bandit": (
        ["", "timestamp", "item_id", "position", "click", "propensity_score"],
        ["0,2017-11-26 00:00:00.004101+00:00,79,2,1,0.0125", "1,2017-11-26 00:00:00.1+00:00,7,1,0,0.02"],
    ),
    "simulated_shop": ([], [json.dumps(CANONICAL), json.dumps(CANONICAL | {"event_id": "e", "propensity": 0.125})]),
    "canonical": ([], [json.dumps(CANONICAL | {"event_time": "2017-11-26T08:30:00.123456+00:00"})]),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_lines_are_read_by_columns(name: str) -> None:
    """Not one of them is left to the plain parser."""
    header, lines = ORDINARY[name]
    source = load_source(name).model_copy(update={"window": None})
    assert _compare(source, lines * 3, header) == len(lines) * 3


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_public_formats_become_the_same_rows(name: str) -> None:
    """Each shipped format's sample, delivered on every day that stands in it, with all that its source asks for."""
    n_events = 0
    for file in find_files(load_source(name), SAMPLES / name):
        feed = feed_of(load_source(name), file.name)
        parser = BatchParser(feed, [read_columns(file, feed) or ()])
        for batch in read_batches(LineFile(file.path, file.name), reading_of(feed, b"key")):
            days = {day for day in parser.business_days(batch).to_pylist() if day is not None}
            for day in days:
                delivered = replace(batch, file=LineFile(file.path, file.name, date.fromordinal(EPOCH + day)))
                expected = parsed_batch(delivered, parser.parse(delivered), str)
                assert parser.columns(delivered, str).to_pylist() == expected.to_pylist()
                n_events += expected["reason"].null_count
    assert n_events > 0


def test_ids_that_look_like_odd_numbers_are_read_by_columns() -> None:
    """`d1-00` holds no -0, and `9e12345` in it is no number: a whole block would be read line by line for them."""
    lines = [json.dumps(OBJECT | {"item": f"d{place}-00-9e12345"}) for place in range(200)]
    assert _compare(_source("jsonl", MAPPINGS["milliseconds"]), lines, []) == 200


def test_one_odd_line_in_ten_leaves_the_others_to_columns() -> None:
    """Broken lines, numbers as texts, fractions among whole numbers: no run of good lines is long."""
    lines = [json.dumps(OBJECT | {"item": f"i{place}"}) for place in range(400)]
    for place in range(0, 400, 10):
        odd = [lines[place][:40], json.dumps(OBJECT | {"n": "two"}), json.dumps(OBJECT | {"item": {"id": 1}}), "{}x"]
        lines[place] = odd[place // 10 % 4]
    assert _compare(_source("jsonl", MAPPINGS["milliseconds"]), lines, []) >= 360


@pytest.mark.parametrize("hours", [0, 2])
def test_hours_past_the_day_are_read_alike(hours: int) -> None:
    """By columns as line by line, up to the last moment."""
    clocks = ("2017-11-26 23:59:59", "2017-11-27 00:00:00", "2017-11-27 01:59:59.999999", "2017-11-27 02:00:00")
    lines = [",".join([clock, *PLAIN[1:]]) for clock in clocks]
    assert _compare(_source("csv", {}, hours_past_day=hours), lines, HEADER) == (1 if hours == 0 else 3)
