"""Drafts of logs whose records hold the events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model
from jobs.commands.source_check import check_source
from jobs.proposal.nested_lines import nested_lines
from jobs.proposal.proposal import propose

START = 1_767_607_200


def visit(number: int, times: list[Any], **changes: Any) -> dict[str, Any]:
    hits = [{"at": time, "type": ("view", "cart")[n % 2], "sku": f"p{n % 4}"} for n, time in enumerate(times)]
    return {"sid": f"s{number}", "user": f"u{number % 3}", "start": START + 3600 * number, "hits": hits} | changes


def absolute(n: int = 8) -> list[dict[str, Any]]:
    return [visit(number, [START + 3600 * number + 7 * step for step in range(4)]) for number in range(n)]


def passed(*times: Any, n: int = 8) -> list[dict[str, Any]]:
    return [visit(number, list(times)) for number in range(n)]


def draft(tmp_path: Path, records: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    path = tmp_path / "visits.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records), encoding="utf-8")
    text = propose([path])
    return yaml.safe_load(text), text


def test_a_list_with_times_is_proposed_as_lines(tmp_path: Path) -> None:
    """Of the shopper whose visits come again; the session's own key is named, and isn't taken."""
    found, text = draft(tmp_path, absolute())
    assert found["unnest"] == "hits"
    assert found["events"]["event_time"] == {"column": "hits.at", "unit": "seconds"}
    assert found["events"]["event_type"]["column"] == "hits.type"
    assert found["events"]["user_id"]["column"] == "user"
    assert found["events"]["item_id"]["column"] == "hits.sku"
    assert "sid: names a session; user_id is whose session it is" in text


@pytest.mark.parametrize(("times", "unit"), [((0, 3, 12.5, 40), "seconds"), ((0, 900, 31_000, 52_000), "milliseconds")])
def test_what_has_passed_is_added_to_the_record_s_time(tmp_path: Path, times: tuple[Any, ...], unit: str) -> None:
    found, text = draft(tmp_path, passed(*times))
    assert found["unnest"] == "hits"
    offset = {"column": "hits.at", "unit": unit}
    assert found["events"]["event_time"] == {"column": "start", "unit": "seconds", "offset": offset}
    assert f"# unsure: hits.at: read as {unit} since the record's time" in text


def test_days_of_files_are_those_of_the_clicks(tmp_path: Path) -> None:
    """Which count from their session's start: a file a day is a delivery, as of any log."""
    for day in range(2):
        at = START + 86_400 * day
        records = [visit(number, [0, 900, 31_000], start=at + 60 * number) for number in range(8)]
        name = f"visits-2026-01-0{5 + day}.jsonl"
        (tmp_path / name).write_text("".join(f"{json.dumps(one)}\n" for one in records), encoding="utf-8")
    found = yaml.safe_load(propose([tmp_path], "shop"))
    assert found["delivery"]["layout"] == "dated_files"
    assert found["events"]["event_time"]["offset"] == {"column": "hits.at", "unit": "milliseconds"}


@pytest.mark.parametrize(("begins", "expected"), [(22 * 60, 3), (600, None)])
def test_hours_past_the_day_are_proposed_where_sessions_pass_midnight(
    tmp_path: Path, begins: int, expected: int | None
) -> None:
    """As many as the longest session lasts: more than a twentieth of the clicks are of the next day."""
    day = 1_767_571_200  # midnight of 2026-01-05
    records = [
        visit(number, [day + 60 * (begins + number + 50 * step) for step in range(4)], start=day) for number in range(8)
    ]
    path = tmp_path / "visits-2026-01-05.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records), encoding="utf-8")
    text = propose([path])
    found = yaml.safe_load(text)
    assert found["delivery"]["layout"] == "dated_files"
    assert found.get("hours_past_day") == expected
    assert ("hours_past_day" in text) == (expected is not None)


def test_a_record_without_its_list_puts_no_shopper_into_the_draft(tmp_path: Path) -> None:
    """Its line has no type, and whose it is stands in for none."""
    odd = {"sid": "s99", "user": "c-0143", "start": START}
    found, text = draft(tmp_path, [*passed(0, 900, 31_000), odd])
    assert found["events"]["event_type"]["column"] == "hits.type"
    assert "c-0143" not in text


def test_a_key_that_differs_in_each_record_is_no_shopper(tmp_path: Path) -> None:
    """Whatever it is called; what comes again may be one."""
    records = [
        {"ref": f"r{n:06d}", "who": f"w{n % 15:06d}"} | {key: one[key] for key in ("hits",)}
        for n, one in enumerate(absolute(40))
    ]
    found, _ = draft(tmp_path, records)
    assert found["events"]["user_id"]["column"] == "who"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [visit(0, [START, START + 5])],  # one record tells nothing
        passed(5, 5, 5),  # all alike: no time of theirs
        passed(9, 3, 7),  # falling: no clock
        [{"user": "ann", "at": START + n, "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]} for n in range(9)],
        [{"user": "ann", "at": START + n, "items": ["a", "b"]} for n in range(9)],
    ],
)
def test_lists_without_times_are_parts_of_one_event(records: list[dict[str, Any]]) -> None:
    assert nested_lines(records) is None


def test_the_list_may_lie_deeper_and_some_records_lack_it() -> None:
    records: list[dict[str, Any]] = [{"visit": {"id": 1, "hits": one["hits"]}} for one in absolute(4)]
    found = nested_lines([*records, {"visit": None}, {}])
    assert found is not None
    assert (found.path, found.column, found.is_passed) == ("visit.hits", "visit.hits.at", False)
    assert len(found.lines_of([*records, {"visit": None}, {}])) == 18


def web_export(n: int = 60) -> list[dict[str, Any]]:
    """Short names, Google's client id in an object of its own, a place and a time in every click."""
    return [
        {"rid": f"r{number:05d}", "client": {"cid": f"{104587000 + number % 20}.{1767600000 + number % 20}"}}
        | {"sess": f"s{number:05d}", "start": START + 3600 * number}
        | {
            "hits": [
                {"n": n, "ms": 900 * n * n, "k": "pv", "p": f"P{(number + n) % 30}", "v": "9.5"} for n in range(12)
            ]
        }
        for number in range(n)
    ]


def test_counts_and_times_of_clicks_are_neither_shopper_nor_item(tmp_path: Path) -> None:
    found, text = draft(tmp_path, web_export())
    assert found["events"]["user_id"]["column"] == "client.cid"
    assert found["events"]["item_id"]["column"] == "hits.p"
    assert "hits.n (whole numbers), hits.v (numbers with decimals)" in text
    assert "hold times as well" not in text


def test_a_shopper_stands_beside_the_clicks(tmp_path: Path) -> None:
    """Whatever its name: what clicks say of ids is of items."""
    records = [one | {"client": {"w": one["client"]["cid"]}} for one in web_export(120)]
    found, _ = draft(tmp_path, records)
    assert found["events"]["user_id"]["column"] == "client.w"
    records = [one | {"hits": [hit | {"user": "x"} for hit in one["hits"]]} for one in web_export()]
    assert draft(tmp_path, records)[0]["events"]["user_id"]["column"] == "client.cid"


def _visits(n: int) -> list[dict[str, Any]]:
    """Visits in words of a shop's own: `off` is what has passed, `what` the kind; items stand in three places."""
    found = []
    for number in range(n):
        goods = [{"code": f"L-{(number + place) % 30:03d}", "slot": place} for place in range(1, 4)]
        bought = {"code": goods[0]["code"], "qty": 2, "each": 9.95, "cur": "EUR"}
        steps: list[dict[str, Any]] = [
            {"what": "page", "url": f"/{('home', 'sale')[number % 2]}"},
            {"what": "tray_seen", "tray": f"t{number}", "goods": goods},
            {"what": "tray_tap", "tray": f"t{number}", "code": goods[0]["code"]},
            {"what": "basket_in", "code": goods[0]["code"], "qty": 2, "each": 9.95},
            {"what": "basket_out", "code": goods[1]["code"], "qty": 1},
            {"what": "bought", "order": f"o{number}", "rows": [bought]},
        ]
        hits = [{"no": place + 1, "off": place * (9_000 + number)} | step for place, step in enumerate(steps)]
        begin = f"2026-06-01T{8 + number // 60:02d}:{number % 60:02d}:00+02:00"
        found.append({"visit": f"v{number}", "who": {"cookie": f"ck{number % 40:03d}"}, "begin": begin, "hits": hits})
    return found


def test_what_has_passed_is_known_by_its_values_and_items_by_theirs(tmp_path: Path) -> None:
    """Whatever they are called: numbers that begin at 0 and grow by uneven steps; values that items have elsewhere."""
    path = tmp_path / "visits-20260601.ndjson"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in _visits(150)), encoding="utf-8")
    content = yaml.safe_load(propose([path], "shop"))
    events = content["events"]
    assert content["unnest"] == "hits"
    assert events["event_time"] == {
        "column": "begin",
        "unit": "iso",
        "offset": {"column": "hits.off", "unit": "milliseconds"},
    }
    assert events["event_type"]["column"] == "hits.what"
    assert events["event_type"]["map"] == {
        "tray_seen": "impression",
        "tray_tap": "click",
        "basket_in": "cart",
        "bought": "purchase",
    }
    assert sorted(events["event_type"]["ignore"]) == ["basket_out", "page"]
    assert events["user_id"]["column"] == "who.cookie"
    assert events["item_id"]["first_of"] == ["hits.goods[].code", "hits.rows[].code", "hits.code"]
    assert events["price"]["first_of"] == ["hits.rows[].each", "hits.each"]
    assert events["quantity"]["first_of"] == ["hits.rows[].qty", "hits.qty"]
    source = parse_model(Source, content | {"zone": "UTC"}, "draft")
    (check,), _ = check_source(source, path)
    assert dict(check.n_events) == {"impression": 450, "click": 150, "cart": 150, "purchase": 150}


@pytest.mark.parametrize("steps", [(0, 1, 2, 3), (0, 10, 20, 30), (5, 907, 4123, 9001)])
def test_numbers_that_count_or_begin_elsewhere_are_no_times(steps: tuple[int, ...]) -> None:
    """Nor is what is called nothing like a time and grows evenly, as a counter does."""
    records = [{"begin": "2026-06-01", "hits": [{"x": step} for step in steps]} for _ in range(40)]
    assert nested_lines(records) is None


def test_rare_orders_of_visits_are_seen(tmp_path: Path) -> None:
    """One click in two hundred is an order: its items, pieces and prices stand in a list of their own."""
    found = []
    for number in range(150):
        goods = [{"sku": f"L-{(number + place) % 30:03d}"} for place in range(3)]
        hits: list[dict[str, Any]] = [{"ev": "list_view", "arts": goods}, *[{"ev": "page"} for _ in range(12)]]
        if number % 15 == 0:
            hits.append({"ev": "purchase", "lines": [{"sku": goods[0]["sku"], "qty": 1, "price": 4.5}]})
        visit = {"user": f"u{number % 40}", "start": f"2026-06-01T08:{number % 60:02d}:00Z"}
        found.append(visit | {"hits": [{"ms": place * (900 + number)} | hit for place, hit in enumerate(hits)]})
    path = tmp_path / "visits.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in found), encoding="utf-8")
    events = yaml.safe_load(propose([path], "shop"))["events"]
    assert events["item_id"]["first_of"] == ["hits.arts[].sku", "hits.lines[].sku"]
    assert (events["price"]["column"], events["quantity"]["column"]) == ("hits.lines[].price", "hits.lines[].qty")
