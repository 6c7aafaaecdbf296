"""A delivery that is another log than those before it is told by what differs, with its day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.delivery import Delivery
from jobs.errors import UnlikelyDelivery
from jobs.landing.acceptance import accept
from jobs.landing.delivery_drift import Drift, drifts, unlikely_drift
from jobs.landing.raw_deliveries import RawDelivery, RawFile
from jobs.landing.unlikely_deliveries import refuse
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import deliver, line

FIRST = date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
USUAL = {
    "n_lines": 1_000,
    "n_accepted": 1_000,
    "filled/price": 900,
    "filled/item_id": 1_000,
    "filled/amount": 250,
    "filled/order_id": 250,
    "type/purchase": 300,
    "positive/price": 900,
    "bits/price": 900 * 24,
}


def _delivery(day: date, header: tuple[str, ...] | None = None) -> RawDelivery:
    return RawDelivery(day, (RawFile(day, "events", f"{day}/events.jsonl", "hash", 1_000, header),))


def _found(now: dict[str, int], *, n_before: int = 3, **changes: Any) -> list[tuple[str, bool]]:
    """What the last of some deliveries is told to differ in."""
    known = {day: {"canonical": USUAL} for day in DAYS[4 - n_before : 4]} | {DAYS[4]: {"canonical": now}}
    landed = {day: _delivery(day) for day in known}
    return [(one.what, one.is_unlikely) for one in drifts([landed[DAYS[4]]], landed, known, source(**changes))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"n_lines": 101}, []),
        ({"n_lines": 100}, [("100 lines, where 1000 are usual (the least was 1000)", True)]),
        ({"bits/price": 900 * 28}, []),
        (
            {"bits/price": 900 * 24 + 900 * 13 // 2},
            [("price is about 91 times as large as before (cents for units?)", True)],
        ),
        ({"bits/price": 900 * 17}, [("price is about 128 times smaller than before (cents for units?)", True)]),
        ({"filled/price": 0, "positive/price": 0}, [("price in 0% of its events, in 90% before", True)]),
        ({"filled/price": 100}, []),
        # Most logs hold few events with money: gone from all of them, with purchases still there, it is gone.
        ({"filled/amount": 0}, [("amount in 0% of its events, in 25% before", True)]),
        (
            {"filled/amount": 0, "type/purchase": 10},
            [
                ("amount in 0% of its events, in 25% before", False),
                ("purchase events are 1.0%, 30.0% before", False),
            ],
        ),
        ({"filled/order_id": 0}, [("order_id in 0% of its events, in 25% before", False)]),
        ({"type/purchase": 0}, [("purchase events are 0.0%, 30.0% before", False)]),
        ({"filled/currency": 1_000}, [("currency in 100% of its events, in 0% before", False)]),
        (
            {"rejected/bad_number price": 60},
            [("bad_number price: 6% of its lines, at most 0.0% before", False)],
        ),
        ({"rejected/bad_number price": 40}, []),
        # Lines that a column says mean nothing are read right; that most do all of a sudden is worth a look.
        ({"ignored/state": 900}, [("ignored by state: 90% of its lines, at most 0.0% before", False)]),
        ({"ignored/state": 40}, []),
    ],
)
def test_what_differs_is_told(changes: dict[str, int], expected: list[tuple[str, bool]]) -> None:
    """Against three usual days; the second value says whether the delivery can't be right."""
    assert _found(USUAL | changes) == expected


def test_two_deliveries_are_no_custom() -> None:
    """Nothing is told before there are three."""
    assert _found({"n_lines": 1}, n_before=2) == []


def test_feed_without_a_line_is_told() -> None:
    """Its file was left out, or is empty."""
    assert _found({}) == [("0 lines, where 1000 are usual (the least was 1000)", True)]


def test_limit_decides_what_stops() -> None:
    """At 1 it is said alone; at a half, half is too little only where the lines are a tenth."""
    assert _found(USUAL | {"n_lines": 100}, max_drop=1.0)[0][1] is False
    assert _found(USUAL | {"bits/price": 900 * 17}, max_drop=1.0)[0][1] is False
    assert _found(USUAL | {"n_lines": 100}, max_drop=0.95)[0][1] is False


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (
            {},
            {"rejected/bad_number amount": 12},
            ["no value of amount could be read: 24 lines are bad_number, and"] * 2,
        ),
        ({}, {"rejected/bad_number amount": 9}, []),
        ({"filled/amount": 1}, {"rejected/bad_number amount": 12}, []),
        ({"rejected/bad_number amount": 50}, {"rejected/bad_number amount": 9}, []),
        ({}, {"rejected/missing_field user_id": 30}, []),
    ],
)
def test_field_that_no_line_can_read_stops(before: dict[str, int], now: dict[str, int], expected: list[str]) -> None:
    """Two days of few purchases with decimal commas nobody reads, behind many views: a tenth of the lines."""
    lines = {"n_lines": 200, "n_accepted": 188}
    known = {
        DAYS[0]: {"canonical": lines | before},
        DAYS[1]: {"canonical": lines | now},
        DAYS[2]: {"canonical": lines | now},
    }
    due = [_delivery(day) for day in DAYS[1:3]]
    found = drifts(due, {}, known, source())
    assert [one.what.startswith(told) for one, told in zip(found, expected, strict=True)] == [True] * len(expected)
    assert all(one.is_unlikely for one in found)
    assert not any(one.is_unlikely for one in drifts(due, {}, known, source(max_drop=1.0)))


def test_quiet_day_of_the_week_is_no_drift() -> None:
    """A shop that rests on Sundays has had such days before."""
    known = {day: {"canonical": USUAL} for day in DAYS[:3]}
    known |= {DAYS[3]: {"canonical": {"n_lines": 50}}, DAYS[4]: {"canonical": {"n_lines": 40}}}
    landed = {day: _delivery(day) for day in known}
    assert drifts([landed[DAYS[4]]], landed, known, source()) == []


WEEKS = [FIRST + timedelta(days=n) for n in range(36)]
SENT = {"n_lines": 500}


def _weekly(last: dict[str, int]) -> list[tuple[str, str, bool]]:
    """What five weeks of a feed are told to differ in: 500 lines on Mondays, a few on Tuesdays, at last `last`."""
    by_weekday = {0: SENT, 1: {"n_lines": 9}}
    known = {
        day: {"canonical": by_weekday[day.weekday()]} if day.weekday() in by_weekday else {} for day in WEEKS[:-1]
    } | {WEEKS[-1]: {"canonical": last} if last else {}}
    landed = {day: _delivery(day) for day in known}
    found = drifts([landed[day] for day in WEEKS], landed, known, source())
    return [(one.delivery_date.strftime("%a"), one.what, one.is_unlikely) for one in found]


def test_feed_that_comes_weekly_is_silent_on_other_days() -> None:
    """Its days of the week are compared with the same ones before."""
    assert WEEKS[-1].strftime("%a") == "Mon"
    assert _weekly(SENT) == []


@pytest.mark.parametrize("n_lines", [0, 50])
def test_feed_that_comes_weekly_is_missed_on_its_day(n_lines: int) -> None:
    """Though it has few lines or none on most days."""
    told = f"{n_lines} lines, where 500 are usual (the least was 500)"
    assert _weekly({"n_lines": n_lines} if n_lines else {}) == [("Mon", told, True)]


def test_small_feed_that_comes_weekly_is_missed_on_its_day() -> None:
    """Of which no volume is usual: 40 lines a week."""
    known = {day: {"canonical": {"n_lines": 40}} if day.weekday() == 0 else {} for day in WEEKS[:-1]} | {WEEKS[-1]: {}}
    landed = {day: _delivery(day) for day in known}
    found = drifts([landed[day] for day in WEEKS], landed, known, source())
    told = "no line, where 40 are usual on a Monday and each had some"
    assert [(one.delivery_date, one.what, one.is_unlikely) for one in found] == [(WEEKS[-1], told, True)]


def test_last_day_of_a_log_that_is_split_may_be_cut() -> None:
    """It is said, and no reason to stop."""
    delivery = Delivery(layout="by_event_date", files=("**/*",))
    assert _found(USUAL | {"n_lines": 100}, delivery=delivery) == [
        ("100 lines, where 1000 are usual (the least was 1000)", False)
    ]


def test_columns_that_come_and_go_are_named() -> None:
    """From one delivery to the next, whatever is mapped."""
    landed = {DAYS[0]: _delivery(DAYS[0], ("user", "price")), DAYS[1]: _delivery(DAYS[1], ("user", "cost"))}
    known = {DAYS[0]: {"canonical": USUAL}}
    found = drifts([landed[DAYS[1]]], landed, known, source())
    assert [one.sentence for one in found] == [
        f"delivery_date={DAYS[1]} feed canonical: column 'cost' is new",
        f"delivery_date={DAYS[1]} feed canonical: column 'price' is gone",
    ]


def test_refusal_names_everything_and_acceptance_opens() -> None:
    """Days that a person accepted are not asked again."""
    found = [Drift(day, "canonical", "another log", True) for day in DAYS[:2]] + [Drift(DAYS[2], "canonical", "odd")]
    with pytest.raises(UnlikelyDelivery) as raised:
        refuse(unlikely_drift(found, source(), {DAYS[0]}), source())
    assert f"delivery_date={DAYS[1]} feed canonical: another log" in str(raised.value)
    assert str(DAYS[0]) not in str(raised.value)
    assert "odd" not in str(raised.value)
    assert unlikely_drift(found, source(), DAYS[:2]) == []


def _day(day: date, price: Callable[[int], str], n_lines: int = 120) -> list[str]:
    return [
        line(day, 5 + n, event_id=f"{day}-{n}", user_id=f"u{n % 9}", event_type="purchase", price=price(n), quantity=1)
        for n in range(n_lines)
    ]


def test_prices_in_cents_stop_until_accepted(ingest_into: Ingest, tmp_path: Path) -> None:
    """Three days of 10 to 22 euros, then cents: said with feed and day, in result and manifest once accepted."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    for day in DAYS[:3]:
        deliver(logs, day, _day(day, lambda n: f"{10 + n / 10:.2f}"))
    assert ingest_into(home, DAYS[2], logs)["drift"] == []
    deliver(logs, DAYS[3], _day(DAYS[3], lambda n: str(1000 + 10 * n)))
    with pytest.raises(UnlikelyDelivery, match=rf"delivery_date={DAYS[3]} feed canonical: price is about \d+ times"):
        ingest_into(home, DAYS[3], logs)
    lake = Lake(home / "lake", "canonical")
    assert f"delivery_date={DAYS[3]}" not in read_pointers(lake.table("events"))
    accept(lake, DAYS[3], "prices are in cents from now on")
    (sentence,) = ingest_into(home, DAYS[3])["drift"]
    assert sentence.startswith(f"delivery_date={DAYS[3]} feed canonical: price is about")
    manifest = read_pointers(lake.table("events"))[f"delivery_date={DAYS[3]}"].manifest
    assert manifest.drift == (sentence,)
    assert manifest.profile["canonical"]["n_lines"] == 120
    assert json.loads(manifest.model_dump_json())["notes"]["accepted"] == "prices are in cents from now on"


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        ((38, 40, 36, 41), {}, [("no line, where 39 are usual and every delivery had some", True)]),
        ((38, 40, 36, 41), {"max_drop": 1}, [("no line, where 39 are usual and every delivery had some", False)]),
        ((38, 0, 36, 41), {}, []),  # it doesn't come each time
        ((None, 38, 36, 41), {}, [("no line, where 38 are usual and every delivery had some", True)]),
        ((6, 7, 9, 8), {}, []),  # so few that a day may lack them
    ],
)
def test_a_feed_that_came_each_time_is_missed(
    before: tuple[int | None, ...], changes: dict[str, Any], expected: list[tuple[str, bool]]
) -> None:
    """Though it had few lines: where none is left, few tell."""
    known = {
        day: {} if n is None else {"canonical": {"n_lines": n, "n_accepted": n}}
        for day, n in zip(DAYS, before, strict=False)
    } | {DAYS[4]: {}}
    landed = {day: _delivery(day) for day in known}
    found = drifts([landed[DAYS[4]]], landed, known, source(**changes))
    assert [(one.what, one.is_unlikely) for one in found] == expected


def test_a_day_without_any_delivery_is_told_once() -> None:
    """By the delivery after it, which isn't held back."""
    known = {day: {"canonical": USUAL} for day in (*DAYS[:3], DAYS[4])}
    landed = {day: _delivery(day) for day in known}
    (found,) = drifts(list(landed.values()), landed, known, source())
    assert found.sentence == (
        f"delivery_date={DAYS[4]}: no delivery came for {DAYS[3]}, which counts as without visitors until it does"
    )
    assert not found.is_unlikely
