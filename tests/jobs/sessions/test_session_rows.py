"""Sessions: gaps, midnights, longest duration, closing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from conf.event_types import EVENT_TYPE_RANK
from conf.specs.delivery import SessionSpec
from conf.specs.source import Source
from conf.tables import EVENTS, SESSIONS
from jobs.events.event_columns import SESSION_COLUMNS
from jobs.publishing.row_pieces import Piece, arrow_schema, read_pieces
from jobs.sessions.business_days import days_between
from jobs.sessions.session_rows import session_job, watermark, write_sessions
from tests.jobs.event_rows import START, event, source

HORIZON = date(2026, 1, 20)


# Each case is a shopper of its own, so that one query answers for all of them.
CASES: dict[str, list[dict[str, Any]]] = {
    "second event within the gap": [event("a", 0), event("b", 1)],
    "gap of exactly the limit": [event("a", 0), event("b", 30)],
    "gap of a second more": [event("a", 0), event("b", 30 + 1 / 60)],
    "over midnight": [event("a", 11 * 60 + 50), event("b", 12 * 60 + 10)],
    "five hours without a pause": [event(f"e{n:02}", 20 * n) for n in range(16)],
    "an impression and a click": [event("a", 0, event_type="impression"), event("b", 1, event_type="click")],
    "": [event("a", 0, event_type="stock")],
}


@pytest.fixture(scope="module")
def sessions_by_case() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {case: [] for case in CASES}
    rows = [row | {"user_id": case} for case, rows in CASES.items() for row in rows]
    for session in _sessions(rows):
        found[session.user_id].append(session)
    return found


DAYS = days_between(date(2026, 1, 1), HORIZON)


def _sessions(
    rows: list[dict[str, Any]], *, dates: Sequence[date] = DAYS, horizon: date = HORIZON, **changes: Any
) -> list[Any]:
    """The sessions as a partition's worker makes them, by start."""
    shop = source(**changes)
    found = session_job(shop, dates=dates, horizon=horizon)(_table(rows, shop)).to_pylist()
    return [SimpleNamespace(**row) for row in sorted(found, key=lambda row: (row["start_time"], row["user_id"]))]


def _table(rows: list[dict[str, Any]], shop: Source) -> pa.Table:
    """The events of shoppers with their business day, in the order in which a worker gets them."""
    zone = ZoneInfo(shop.zone)
    days = [row | {"event_date": row["event_time"].astimezone(zone).date()} for row in rows if row["user_id"] != ""]
    ordered = sorted(days, key=lambda row: (row["user_id"], row["event_time"], _rank(row), row["event_id"]))
    columns = {
        name: pa.array([row.get(name) for row in ordered]) for name in SESSION_COLUMNS if name != "delivery_date"
    }
    return pa.table(columns | {"delivery_date": columns["event_date"]}).cast(
        pa.schema(
            [
                ("user_id", pa.string()),
                ("event_time", pa.timestamp("us", tz="UTC")),
                ("event_type", pa.string()),
                ("event_id", pa.string()),
                ("event_date", pa.date32()),
                ("delivery_date", pa.date32()),
            ]
        )
    )


def _rank(row: dict[str, Any]) -> int:
    return EVENT_TYPE_RANK[row["event_type"]]


def test_second_event_within_the_gap_joins_the_first_one(sessions_by_case: dict[str, list[Any]]) -> None:
    """A shopper's first event, which has no lag, is in the same session as a second one a minute later."""
    (session,) = sessions_by_case["second event within the gap"]
    assert (session.n_events, session.start_time, session.end_time) == (
        2,
        START,
        (START + timedelta(minutes=1)),
    )


def test_gap_of_exactly_the_limit_joins_and_one_second_more_splits(sessions_by_case: dict[str, list[Any]]) -> None:
    """The gap is the longest silence inside a session."""
    assert len(sessions_by_case["gap of exactly the limit"]) == 1
    found = sessions_by_case["gap of a second more"]
    assert [(one.n_events, one.is_cut) for one in found] == [(1, False), (1, False)]


def test_session_goes_over_one_midnight(sessions_by_case: dict[str, list[Any]]) -> None:
    """A session belongs to the day it started on, and goes on after midnight."""
    (session,) = sessions_by_case["over midnight"]
    assert (session.date, session.n_events) == (date(2026, 1, 5), 2)


def test_session_is_cut_at_the_longest_duration(sessions_by_case: dict[str, list[Any]]) -> None:
    """Events every 20 minutes for five hours make a session of four hours, cut, and the rest."""
    found = sessions_by_case["five hours without a pause"]
    assert [(one.n_events, one.is_cut, one.is_closed) for one in found] == [(12, True, True), (4, False, True)]


def test_events_without_a_shopper_are_in_no_session(sessions_by_case: dict[str, list[Any]]) -> None:
    """The shop's own events (stock, receipts) belong to nobody's session."""
    assert sessions_by_case[""] == []


def test_decisions_are_counted_by_the_source_s_event_type(sessions_by_case: dict[str, list[Any]]) -> None:
    """The canonical source decides in impressions."""
    (session,) = sessions_by_case["an impression and a click"]
    assert (session.n_events, session.n_decisions) == (2, 1)


def test_date_is_the_business_date_of_the_zone() -> None:
    """23:30 UTC is already the next day in Berlin."""
    (session,) = _sessions([event("a", 11 * 60 + 30)], zone="Europe/Berlin")
    assert session.date == date(2026, 1, 6)


def test_chain_is_cut_at_its_second_midnight() -> None:
    """A shopper who never pauses starts a new session with the first event two business dates after the first."""
    rows = [event(f"e{n:03}", 60 * n) for n in range(60)]
    rule = {"session": SessionSpec(gap_minutes=90, max_hours=24)}
    found = _sessions(rows, **rule)
    # Noon of the 5th + 24 h, then the rest up to midnight of the 7th, then the 7th's 24 hours.
    assert [(one.start_time.isoformat(), one.n_events, one.is_cut) for one in found] == [
        ("2026-01-05T12:00:00+00:00", 24, True),
        ("2026-01-06T12:00:00+00:00", 12, True),
        ("2026-01-07T00:00:00+00:00", 24, False),
    ]


@pytest.mark.parametrize(("horizon", "is_closed"), [(date(2026, 1, 5), False), (date(2026, 1, 6), True)])
def test_session_is_closed_once_the_watermark_has_passed_its_gap(horizon: date, is_closed: bool) -> None:
    """With a day of lateness, a session of the 5th is closed by the delivery of the 6th, not by its own."""
    (session,) = _sessions([event("a", 0)], horizon=horizon)
    assert session.is_closed is is_closed


def test_watermark_is_the_end_of_the_business_day_less_the_lateness() -> None:
    """Deliveries up to the 6th with a day of lateness are complete up to the end of the 5th, in the shop's zone."""
    assert watermark(source(zone="Europe/Berlin"), date(2026, 1, 6)) == datetime(2026, 1, 5, 23, tzinfo=UTC)


def test_sessions_equal_those_of_a_plain_reading_of_the_rules() -> None:
    """On random events, sessions are those that a loop over each shopper's events finds."""
    rows = _random_rows(seed=7)
    found = _sessions(rows, session=SessionSpec(gap_minutes=200, max_hours=5), zone="Asia/Tokyo")
    times = {row["event_id"]: row["event_time"] for row in rows}
    expected = [
        (min(times[one] for one in part), max(times[one] for one in part), len(part))
        for part in _plain_sessions(rows, 200, 5, hours_east=9)
    ]
    assert sorted((one.start_time, one.end_time, one.n_events) for one in found) == sorted(expected)


def test_sessions_of_a_date_need_no_event_before_the_two_days_before_it() -> None:
    """Cutting the log off two business dates before D leaves the sessions of D as they were."""
    rows = _random_rows(seed=8)

    def sessions_of_day(first: date) -> list[Any]:
        kept = [row for row in rows if row["event_time"].date() >= first]
        rule = SessionSpec(gap_minutes=200, max_hours=5)
        return _sessions(kept, dates=[date(2026, 1, 8)], session=rule)

    whole = sessions_of_day(date(2026, 1, 1))
    assert whole
    assert sessions_of_day(date(2026, 1, 6)) == whole


def test_workers_write_the_sessions_of_their_shoppers(spark: SparkSession, tmp_path: Path) -> None:
    """The same rows in the table's columns, however many parts the shoppers are split into."""
    rows = [row | {"event_date": row["event_time"].date()} for row in _random_rows(seed=9)]
    schema = f"{EVENTS.ddl}, event_date date, delivery_date date"
    names = [*EVENTS.column_names, "event_date", "event_date"]
    log = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)
    expected = [vars(one) for one in _sessions(rows)]
    for n_partitions in (1, 3):
        folder = tmp_path / str(n_partitions)
        pieces = write_sessions(log, source(), folder, dates=DAYS, horizon=HORIZON, n_partitions=n_partitions)
        assert sorted(folder.iterdir()) == sorted(one.path for one in pieces)
        found = [row | {"date": date.fromisoformat(one.value)} for one in pieces for row in _rows_of(one)]
        assert sorted(found, key=lambda row: (row["start_time"], row["user_id"])) == expected


def _rows_of(piece: Piece) -> list[dict[str, Any]]:
    rows = read_pieces([piece.path])
    assert rows.schema == arrow_schema(SESSIONS)
    return list(rows.to_pylist())


def _random_rows(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [
        event(f"{user}{n:03}", chance.randint(0, 6 * 24 * 60), user_id=user)
        for user, n_events in (("ann", 90), ("bob", 150), ("cid", 20))
        for n in range(n_events)
    ]


def _plain_sessions(rows: list[dict[str, Any]], gap_minutes: int, max_hours: int, hours_east: int) -> list[set[str]]:
    found: list[set[str]] = []
    for user in {row["user_id"] for row in rows}:
        ordered = sorted((row["event_time"], row["event_id"]) for row in rows if row["user_id"] == user)
        previous = chain_day = piece = part = None
        for time, event_id in ordered:
            day = (time + timedelta(hours=hours_east)).date()
            is_after_gap = previous is None or time - previous > timedelta(minutes=gap_minutes)
            if is_after_gap:
                chain_day = day
            is_new_day = previous is not None and (previous + timedelta(hours=hours_east)).date() != day
            if is_after_gap or (is_new_day and day - chain_day >= timedelta(days=2)):
                piece, part = time, None
            if (now := (time - piece) // timedelta(hours=max_hours)) != part:
                part = now
                found.append(set())
            found[-1].add(event_id)
            previous = time
    return found
