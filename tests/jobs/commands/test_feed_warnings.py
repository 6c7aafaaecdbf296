"""What is probably wrong with a feed is said although every line of it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from conf.event_types import EVENT_TYPE_RANK
from conf.specs.source import Source
from jobs.commands.feed_warnings import feed_warnings
from jobs.commands.source_check import check_source, report_lines
from jobs.commands.source_outlook import OutlookEvent

MAP = {"v": "view", "p": "purchase", "r": "refund"}


def _source(**changes: Any) -> Source:
    events = {
        "event_time": {"column": "at", "unit": "seconds"},
        "event_type": {"column": "what", "map": MAP},
        "user_id": {"column": "who", "required": True},
        "order_id": {"column": "order"},
        "price": {"column": "price"},
        "quantity": {"column": "n"},
        "amount": {"column": "sum"},
    }
    content = {
        "name": "shop",
        "title": "A shop",
        "format": "csv",
        "csv": {"has_header": True, "delimiter": ";"},
        "encoding": "latin-1",
        "delivery": {"layout": "by_event_date", "files": ["**/*.csv"]},
        "events": events | changes.pop("events", {}),
        "duplicates": "keep",
        "session": {"gap_minutes": 30, "max_hours": 4},
        "decisions": {"kind": "implied", "event_type": "view"},
    }
    return Source.model_validate(content | changes)


def _sold(n: int, kind: str = "purchase", **money: int | str) -> list[OutlookEvent]:
    return [OutlookEvent(number, "u", kind, dict(money)) for number in range(n)]


VIEWS = _sold(20, "view")
RATES = {"files": ["**/rates*.jsonl"]}
OF_DAYS: dict[str, Any] = {"delivery": {"layout": "dated_files", "files": ["**/*.csv"]}, "currencies": RATES}


@pytest.mark.parametrize(
    ("events", "changes", "expected"),
    [
        (_sold(3), {}, "none of 3 purchase events carries money: map amount, or price and quantity"),
        (_sold(3, price=9_500_000), {}, "none of 3 purchase events carries money: map a quantity beside the price"),
        ([*_sold(3, amount=9_500_000), *_sold(1)], {}, "1 of 4 purchase events carry no money"),
        (_sold(2, "refund"), {}, "none of 2 refund events carries money"),
        (_sold(9, amount=1_999_000_000), {}, "amount is a whole number in all of 9 events, most of them from 100 on"),
        (_sold(9, amount=9_500_000), {}, "money of 9 events has no currency: add currency: EUR"),
        (
            [*_sold(2, amount=9_500_000, currency="EUR"), *_sold(1, amount=9_500_000, currency="CHF")],
            {},
            "money is in several currencies (EUR 2, CHF 1)",
        ),
        (VIEWS, {}, "all 20 events are of one type (view), and the mapping knows purchase, refund too"),
        ([*VIEWS, *_sold(1, amount=1_500_000)], {}, "no event among these lines is refund, which the mapping knows"),
    ],
)
def test_what_is_probably_wrong_is_said(events: list[OutlookEvent], changes: dict[str, Any], expected: str) -> None:
    assert any(one.startswith(expected) for one in feed_warnings(events, _source(**changes)))


NUMBERED = {
    "csv": {"has_header": True, "line_number": "row"},
    "events": {"user_id": {"column": "row", "required": True}},
}


@pytest.mark.parametrize("changes", [{}, {"hours_past_day": 4, "currency": "EUR"} | OF_DAYS, NUMBERED])
@pytest.mark.parametrize("is_all", [True, False])
@pytest.mark.parametrize(
    "events",
    [
        [],
        VIEWS,
        _sold(25),
        _sold(9, price=9_500_000),
        [*_sold(20, amount=1_999_000_000, currency="EUR"), *_sold(1, amount=9_500_000, currency="CHF")],
    ],
)
def test_no_sentence_has_to_be_read_twice(events: list[OutlookEvent], is_all: bool, changes: dict[str, Any]) -> None:
    """At most 35 words, one step each."""
    for told in feed_warnings(events, _source(**changes), is_all=is_all, n_files=3):
        assert [one for one in re.split(r"[.?:] ", told) if len(one.split()) > 35] == []


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({}, True),
        ({"currencies": RATES | {"hold_days": 1}}, False),
        ({"hours_past_day": 0}, False),
        ({"currencies": None}, False),
    ],
)
def test_foreign_money_after_midnight_needs_a_rate_that_holds(changes: dict[str, Any], is_told: bool) -> None:
    """Said where both keys are set: the next day's rates come with the next delivery."""
    source = _source(**{"hours_past_day": 4, "currency": "EUR"} | OF_DAYS | changes)
    assert any("Write hold_days: 1 in currencies" in one for one in feed_warnings([], source)) == is_told


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        (_sold(9, amount=19_990_000), {"currency": "EUR"}),
        (_sold(9, amount=19_990_000, currency="EUR"), {}),
        (_sold(9, amount=1_999_000_000), {"currency": "EUR", "events": {"amount": {"column": "sum", "scale": 0.01}}}),
        (_sold(4, amount=1_999_000_000), {"currency": "EUR"}),
        (_sold(9, amount=7_000_000), {"currency": "EUR"}),
        (VIEWS, {"events": {"event_type": {"constant": "view"}}}),
        ([], {}),
        (
            [*VIEWS, *_sold(1, amount=1_500_000)],
            {
                "currency": "EUR",
                "events": {"event_type": {"column": "what", "map": {one: one for one in EVENT_TYPE_RANK}}},
            },
        ),
    ],
)
def test_what_is_right_is_not_doubted(events: list[OutlookEvent], changes: dict[str, Any]) -> None:
    """Money in its currency, cents that are scaled, a log of one kind by its spec."""
    assert list(feed_warnings(events, _source(**changes))) == []


def test_words_that_are_ignored_are_told(tmp_path: Path) -> None:
    """A draft ignores what no word says; a return may be among it."""
    ignoring = _source(events={"event_type": {"column": "what", "map": MAP, "ignore": ["Storno", "scroll"]}})
    rows = ["1767607200;v;u;;;;", *["1767607200;Storno;u;;;;"] * 3, "1767607200;scroll;u;;;;"]
    (tmp_path / "log.csv").write_text("\n".join(["at;what;who;order;price;n;sum", *rows, ""]))
    checks, unread = check_source(ignoring, tmp_path)
    assert checks[0].result()["ignored_event_types"] == {"Storno": 3, "scroll": 1}
    report = "\n".join(report_lines(checks, unread, ignoring))
    assert "which the source says mean nothing: Storno 3, scroll 1" in report


def test_unknown_words_are_told_with_their_lines(tmp_path: Path) -> None:
    """What a shop calls its returns may be told; what looks like anybody's data is shown by its shape."""
    rows = ["1767607200;v;u;;;;", *["1767607200;Rückgabe;u;;;;"] * 3, "1767607200;ann@x.org;u;;;;"]
    (tmp_path / "log.csv").write_bytes("\n".join(["at;what;who;order;price;n;sum", *rows, ""]).encode("latin-1"))
    checks, unread = check_source(_source(), tmp_path)
    assert checks[0].result()["unknown_event_types"] == {"Rückgabe": 3, "aaa@a.aaa": 1}
    report = "\n".join(report_lines(checks, unread, _source()))
    assert "event types that the source does not know: Rückgabe (3 lines), aaa@a.aaa (1 line)" in report
    assert "ann" not in report


def test_one_type_among_some_lines_may_not_be_the_only_one() -> None:
    (told, *_) = [one for one in feed_warnings(VIEWS, _source(), is_all=False) if "one type" in one]
    assert told.startswith("all 20 events among these lines are of one type (view)")
    assert "Others may stand elsewhere; if not, is event_type read from the right column?" in told


@pytest.mark.parametrize(
    ("user", "n_files", "is_told"),
    [
        ({"column": "row"}, 5, True),
        ({"first_of": ["card", "row"]}, 2, True),
        ({"column": "row"}, 1, False),
        ({"columns": ["day", "row"]}, 5, False),
        ({"column": "card"}, 5, False),
    ],
)
def test_numbers_that_begin_anew_in_each_file_are_no_shoppers(
    user: dict[str, Any], n_files: int, is_told: bool
) -> None:
    """Line 7 of one week and line 7 of the next would be one shopper, and nobody would see it."""
    csv = {"has_header": True, "delimiter": ";", "line_number": "row"}
    source = _source(csv=csv, events={"user_id": user | {"required": True}})
    told = [one for one in feed_warnings([], source, n_files=n_files) if "numbers" in one]
    assert bool(told) == is_told
    assert not told or f"each of {n_files} files begins at 1 again" in told[0]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"column": "what", "values": ["x"]}], []),
        (
            [{"column": "what", "values": ["x"]}, {"column": "who", "values": ["Robot"]}],
            ["who left out none of 4 lines"],
        ),
        ([{"column": "who", "match": ".*"}], ["ignore_where left out all 4 lines"]),
    ],
)
def test_a_rule_that_ignores_nothing_or_everything_is_told(
    tmp_path: Path, rules: list[dict[str, Any]], expected: list[str]
) -> None:
    """A value is compared as it stands: `Robot` is no `robot`, whose orders would count."""
    (tmp_path / "a.csv").write_text(
        "at;what;who;order;price;n;sum\n" + "1767600000;p;robot;1;2;1;2\n1767600000;x;b;1;2;1;2\n" * 2
    )
    source = _source(events={"ignore_where": rules})
    checks, unread = check_source(source, tmp_path)
    told = [line for line in report_lines(checks, unread, source) if line.startswith("  ignore_where")]
    assert len(told) == len(expected) and all(want in one for want, one in zip(expected, told, strict=True))


@pytest.mark.parametrize(
    ("rules", "told", "counts"),
    [
        ([], "accepted 2, rejected 2", {}),
        (
            [{"column": "what", "values": ["x"]}],
            "rejected 2, 2 of them set aside by ignore_where (what 2)",
            {"what": 2},
        ),
        (
            [{"column": "what", "values": ["x"]}, {"column": "who", "values": ["robot"]}],
            "accepted 0, rejected 4, 4 of them set aside by ignore_where (what 2, who 2)",
            {"what": 2, "who": 2},
        ),
    ],
)
def test_lines_that_a_column_sets_aside_are_counted(
    tmp_path: Path, rules: list[dict[str, Any]], told: str, counts: dict[str, int]
) -> None:
    """Apart from those that couldn't be read: nobody has to mend them."""
    (tmp_path / "a.csv").write_text(
        "at;what;who;order;price;n;sum\n" + "1767600000;p;robot;1;2;1;2\n1767600000;x;b;1;2;1;2\n" * 2
    )
    checks, unread = check_source(source := _source(events={"ignore_where": rules}), tmp_path)
    assert told in "\n".join(report_lines(checks, unread, source))
    assert checks[0].result()["ignored_where"] == counts
