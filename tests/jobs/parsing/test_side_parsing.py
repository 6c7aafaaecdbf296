"""Lines of side tables become rows, or have a reason."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.specs.side_table import SIDE_TABLES, SideTable
from conf.specs.source import Source
from jobs.parsing.side_parsing import SideParser
from tests.jobs.event_rows import source

DAY = date(2026, 3, 29)  # clocks go forward in Berlin
MIDNIGHT = 1_774_738_800_000_000  # 2026-03-28T23:00Z

ITEMS: dict[str, Any] = {
    "files": ["items.csv"],
    "format": "csv",
    "csv": {"has_header": True, "delimiter": ";"},
    "columns": {
        "item_id": {"column": "sku", "whole": True},
        "category_id": {"column": "group"},
        "price": {"column": "eur", "at_least": 0},
        "pack_size": {"column": "pack"},
    },
    "valid_from": {"column": "since", "unit": "pattern", "pattern": "dd.MM.yyyy"},
}
HEADER = ("sku", "since", "group", "eur", "pack")


def parser(name: str, table: dict[str, Any], header: tuple[str, ...] = ()) -> SideParser:
    made = SideTable.model_validate(table)
    made.refuse_unfit(name)
    return SideParser(name, made, header, zone="Europe/Berlin", pseudonym=lambda user_id: f"<{user_id}>")


def test_delimited_line_is_a_row() -> None:
    """Money in millionths, ids as ids, what is missing null; local days start at the zone's midnight."""
    (row,) = parser("items", ITEMS, HEADER).parse("17.0;29.03.2026;;12.5;6", DAY).rows
    assert row == {
        "item_id": "17",
        "valid_from": MIDNIGHT,
        "category_id": None,
        "price": 12_500_000,
        "pack_size": 6,
    }


@pytest.mark.parametrize(
    ("line", "reason", "name"),
    [
        ("", "unreadable", None),
        ("1;29.03.2026;a;1;1;1", "unreadable", None),
        ("1;29.03.2026;a", "half_record", None),
        (";29.03.2026;a;1;1", "missing_field", "item_id"),
        ("1;;a;1;1", "missing_field", "valid_from"),
        ("1;2026-03-29;a;1;1", "bad_timestamp", "valid_from"),
        ("1;29.03.2026;a;-1;1", "bad_number", "price"),
        ("1;29.03.2026;a;1;half", "bad_number", "pack_size"),
    ],
)
def test_dirt_has_a_reason(line: str, reason: str, name: str | None) -> None:
    refusal = parser("items", ITEMS, HEADER).parse(line, DAY).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == (reason, name)


def test_elements_of_a_list_are_one_row() -> None:
    """Each once, ascending; without `valid_from` it holds from the start of the delivery's day."""
    table = {
        "files": ["sets.jsonl"],
        "columns": {"availability_id": {"column": "id"}, "actions": {"column": "can[].sku"}},
    }
    rows = parser("availability", table).parse('{"id": 7, "can": [{"sku": "b"}, {"sku": 1.0}, {"sku": "b"}]}', DAY).rows
    assert rows == [{"valid_from": MIDNIGHT, "availability_id": "7", "actions": ["1", "b"]}]


def own_names(name: str) -> SideParser:
    table = SideTable(files=("x.jsonl",)).under_own_names(name, "utf-8")
    return SideParser(name, table, (), zone="Europe/Berlin", pseudonym=str)


def test_tables_without_columns_have_those_of_their_own_names() -> None:
    """A time without an offset is the source's; what isn't there is null."""
    (row,) = own_names("items").parse('{"item_id": "a", "valid_from": "2026-03-29T00:00", "cost": 0.1}', DAY).rows
    assert row == dict.fromkeys(SIDE_TABLES["items"]) | {"item_id": "a", "valid_from": MIDNIGHT, "cost": 100_000}


@pytest.mark.parametrize(
    ("name", "changes", "reason", "field"),
    [
        ("items", {"valid_from": None}, "missing_field", "valid_from"),
        ("items", {"valid_from": "2026"}, "bad_timestamp", "valid_from"),
        ("items", {"item_id": "nan"}, "missing_field", "item_id"),
        ("items", {"item_id": {"id": 1}}, "bad_id", "item_id"),
        ("items", {"category_id": False}, "bad_id", "category_id"),
        ("items", {"cost": "12,50"}, "bad_number", "cost"),
        ("items", {"pack_size": 1.5}, "bad_number", "pack_size"),
        ("availability", {"actions": "a"}, "bad_id", "actions"),
        ("availability", {"actions": None}, "missing_field", "actions"),
        ("availability", {"actions": ["a", "NULL"]}, "missing_field", "actions"),
        ("availability", {"actions": ["a", ["b"]]}, "bad_id", "actions"),
    ],
)
def test_dirt_of_tables_without_columns_has_a_reason(
    name: str, changes: dict[str, Any], reason: str, field: str
) -> None:
    whole = {"item_id": "a", "availability_id": "a", "actions": ["a"], "valid_from": "2026-03-29T00:00:00Z"}
    parsed = own_names(name)
    assert parsed.parse(json.dumps(whole), DAY).refusal is None
    refusal = parsed.parse(json.dumps(whole | changes), DAY).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == (reason, field)


def test_an_empty_list_is_a_set_of_nothing() -> None:
    """A missing one is missing."""
    (row,) = (
        own_names("availability")
        .parse('{"availability_id": "a", "actions": [], "valid_from": "2026-03-29T00:00"}', DAY)
        .rows
    )
    assert row == {"valid_from": MIDNIGHT, "availability_id": "a", "actions": []}


@given(actions=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5))
def test_sets_are_the_same_under_own_and_given_names(actions: list[str]) -> None:
    """Whatever they hold: accepted as the same row, or rejected for the same reason."""
    mapped = {"availability_id": {"column": "id"}, "actions": {"column": "can[].sku"}}
    table = {"files": ["x"], "columns": mapped, "valid_from": {"column": "at", "unit": "iso"}}
    at = "2026-03-29T00:00"
    own = own_names("availability").parse(
        json.dumps({"availability_id": "a", "actions": actions, "valid_from": at}), DAY
    )
    renamed = parser("availability", table).parse(
        json.dumps({"id": "a", "can": [{"sku": one} for one in actions], "at": at}), DAY
    )
    assert own == renamed


@pytest.mark.parametrize(("value", "is_given"), [("true", True), ('"NO"', False), ("1", True), ('"perhaps"', None)])
def test_consent_is_yes_or_no_of_a_pseudonym(value: str, is_given: bool | None) -> None:
    table = {"files": ["c"], "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}}}
    parsed = parser("consent", table).parse(f'{{"who": "ann", "ok": {value}}}', DAY)
    if is_given is None:
        assert parsed.refusal is not None
        assert (parsed.refusal.reason, parsed.refusal.field) == ("bad_id", "is_given")
    else:
        assert parsed.rows == [{"valid_from": MIDNIGHT, "user_id": "<ann>", "is_given": is_given}]


SHOPPERS: dict[str, Any] = {
    "files": ["customers.jsonl"],
    "columns": {"user_id": {"column": "id"}, "tier": {"column": "tier"}, "age_group": {"column": "age.group"}},
}


def test_attributes_are_rows_of_their_own() -> None:
    """One for each that the source names, null where the line has none: what was said before holds no longer."""
    rows = parser("shoppers", SHOPPERS).parse('{"id": 17, "tier": "gold", "age": {}}', DAY).rows
    assert rows == [
        {"valid_from": MIDNIGHT, "user_id": "<17>", "attribute": "tier", "value": "gold"},
        {"valid_from": MIDNIGHT, "user_id": "<17>", "attribute": "age_group", "value": None},
    ]


def test_an_attribute_that_is_no_text_rejects_its_line() -> None:
    refusal = parser("shoppers", SHOPPERS).parse('{"id": 17, "tier": ["gold"]}', DAY).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == ("bad_id", "tier")


RATES: dict[str, Any] = {
    "files": ["rates.jsonl"],
    "columns": {"currency": {"column": "c"}, "rate": {"column": "r", "decimal_comma": True}},
}


@pytest.mark.parametrize(
    ("currency", "rate", "expected"),
    [
        ("USD", "0,9215", "0.9215"),
        ("USD", "1.000", "1000"),
        ("usd", "1", ("bad_id", "currency")),
        ("USD", "0", ("bad_number", "rate")),
        ("USD", "-1", ("bad_number", "rate")),
        ("USD", "1000000000", ("bad_number", "rate")),
        ("USD", "0.9215", ("bad_number", "rate")),
        ("USD", "", ("missing_field", "rate")),
        ("", "1", ("missing_field", "currency")),
    ],
)
def test_rates_are_exact_text_above_0(currency: str, rate: str, expected: Any) -> None:
    parsed = parser("currencies", RATES).parse(f'{{"c": "{currency}", "r": "{rate}"}}', DAY)
    if parsed.refusal is not None:
        assert (parsed.refusal.reason, parsed.refusal.field) == expected
    else:
        assert parsed.rows == [{"valid_from": MIDNIGHT, "currency": currency, "rate": expected}]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"items": ITEMS | {"columns": {"itemid": {"column": "sku"}}}}, "unknown field itemid; did you mean 'item_id'"),
        ({"items": ITEMS | {"columns": {"price": {"column": "eur"}}}}, "item_id is not mapped"),
        ({"items": ITEMS | {"columns": {}}}, "give columns"),
        ({"items": ITEMS | {"csv": None}}, "give csv with format: csv"),
        ({"stock": {"files": ["stock.jsonl"]}}, "stock: give columns, which map item_id, quantity"),
        ({"shoppers": {"files": ["s"]}}, "shoppers: give columns, which map user_id, and attributes by names of your"),
        ({"shoppers": {"files": ["s"], "columns": {"user_id": {"column": "a"}}}}, "no attribute is mapped; name one"),
        ({"shoppers": {"files": ["s"], "columns": {"tier": {"column": "a"}}}}, "user_id is not mapped"),
        (
            {"item_attributes": {"files": ["s"], "columns": {"item_id": {"column": "a"}, "price": {"column": "b"}}}},
            "price: columns of the table items; map them in items",
        ),
        (
            {"shoppers": SHOPPERS | {"columns": SHOPPERS["columns"] | {"Age group": {"column": "a"}}}},
            "Age group: attributes are named in lower-case letters",
        ),
        (
            {"currency": "EUR", "currencies": RATES | {"columns": {"currency": {"column": "c"}}}},
            "currencies.columns: rate is not mapped",
        ),
        ({"currency": "EUR", "currencies": {"files": ["r"], "encoding": "latin-1"}}, "give columns: without them"),
        (
            {"items": ITEMS | {"columns": {"item_id": {"from_path": "(a)"}}}},
            "item_id: a side table's fields are not read off the path",
        ),
    ],
)
def test_mapping_that_does_not_fit_its_table_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Source.model_validate(source().model_dump() | table)
