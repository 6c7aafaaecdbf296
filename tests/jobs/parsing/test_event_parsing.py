"""Lines become canonical fields exactly; what doesn't read is null with a note and never raises."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conf.specs.delivery import CsvFormat
from conf.specs.event_mapping import EventMapping
from conf.specs.field_mapping import FieldMapping
from conf.specs.source import Source, load_source
from jobs.parsing.event_parsing import EventParser, ParsedLine, Refusal, shape_of
from jobs.parsing.field_reading import path_values
from jobs.parsing.source_columns import path_patterns
from tests.jobs.event_rows import source as canonical

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


SHORT_EVENTS = EventMapping.model_validate(
    {
        "event_time": {"column": "event_time", "unit": "iso"},
        "event_type": {"column": "event_type", "map": {"purchase": "purchase"}},
        "user_id": {"column": "user_id", "required": True},
        "price": {"column": "price"},
    }
)

DAY = date(2026, 1, 5)
PROBLEMS = {
    "missing_field": "missing",
    "bad_timestamp": "bad time",
    "bad_number": "bad",
    "bad_id": "bad",
    "unknown_event_type": "unknown type",
}


def _parse(
    source: Source, lines: dict[str, str], header: list[str] | None = None, day: date = DAY
) -> dict[str, ParsedLine]:
    """The parsed line of each case, delivered on the day."""
    parser, path = EventParser(source, header), path_values(path_patterns(source), "random/x")
    return {case: parser.parse(line, path, day) for case, line in lines.items()}


def _json(lines: dict[str, dict[str, Any] | str]) -> dict[str, str]:
    return {case: line if isinstance(line, str) else json.dumps(line) for case, line in lines.items()}


@pytest.fixture(scope="module")
def parsed() -> dict[str, ParsedLine]:
    return _parse(load_source("canonical"), _json(JSON_LINES))


def _problem(parsed: ParsedLine) -> str | None:
    refusal = parsed.refusal
    if refusal is None:
        return None
    words = [PROBLEMS.get(refusal.reason, refusal.reason), refusal.field]
    return " ".join(word for word in words if word)


def _field(parsed: ParsedLine, name: str) -> object:
    if name == "event_time":
        return _time(parsed)
    return getattr(parsed, name) if name in ("event_id", "user_id") else parsed.records[0][name]


def _time(parsed: ParsedLine) -> datetime | None:
    return datetime(1970, 1, 1) + timedelta(microseconds=parsed.event_time) if parsed.event_time is not None else None


def test_every_field_is_read(parsed: dict[str, ParsedLine]) -> None:
    """A line with all fields gives them all, money in millionths, propensity as a decimal."""
    row = parsed["all fields"]
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
    assert {name: _field(row, name) for name in expected} == expected


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
        ("time with an offset", "event_time", datetime(2026, 1, 5, 10, 0, 0, 123456)),
        ("time with a space", "event_time", datetime(2026, 1, 5, 12)),
        ("stock without a user", "user_id", None),
    ],
)
def test_value_is_read_exactly(parsed: dict[str, ParsedLine], case: str, field: str, expected: object) -> None:
    """Numbers are rounded at their unit, times are UTC, texts are trimmed."""
    assert _field(parsed[case], field) == expected
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
        ("quantity of a half", "bad quantity (a fraction)"),
        ("position too great", "bad position"),
        ("propensity that rounds to nothing", "bad propensity"),
        ("propensity above one", "bad propensity"),
        ("a structure for a text", "bad item_id"),
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
def test_dirt_is_noted(parsed: dict[str, ParsedLine], case: str, problem: str | None) -> None:
    """What is wrong with a line is one note, and the other lines don't suffer."""
    assert _problem(parsed[case]) == problem


def test_epoch_times_of_any_size_never_raise() -> None:
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
    source = load_source("taobao").model_copy(update={"window": None, "lateness_days": 4_000_000})
    lines = {case: f"1,2,3,pv,{value}" for case, value in values.items()}
    rows = _parse(source, lines, day=date(9999, 12, 31))
    assert {case: (_time(row), _problem(row)) for case, row in rows.items()} == {
        "whole": (datetime(2017, 11, 24, 17, 21, 10), None),
        "with decimals": (datetime(2017, 11, 24, 17, 21, 10, 250000), None),
        "negative": (datetime(1969, 12, 31, 23, 59, 55), None),
        "huge": (None, "bad time"),
        "beyond the calendar": (None, "bad time"),
        "words": (None, "bad time"),
        "missing": (None, "missing event_time"),
    }


def test_short_delimited_line_misses_fields_and_a_long_one_is_unreadable() -> None:
    """A line cut off has fewer values; one with more can't be cut as the source says."""
    lines = {
        "cut in the time's place": "1,2,3,pv,",
        "cut before": "1,2,3",
        "too long": "1,2,3,pv,5,6",
        "quoted": '"1","2","3","pv","1511544070"',
        "open quote": '1,2,"3,pv,5',
        "empty": "",
    }
    rows = _parse(load_source("taobao"), lines, day=date(2017, 11, 25))
    assert {case: _problem(row) for case, row in rows.items()} == {
        "cut in the time's place": "missing event_time",
        "cut before": "missing event_time",
        "too long": "unreadable",
        "quoted": None,
        "open quote": "missing event_time",
        "empty": "unreadable",
    }


def test_online_retail_line_follows_its_header_zone_and_patterns() -> None:
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
    rows = _parse(load_source("online_retail"), lines, header)
    summer, fields = rows["summer"], ("event_type", "price", "quantity", "currency", "user_id")
    assert (_time(summer), *[_field(summer, name) for name in fields]) == (
        datetime(2011, 7, 1, 7, 26),
        "purchase",
        2_550_000,
        6,
        "GBP",
        "17850.0",
    )
    assert [rows["refund"].records[0][name] for name in ("event_type", "quantity")] == ["refund", 6]
    assert {case: _problem(row) for case, row in rows.items() if case not in ("summer", "refund")} == {
        "adjustment": "unknown type",
        "free": "bad price",
        "other date": "bad time",
        "nobody": "missing user_id",
    }


def test_open_bandit_line_uses_an_unnamed_column_the_path_and_a_click_flag() -> None:
    """The row number (a column without a name) is user and decision; the policy is in the path."""
    header = ["", "timestamp", "item_id", "position", "click", "propensity_score"]
    lines = {
        "click": "7,2019-11-24 00:00:34.762830+00:00,14,3,1,0.0125",
        "none": "8,2019-11-24 00:00:34.762830+00:00,14,3,0,0.0125",
    }
    rows = _parse(load_source("open_bandit"), lines, header)
    click = rows["click"]
    assert [one["event_type"] for one in click.records] == ["impression", "click"]
    for name, expected in {"user_id": "7", "decision_id": "7", "action": "14", "policy_version": "random"}.items():
        assert _field(click, name) == expected
    assert len(rows["none"].records) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("17850", "17850"),
        ("17850.0", "17850"),
        ('"17850"', "17850"),
        ("1.7850e4", "17850"),
        ("9007199254740992.0", "9007199254740992"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.50", "1.5"),
        ('"17850.0"', "17850.0"),
        ('" 17850 "', "17850"),
    ],
)
def test_whole_number_float_and_text_are_one_id(given: str, expected: str) -> None:
    """A column that turned into floats names the same shoppers; text stays as it was written."""
    line = '{"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": %s, "item_id": %s}'
    (row,) = _parse(canonical(), {"one": line % (given, given)}).values()
    assert (row.user_id, row.records[0]["item_id"], row.refusal) == (expected, expected, None)


@pytest.mark.parametrize("given", ["9007199254740994.0", "1e300", "true", "[1]", '{"id": 1}', "Infinity"])
def test_what_can_be_no_id_is_named(given: str) -> None:
    """A float too large to be exact would make two shoppers one; an object is none."""
    line = '{"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann", "item_id": %s}'
    (row,) = _parse(canonical(), {"one": line % given}).values()
    assert row.refusal is not None
    assert (row.refusal.reason, row.refusal.field) == ("bad_id", "item_id")


def test_text_of_a_float_is_an_id_of_its_own_unless_the_source_says_whole() -> None:
    """A delimited file has text alone: only its source can say that a column holds numbers."""
    shop = load_source("taobao")
    user = shop.events.user_id.model_copy(update={"whole": True})
    whole = shop.model_copy(update={"events": shop.events.model_copy(update={"user_id": user})})
    line, day = {"one": "17850.0,2.0,3,pv,1511544070"}, date(2017, 11, 25)
    assert [_parse(one, line, day=day)["one"].user_id for one in (shop, whole)] == ["17850.0", "17850"]
    assert _parse(whole, line, day=day)["one"].records[0]["item_id"] == "2.0"


@pytest.mark.parametrize("word", ["NULL", "null", "nan", "NaN", "None", "\\N", ""])
def test_null_word_is_a_missing_value_everywhere(word: str) -> None:
    """Else thousands of lines without a shopper would be one giant shopper."""
    lines = _json({"text": GOOD | {"user_id": word}, "item": GOOD | {"item_id": word, "price": word}})
    rows = _parse(canonical(), lines)
    assert _problem(rows["text"]) == "missing user_id"
    assert (_problem(rows["item"]), rows["item"].records[0]["item_id"]) == (None, None)
    assert _parse(canonical(null_words=("-",)), lines)["text"].user_id == (word or None)


def test_impression_needs_no_price_where_a_purchase_does() -> None:
    """A price that is required is asked of the events that it means something for."""
    shop = canonical()
    price = shop.events.price.model_copy(update={"required": True})
    priced = shop.model_copy(update={"events": shop.events.model_copy(update={"price": price})})
    kinds = ("impression", "view", "click", "cart", "purchase")
    lines = _json({kind: GOOD | {"event_type": kind, "price": "nan"} for kind in kinds})
    problems = {kind: _problem(row) for kind, row in _parse(priced, lines).items()}
    assert problems == dict.fromkeys(("impression", "view", "click")) | dict.fromkeys(
        ("cart", "purchase"), "missing price"
    )


def test_half_a_record_is_rejected() -> None:
    """Fewer values than the header, or than are mapped: a number cut at the end would be read as another number."""
    header = ["user_id", "event_type", "event_time", "price", "note"]
    shop = canonical(format="csv", csv=CsvFormat(has_header=True), events=SHORT_EVENTS)
    lines = {
        "whole": "ann,purchase,2026-01-05T12:00:00Z,0.625,x",
        "empty end": "ann,purchase,2026-01-05T12:00:00Z,0.625,",
        "cut in its price": "ann,purchase,2026-01-05T12:00:00Z,0.6",
        "cut in its time": "ann,purchase,2026-01-05T12:0",
        "cut in its type": "ann,purch",
    }
    problems = {case: _problem(row) for case, row in _parse(shop, lines, header).items()}
    assert problems == {
        "whole": None,
        "empty end": None,
        "cut in its price": "half_record",
        "cut in its time": "half_record",
        "cut in its type": "missing event_time",
    }
    headless = shop.model_copy(update={"csv": CsvFormat(has_header=False, columns=tuple(header))})
    problems = {case: _problem(row) for case, row in _parse(headless, lines).items()}
    assert problems["cut in its price"] is None  # the note is mapped by nothing: whole lines may lack it
    assert problems["cut in its time"] == "half_record"


def test_a_line_that_ends_within_quotes_is_half_a_record() -> None:
    """The end of its last value is lost; a quote within a value that has none around it is one of its letters."""
    header = ["user_id", "event_type", "event_time", "item_id"]
    events = SHORT_EVENTS.model_copy(update={"price": None, "item_id": FieldMapping(column="item_id")})
    shop = canonical(format="csv", csv=CsvFormat(has_header=True), events=events)
    start = "ann,purchase,2026-01-05T12:00:00Z"
    lines = {
        "whole": f'{start},"a shoe"',
        "cut": f'{start},"a sho',
        "cut in a doubled quote": f'{start},"a 5"" sho',
        "cut before its end": f'{start},"a 5""',
        "inches": f'{start},pipe 5"',
    }
    problems = {case: _problem(row) for case, row in _parse(shop, lines, header).items()}
    assert problems == {
        "whole": None,
        "cut": "half_record",
        "cut in a doubled quote": "half_record",
        "cut before its end": "half_record",
        "inches": None,
    }


@pytest.mark.parametrize("cut", range(1, 70, 3))
def test_either_half_of_a_broken_json_line_is_unreadable(cut: int) -> None:
    """Wherever the line was broken."""
    text = json.dumps(GOOD)
    halves = _parse(canonical(), {"first": text[:cut], "second": text[cut:]})
    assert {_problem(row) for row in halves.values()} == {"unreadable"}


def test_shape_says_nothing_of_the_value() -> None:
    """It is shown to whoever runs the night."""
    assert shape_of("ann.lee@example.org 1511544070123") == "aaa.aaa@aaaaaaa.aaa 9999999999999"
    assert len(shape_of("x" * 1000)) < 50


def _events(**fields: Any) -> EventMapping:
    """A mapping of time, type and user as in canonical lines, with fields of a test."""
    mapping = {
        "event_time": {"column": "event_time", "unit": "iso"},
        "event_type": {"column": "event_type", "map": {"view": "view", "purchase": "purchase"}},
        "user_id": {"column": "user_id", "required": True},
    }
    return EventMapping.model_validate(mapping | fields)


BASKET = _events(
    user_id={"column": "user.id"},
    item_id={"column": "ecommerce.items[].item_id", "required": True},
    price={"column": "ecommerce.items[].price"},
    currency={"column": "ecommerce.currency"},
    slate_id={"column": "params[key=page].value.text"},
    category_id={"column": "a.b"},
)


def _basket(items: object, **changes: Any) -> dict[str, Any]:
    line = {name: GOOD[name] for name in ("event_time", "event_type")} | {
        "user": {"id": 17850.0},
        "ecommerce": {"currency": "EUR", "items": items},
        "params": [{"key": "other", "value": {"text": "no"}}, {"key": "page", "value": {"text": "p7"}}],
        "a.b": "literal",
        "a": {"b": "nested"},
    }
    return line | changes


def test_line_with_a_list_is_an_event_for_each_element() -> None:
    """What the line says once, each of its events has."""
    items = [{"item_id": "shoe", "price": 1.5}, {"item_id": 7}]
    (row,) = _parse(canonical(events=BASKET), _json({"two": _basket(items)})).values()
    assert (row.refusal, row.user_id) == (None, "17850")
    names = ("item_id", "price", "currency", "slate_id", "category_id")
    assert [[one[name] for name in names] for one in row.records] == [
        ["shoe", 1_500_000, "EUR", "p7", "literal"],
        ["7", None, "EUR", "p7", "literal"],
    ]


SHOWN_OR_BOUGHT = _events(
    user_id={"column": "user.id"},
    item_id={"first_of": ["shown[].sku", "order.lines[].sku", "sku"], "required": True},
    price={"column": "order.lines[].price"},
    propensity={"column": "shown[].p"},
)


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"shown": [{"sku": "a", "p": 0.5}, {"sku": "b", "p": 0.25}]}, [("a", None, 0.5), ("b", None, 0.25)]),
        ({"order": {"lines": [{"sku": "a", "price": 2}, {"sku": "c"}]}}, [("a", 2_000_000, None), ("c", None, None)]),
        ({"shown": [], "order": {"lines": [{"sku": "c", "price": 1}]}}, [("c", 1_000_000, None)]),
        ({"shown": None, "order": {"lines": []}, "sku": "d"}, [("d", None, None)]),
        ({"shown": [{"sku": "a"}], "order": {"lines": [{"sku": "c"}]}}, "unreadable"),
        ({"shown": {}, "sku": "d"}, "bad item_id"),
        ({"shown": [{"sku": "a"}, "x"]}, "bad item_id"),
    ],
)
def test_each_line_follows_the_list_that_it_holds(
    lists: dict[str, Any], expected: str | list[tuple[str, int | None, float | None]]
) -> None:
    """A log of several types of lines has a list for each; elements of two in one line can't be put together."""
    line = {name: GOOD[name] for name in ("event_time", "event_type")} | {"user": {"id": "ann"}} | lists
    (row,) = _parse(canonical(events=SHOWN_OR_BOUGHT), _json({"one": line})).values()
    if isinstance(expected, str):
        assert _problem(row) == expected
    else:
        assert row.refusal is None
        found = [(one["item_id"], one["price"], one["propensity"]) for one in row.records]
        assert found == [(item, price, p if p is None else Decimal(str(p))) for item, price, p in expected]


@pytest.mark.parametrize(
    ("items", "changes", "problem"),
    [
        ([], {}, "missing item_id"),
        (None, {}, "missing item_id"),
        ({"item_id": "shoe"}, {}, "bad item_id"),
        ([{"item_id": "shoe"}, {"price": 1}], {}, "missing item_id"),
        ([{"item_id": "shoe"}, "x"], {}, "bad item_id"),
        ([{"item_id": "shoe"}, {"item_id": {"id": 1}}], {}, "bad item_id"),
        ([{"item_id": "shoe", "price": "x"}], {}, "bad price"),
        ([{"item_id": "shoe"}], {"user": "ann"}, "bad user_id"),
        ([{"item_id": "shoe"}], {"user": {}}, "missing user_id"),
        ([{"item_id": "shoe"}], {"params": None, "ecommerce": "x"}, "bad item_id"),
    ],
)
def test_line_with_one_bad_element_is_rejected_whole(items: object, changes: dict[str, Any], problem: str) -> None:
    """A line is accepted or rejected: none of it vanishes."""
    (row,) = _parse(canonical(events=BASKET), _json({"one": _basket(items, **changes)})).values()
    assert _problem(row) == problem


def test_an_empty_constant_is_no_shopper() -> None:
    """So that a feed of the shop's own events needs no column for one; a shopper's event there lacks it."""
    types = {"column": "event_type", "map": {"stock": "stock", "view": "view"}}
    shop = canonical(events=_events(user_id={"constant": ""}, event_type=types))
    cases = {"count": GOOD | {"event_type": "stock"}, "view": GOOD}
    rows = _parse(shop, _json(cases))
    assert rows["count"].user_id is None
    assert {case: _problem(row) for case, row in rows.items()} == {"count": None, "view": "missing user_id"}


def test_value_can_be_extracted_mapped_and_joined() -> None:
    """What the mapping doesn't know is no value of the field."""
    shop = canonical(
        events=_events(
            user_id={"column": "cookie", "extract": r"^GA1\.\d\.(.+)$"},
            item_id={"columns": ["sku", "size"], "separator": "-"},
            category_id={"column": "device", "map": {"1": "mobile"}},
            currency={"constant": "EUR"},
            quantity={"column": "n", "map": {"one": "1"}},
        )
    )
    good = GOOD | {"cookie": "GA1.2.77.88", "sku": 5.0, "size": "L", "device": 1, "n": "one"}
    cases = {
        "good": good,
        "other cookie": good | {"cookie": "x"},
        "other device": good | {"device": 2},
        "other number": good | {"n": "two"},
        "no size": good | {"size": None},
    }
    rows = _parse(shop, _json(cases))
    names = ("item_id", "category_id", "currency", "quantity")
    assert [rows["good"].user_id, *[rows["good"].records[0][name] for name in names]] == [
        "77.88",
        "5-L",
        "mobile",
        "EUR",
        1,
    ]
    assert {case: _problem(row) for case, row in rows.items()} == {
        "good": None,
        "other cookie": "bad user_id",
        "other device": "bad category_id",
        "other number": "bad quantity",
        "no size": None,
    }
    assert rows["no size"].records[0]["item_id"] is None


@pytest.mark.parametrize(
    ("operation", "amount", "other", "expected"),
    [
        ("times", "0.1", 3, 300_000),
        ("times", "1.0000005", 1, 1_000_001),
        ("divided_by", "10", 3, 3_333_333),
        ("divided_by", "20", 3, 6_666_667),
        ("divided_by", "-5", 2, -2_500_000),
        ("divided_by", "0.000001", 2, 1),
        ("divided_by", "0.000000999999999998", 2, 0),
        ("divided_by", "5", 0, None),
        ("divided_by", "5", None, None),
        ("times", "99999999999", "99999999999", None),
    ],
)
def test_numbers_of_two_columns_are_combined_exactly(
    operation: str, amount: str, other: object, expected: int | None
) -> None:
    """Rounded once, at the millionth, half up; what can't be is a bad number."""
    shop = canonical(events=_events(price={"column": "amount", operation: "n"}))
    (row,) = _parse(shop, _json({"one": GOOD | {"amount": amount, "n": other}})).values()
    assert row.records[0]["price"] == expected
    assert _problem(row) == (None if expected is not None else "bad price")


def test_time_comes_from_several_columns_in_a_zone_of_its_own() -> None:
    """Date, time of day and milliseconds apart; New York's clock, Berlin's business day."""
    mapping = {"columns": ["date", "hour"], "unit": "pattern", "pattern": "yyyyMMdd HHmm", "zone": "America/New_York"}
    shop = canonical(zone="Europe/Berlin", events=_events(event_time=mapping | {"milliseconds": "ms"}), lateness_days=9)
    good = GOOD | {"date": 20260308, "hour": "0130", "ms": 250}
    cases = {
        "good": good,
        "skipped": good | {"hour": "0230"},
        "late": good | {"hour": "2230"},
        "no hour": good | {"hour": None},
        "no milliseconds": good | {"ms": None},
        "bad milliseconds": good | {"ms": 1000},
    }
    rows = _parse(shop, _json(cases), day=date(2026, 3, 9))
    assert _time(rows["good"]) == datetime(2026, 3, 8, 6, 30, 0, 250000)
    assert [rows[case].shift for case in ("good", "skipped")] == [None, "skipped"]
    assert rows["late"].event_day == date(2026, 3, 9).toordinal() - date(1970, 1, 1).toordinal()
    assert {case: _problem(row) for case, row in rows.items() if _problem(row)} == {
        "no hour": "missing event_time",
        "no milliseconds": "bad time",
        "bad milliseconds": "bad time",
    }


def test_hours_past_the_day_are_of_the_zones_clock() -> None:
    """Clocks went forward in Berlin, so that midnight is at 22:00 UTC; the key's hours end two hours later."""
    mapping = {"column": "at", "unit": "iso"}
    shop = canonical(zone="Europe/Berlin", events=_events(event_time=mapping), hours_past_day=2)
    clocks = {"day": "21:59:59", "past": "22:00:00", "last": "23:59:59.999999"}
    cases = {name: GOOD | {"at": f"2026-03-29T{clock}Z"} for name, clock in clocks.items()}
    rows = _parse(shop, _json(cases | {"beyond": GOOD | {"at": "2026-03-30T00:00:00Z"}}), day=date(2026, 3, 29))
    last = date(2026, 3, 29).toordinal() - date(1970, 1, 1).toordinal()
    assert {case: (row.event_day or 0) - last for case, row in rows.items()} == {
        "day": 0,
        "past": 1,
        "last": 1,
        "beyond": 1,
    }
    assert [case for case, row in rows.items() if row.refusal is not None] == ["beyond"]
    assert rows["beyond"].refusal is not None
    assert rows["beyond"].refusal.reason == "outside_window"


def test_line_of_an_ignored_type_is_counted_as_ignored_alone() -> None:
    """Whatever else it lacks."""
    types = {"column": "event_type", "map": {"view": "view"}, "ignore": ["heartbeat"]}
    lines = _json({"beat": {"event_type": "heartbeat"}, "view": GOOD, "other": GOOD | {"event_type": "beat"}})
    rows = _parse(canonical(events=_events(event_type=types)), lines)
    assert {case: _problem(row) for case, row in rows.items()} == {
        "beat": "ignored",
        "view": None,
        "other": "unknown type",
    }
    patterns = {"column": "event_type", "match": [{"pattern": "v.*", "type": "view"}], "ignore": ["heart.*"]}
    rows = _parse(canonical(events=_events(event_type=patterns)), lines)
    assert [_problem(rows[case]) for case in ("beat", "view")] == ["ignored", None]


def test_money_is_not_missed_of_a_kind_that_nobody_knows() -> None:
    """The type is what is wrong: whether such an event has money, nothing says."""
    events = SHORT_EVENTS.model_dump(exclude_unset=True) | {"price": {"column": "price", "required": True}}
    shop = canonical().model_copy(update={"events": EventMapping.model_validate(events)})
    good = {"event_time": "2026-01-05T12:00:00Z", "event_type": "purchase", "user_id": "u"}
    rows = _parse(shop, _json({"unknown": good | {"event_type": "wishlist"}, "known": good}))
    assert (_problem(rows["unknown"]), _problem(rows["known"])) == ("unknown type", "missing price")


def _mapped(**events: Any) -> EventParser:
    base = {
        "event_time": {"column": "at", "unit": "iso"},
        "event_type": {"column": "what", "map": {"buy": "purchase", "back": "refund"}},
        "user_id": {"column": "who"},
    }
    changes = {"events": EventMapping.model_validate(base | events), "feeds": ()}
    return EventParser(canonical(**changes), None)


def _read(parser: EventParser, **given: Any) -> ParsedLine:
    row = {"at": "2026-01-05T12:00:00Z", "what": "buy", "who": "ann"} | given
    return parser.parse(json.dumps(row), {}, DAY)


@pytest.mark.parametrize(
    ("given", "user", "order"),
    [
        ({"card": "c1", "till": 7, "receipt": 12}, "c1", "7-12"),
        ({"till": 7, "receipt": 12.0}, "7-12", "7-12"),
        ({"till": 7, "receipt": 12, "old_till": 3, "old_receipt": 9}, "7-12", "3-9"),
        # Half of what is joined is none.
        ({"till": 7, "receipt": 12, "old_till": 3}, "7-12", "7-12"),
        ({"till": 7}, None, None),
    ],
)
def test_the_first_of_joined_columns_counts(given: dict[str, Any], user: str | None, order: str | None) -> None:
    """A card, else a receipt of a till; returns take the receipt that they name, else their own."""
    parser = _mapped(
        user_id={"first_of": ["card", ["till", "receipt"]], "separator": "-"},
        order_id={"first_of": [["old_till", "old_receipt"], ["till", "receipt"]], "separator": "-"},
    )
    parsed = _read(parser, **given)
    assert (parsed.user_id, parsed.records[0]["order_id"]) == (user, order)
    assert (parsed.refusal is None) == (user is not None)


@pytest.mark.parametrize(
    ("mapping", "given", "expected"),
    [
        ({"column": "sku", "fold_case": True}, "AB-7", "ab-7"),
        ({"column": "sku"}, "AB-7", "AB-7"),
        ({"columns": ["sku", "what"], "fold_case": True}, "AB-7", "ab-7|buy"),
        ({"column": "sku", "fold_case": True, "extract": "^[A-Z]+-(.+)$"}, "SHOP-X9", "x9"),
        ({"column": "sku", "fold_case": True, "map": {"ab-7": "Shoe"}}, "AB-7", "Shoe"),
        ({"column": "sku", "fold_case": True}, "STRASSE", "strasse"),
        ({"column": "sku", "fold_case": True}, "Straße", "strasse"),
    ],
)
def test_capitals_are_folded_where_a_column_says_so(mapping: dict[str, Any], given: str, expected: str) -> None:
    """After what is extracted, and before it is looked up."""
    assert _read(_mapped(item_id=mapping), sku=given).records[0]["item_id"] == expected


@pytest.mark.parametrize(
    ("mapping", "given", "stored", "field"),
    [
        ({}, "0.62", None, "quantity (a fraction)"),
        ({}, 1.5, None, "quantity (a fraction)"),
        ({"decimal_comma": True}, "0,62", None, "quantity (a fraction)"),
        ({"divided_by": "per"}, 3, None, "quantity (a fraction)"),
        ({"at_least": 1}, "0", None, "quantity"),
        ({}, "many", None, "quantity"),
        ({}, "1e25", None, "quantity"),
        ({"scale": 1000}, "0.62", 620, None),
        ({}, "2.000", 2, None),
    ],
)
def test_a_fraction_of_a_piece_is_named(
    mapping: dict[str, Any], given: str | float, stored: int | None, field: str | None
) -> None:
    """Unlike what is no number, or out of its bounds: a smaller unit is whole."""
    parsed = _read(_mapped(quantity={"column": "n"} | mapping), n=given, per=2)
    assert parsed.records[0]["quantity"] == stored
    assert (parsed.refusal and (parsed.refusal.reason, parsed.refusal.field)) == (field and ("bad_number", field))


def test_money_of_weights_is_exact_in_grams_or_alone() -> None:
    """Grams at a thousandth of the price make the till's amount; the amount alone needs no quantity."""
    grams = _read(
        _mapped(quantity={"column": "kg", "scale": 1000}, price={"column": "per_kg", "scale": 0.001}),
        kg="0.62",
        per_kg="2.99",
    ).records[0]
    assert grams["quantity"] * grams["price"] == 1_853_800
    alone = _read(_mapped(amount={"column": "sum"}), kg="0.62", sum="1.85")
    assert alone.refusal is None
    assert (alone.records[0]["amount"], alone.records[0]["quantity"]) == (1_850_000, None)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"state": "test"}, ("ignored", "state")),
        ({"state": "tested"}, None),
        ({}, None),
        ({"agent": "SomeBot/2"}, ("ignored", "agent")),
        # Both say so: the first counts; what is ignored isn't asked for its time.
        ({"agent": "SomeBot/2", "state": "test", "at": "never"}, ("ignored", "state")),
        ({"what": "beat", "state": "test"}, ("ignored", None)),
    ],
)
def test_lines_are_ignored_by_another_column(given: dict[str, Any], refusal: tuple[str, str | None] | None) -> None:
    """By a value, or by what the whole of it matches; the line says which column did."""
    rules = [{"column": "state", "values": ["test"]}, {"column": "agent", "match": ".*Bot.*"}]
    kinds = {"column": "what", "map": {"buy": "purchase"}, "ignore": ["beat"]}
    parsed = _read(_mapped(ignore_where=rules, event_type=kinds), **given)
    assert (parsed.refusal and (parsed.refusal.reason, parsed.refusal.field)) == refusal


def test_elements_of_a_list_are_ignored_by_themselves() -> None:
    """A line of which some elements mean something is these."""
    rules = [{"column": "lines[].state", "values": ["void"]}]
    parser = _mapped(ignore_where=rules, item_id={"column": "lines[].sku"})
    parsed = _read(parser, lines=[{"sku": 1, "state": "void"}, {"sku": 2}])
    assert [one["item_id"] for one in parsed.records] == ["2"]
    assert _read(parser, lines=[{"sku": 1, "state": "void"}]).refusal == Refusal("ignored", "lines[].state")
