"""Every line has one verdict: accepted, or the first reason of the contract that applies."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.specs.delivery import BotRule, Window
from conf.specs.source import Source
from conf.tables import REJECT_REASONS
from jobs.events.line_reasons import event_ids, part_ids, repetitions, with_reasons
from jobs.landing.parsed_lines import BatchParser
from jobs.landing.raw_lines import LineBatch, LineFile
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import line

DAY = date(2026, 1, 6)
DAY_BEFORE = date(2026, 1, 5)


@dataclass(frozen=True)
class Row:
    """What became of a line."""

    file: str
    line_number: int
    reason: str | None
    detail: str | None
    event_id: str
    item_id: str | None


def _judge(lines: list[tuple[str, str]], shop: Source) -> list[Row]:
    """(name, line) of a delivery of `DAY` with their reasons; the name stands in `file`, the line for its hash."""
    parser, batches = BatchParser(shop, []), []
    for number, (name, text) in enumerate(lines):
        one = pa.array([text], pa.string())
        batch = LineBatch(LineFile(Path(name), name, DAY), np.array([number]), np.array([0]), one, one)
        batches.append(parser.columns(batch, str))
    parsed = pa.Table.from_batches(batches)
    n_before = np.zeros(len(parsed), dtype=np.int64)
    is_acceptable = np.asarray(parsed["reason"].is_null())
    n_before[is_acceptable] = repetitions(parsed.filter(pa.array(is_acceptable)))
    names = [one.name for one in fields(Row)]
    rows = [Row(**row) for row in with_reasons(parsed, n_before, shop).select(names).to_pylist()]
    return sorted(rows, key=lambda row: (row.file, row.line_number))


LINES = [
    ("good", line(DAY, 1)),
    ("late by a day", line(DAY_BEFORE, 1)),
    ("late by two days", line(date(2026, 1, 4), 1439)),
    ("of tomorrow", line(date(2026, 1, 7), 0)),
    ("unreadable", "{"),
    ("without a user and without a time", line(DAY, 2, user_id=None, event_time="")),
    ("bad time and bad price", line(DAY, 3, event_time="noon", price="x")),
    ("bad price and unknown type", line(DAY, 4, price="x", event_type="stare")),
    ("unknown type, outside", line(date(2025, 1, 1), 4, event_type="stare")),
    ("twin", line(DAY, 5)),
    ("twin", line(DAY, 5)),
    ("twin", line(DAY, 5)),
    ("shared id", line(DAY, 6, event_id="e", item_id="b")),
    ("shared id", line(DAY, 6, event_id="e", item_id="a")),
    ("id of a bad line", line(DAY, 7, event_id="f", price="x")),
    ("id of a bad line, good", line(DAY, 7, event_id="f")),
    ("stock", line(DAY, 8, user_id=None, event_type="stock")),
    ("stock without an item's user", line(DAY, 8, user_id="", event_type="receipt")),
]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[tuple[str | None, str | None]]]:
    found: dict[str, list[tuple[str | None, str | None]]] = {}
    for row in _judge(LINES, source()):
        found.setdefault(row.file, []).append((row.reason, row.detail))
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", [(None, None)]),
        ("late by a day", [(None, None)]),
        ("late by two days", [("outside_window", None)]),
        ("of tomorrow", [("outside_window", None)]),
        ("unreadable", [("unreadable", None)]),
        ("without a user and without a time", [("missing_field", "event_time")]),
        ("bad time and bad price", [("bad_timestamp", None)]),
        ("bad price and unknown type", [("bad_number", "price")]),
        ("unknown type, outside", [("unknown_event_type", None)]),
        ("id of a bad line, good", [(None, None)]),
        ("stock", [(None, None)]),
        ("stock without an item's user", [(None, None)]),
    ],
)
def test_first_reason_wins(
    verdicts: dict[str, list[tuple[str | None, str | None]]], name: str, expected: list[tuple[str | None, str | None]]
) -> None:
    """A line that fails several checks has the first reason of the contract; the detail is a field, never a value."""
    assert verdicts[name] == expected


def test_all_but_one_of_identical_lines_are_duplicates(
    verdicts: dict[str, list[tuple[str | None, str | None]]],
) -> None:
    """Which one is kept can't matter: they are identical."""
    assert sorted(str(reason) for reason, _ in verdicts["twin"]) == ["None", "duplicate", "duplicate"]


def test_of_lines_that_share_an_id_the_order_of_delivery_does_not_choose() -> None:
    """The same one is kept however the lines are shuffled."""
    shared = [(name, text) for name, text in LINES if name == "shared id"]
    kept = {
        next(row.item_id for row in _judge(some, source()) if row.reason is None) for some in (shared, shared[::-1])
    }
    assert len(kept) == 1


def test_kept_duplicates_get_ids_of_their_own() -> None:
    """Where identical lines are different facts, each is an event; a `#` in a given id can't be mistaken."""
    given = [("given", line(DAY, 6, event_id=event_id)) for event_id in ("e#1", "e", "e")]
    rows = _judge([("twin", line(DAY, 5))] * 3 + given, source(duplicates="keep"))
    assert all(row.reason is None for row in rows)
    twin = line(DAY, 5)
    assert sorted(row.event_id for row in rows) == sorted([twin, f"{twin}#1", f"{twin}#2", "e##1", "e", "e#1"])


def test_ids_of_further_events_differ_from_all_others() -> None:
    """Lines, repetitions and the events derived from either never share an id."""
    given = pa.array(["e", "e", "e#", "e#", "e#1"])
    ids = event_ids(given, pa.array(["hash"] * 5), np.array([0, 1, 0, 1, 0]))
    found = list(zip(ids.to_pylist(), part_ids(ids, pa.array([1] * 5, pa.int32())).to_pylist(), strict=True))
    assert found == [
        ("e", "e#0.1"),
        ("e#1", "e#1.1"),
        ("e##", "e###0.1"),
        ("e###1", "e###1.1"),
        ("e##1", "e##1#0.1"),
    ]
    assert len({one for row in found for one in row}) == 10


def test_all_events_of_a_bot_are_rejected() -> None:
    """Three events within a clock hour are one too many: the shopper's other hours go too, others' events don't."""
    lines = [("bot", line(DAY, minutes, user_id="bot")) for minutes in (1, 2, 59, 300)]
    lines += [("person", line(DAY, minutes)) for minutes in (58, 59, 60, 61)]
    lines += [("twins", line(DAY, 5, user_id="eve"))] * 5
    lines += [("shop", line(DAY, minutes, user_id=None, event_type="stock")) for minutes in (1, 2, 3)]
    rows = _judge(lines, source(bots=BotRule(max_events_per_hour=2)))
    reasons: dict[str, Any] = {}
    for row in rows:
        reasons.setdefault(row.file, []).append(row.reason)
    assert {name: sorted(map(str, some)) for name, some in reasons.items()} == {
        "bot": ["bot_rate"] * 4,
        "person": ["None"] * 4,
        "twins": ["None", *["duplicate"] * 4],
        "shop": ["None"] * 3,
    }


def test_window_bounds_business_dates() -> None:
    """The window's days are days of the shop: 23:30 UTC of the 5th is the 6th in Berlin."""
    shop = source(zone="Europe/Berlin", window=Window(first=DAY, last=DAY))
    lines = [
        ("before", line(DAY_BEFORE, 22 * 60 + 59)),
        ("first", line(DAY_BEFORE, 23 * 60)),
        ("last", line(DAY, 22 * 60 + 59)),
        ("after", line(DAY, 23 * 60)),
    ]
    assert {row.file: row.reason for row in _judge(lines, shop)} == {
        "before": "outside_window",
        "first": None,
        "last": None,
        "after": "outside_window",
    }


def test_every_reason_is_in_the_contract(verdicts: dict[str, list[tuple[str | None, str | None]]]) -> None:
    """No reason is invented on the way."""
    assert {reason for some in verdicts.values() for reason, _ in some if reason} <= set(REJECT_REASONS)
