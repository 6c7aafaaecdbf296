"""How episodes end, what comes next, and when their reward is settled."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.jobs.transitions.shop_events import (
    DAY,
    Row,
    a_pipeline,
    available,
    event,
    impression,
    transitions,
)

NEXT_DAY = DAY + timedelta(days=1)

STORIES: dict[str, list[Row]] = {
    "leaves": [
        impression("10:00", availability_id="morning"),
        impression("10:01:30", availability_id="noon"),
        event("click", "10:05"),
    ],
    "late evening": [impression("23:45")],
    "over midnight": [impression("23:50"), impression("00:10", day=NEXT_DAY)],
    "stays long": [impression(f"{8 + n // 4:02d}:{n % 4 * 15:02d}") for n in range(20)],  # 4 h 45 min: cut after 4 h
    "many steps": [impression(f"10:{n:02d}") for n in range(7)],
}

SETS = [available("morning", "06:00", "shoe"), available("noon", "10:20", "hat"), available("night", "20:00", "boot")]


def made(horizon: date) -> dict[str, list[Any]]:
    rows = [row | {"user_id": name} for name, story in STORIES.items() for row in story if row["event_date"] <= horizon]
    pipeline = a_pipeline(episode={"max_steps": 3})
    found = transitions(rows, pipeline, sets=SETS, dates=[DAY], horizon=horizon)
    return {name: [row for row in found if row["user_id"] == name] for name in STORIES}


@pytest.fixture(scope="module")
def that_night() -> dict[str, list[Any]]:
    """As of the day's own delivery; an event may still come a day late."""
    return made(DAY)


@pytest.fixture(scope="module")
def settled() -> dict[str, list[Any]]:
    """As of two days later, when the watermark is a day on."""
    return made(DAY + timedelta(days=2))


def ends(rows: list[Any]) -> str:
    """`T` terminal, `o` timeout, `.` neither, in step order."""
    return "".join(
        {(True, False): "T", (False, True): "o", (False, False): "."}[row["terminal"], row["timeout"]] for row in rows
    )


def test_session_is_a_timeout_until_the_watermark_has_passed(
    that_night: dict[str, list[Any]], settled: dict[str, list[Any]]
) -> None:
    """A late event might still join it; later nothing follows any more."""
    assert (ends(that_night["leaves"]), ends(settled["leaves"])) == (".o", ".T")


def test_later_horizon_turns_an_end_into_a_middle_row(
    that_night: dict[str, list[Any]], settled: dict[str, list[Any]]
) -> None:
    """The session over midnight had one decision by midnight; it belongs to the day it started."""
    assert (ends(that_night["over midnight"]), ends(settled["over midnight"])) == ("o", ".T")
    assert {row["date"] for row in settled["over midnight"]} == {DAY}


def test_cut_session_ends_in_a_timeout_for_good(settled: dict[str, list[Any]]) -> None:
    """16 decisions in the first four hours, in parts of three; the other four are a session of their own."""
    assert ends(settled["stays long"]) == "..o..o..o..o..oo" + "..oT"
    assert len({row["session_id"] for row in settled["stays long"]}) == 2


def test_cut_session_closes_when_the_next_one_starts(settled: dict[str, list[Any]]) -> None:
    """A quarter of an hour after its last decision, not a gap after it."""
    last = settled["stays long"][15]
    assert (last["elapsed_seconds"], last["next_observation"]["seconds_since_session_start"]) == (900, 4 * 3600)


def test_long_session_goes_on_in_a_further_episode(settled: dict[str, list[Any]]) -> None:
    """Parts of three steps, each ended once, each counted from 0."""
    rows = settled["many steps"]
    assert ends(rows) == "..o..oT"
    assert [row["step"] for row in rows] == [0, 1, 2, 0, 1, 2, 0]
    assert [len({row["episode_id"] for row in part}) for part in (rows[:3], rows[3:6], rows)] == [1, 1, 3]


def test_part_that_was_cut_continues_at_the_sessions_next_decision(settled: dict[str, list[Any]]) -> None:
    """What a learner bootstraps from is the state in which the next part decides."""
    before, after = settled["many steps"][2:4]
    assert before["next_observation"] == after["observation"]
    assert before["elapsed_seconds"] == 60


def test_next_observation_is_the_next_rows_observation(settled: dict[str, list[Any]]) -> None:
    """All along a session."""
    rows = settled["many steps"]
    assert [row["next_observation"] for row in rows[:-1]] == [row["observation"] for row in rows[1:]]


def test_closing_observation_has_seen_the_whole_session(settled: dict[str, list[Any]]) -> None:
    """The click after the last decision, too; times count to one gap after it."""
    last = settled["leaves"][1]
    seen = last["next_observation"]
    assert (seen["session_step"], seen["n_session_clicks"], seen["seconds_since_previous_event"]) == (2, 1, 1800)
    assert last["elapsed_seconds"] == 3.5 * 60 + 1800


def test_closing_state_may_lie_on_the_next_day(that_night: dict[str, list[Any]]) -> None:
    """Closing at 00:15 is an hour of Thursday, when last night's delivery has told of Wednesday."""
    seen = that_night["late evening"][0]["next_observation"]
    assert (seen["hour_of_day"], seen["day_of_week"], seen["n_past_sessions_days"]) == (0, 4, 1)


def test_next_availability_is_the_next_decisions_or_the_set_in_force_at_closing(settled: dict[str, list[Any]]) -> None:
    """The session closes at 10:35, when the noon set was in force; a decision without a set hands on none."""
    assert [row["next_availability_id"] for row in settled["leaves"]] == ["noon", "noon"]
    assert [row["availability_id"] for row in settled["leaves"]] == ["morning", "noon"]
    assert settled["many steps"][0]["next_availability_id"] is None
    assert settled["late evening"][0]["next_availability_id"] == "night"


def test_reward_is_settled_once_the_window_lies_within_the_horizon(
    that_night: dict[str, list[Any]], settled: dict[str, list[Any]]
) -> None:
    """Twelve hours after 10:00 are over by midnight, after 23:45 not."""
    assert that_night["leaves"][0]["reward_settled"]
    assert not that_night["late evening"][0]["reward_settled"]
    assert settled["late evening"][0]["reward_settled"]


def test_settlement_counts_hours_over_the_clocks_change() -> None:
    """In Berlin 29 March 2026 ends at 22:00 UTC: twelve hours after 10:00 UTC to the second."""
    spring = date(2026, 3, 29)
    rows = [impression("10:00", day=spring, user_id="just"), impression("10:00:01", day=spring, user_id="not yet")]
    found = transitions(rows, a_pipeline("simulated_shop"), dates=[spring], horizon=spring)
    assert {row["user_id"]: row["reward_settled"] for row in found} == {"just": True, "not yet": False}


def test_terminal_and_timeout_never_meet(that_night: dict[str, list[Any]], settled: dict[str, list[Any]]) -> None:
    """Exactly one of them ends each episode; `ends` fails on both at once."""
    for rows in [*that_night.values(), *settled.values()]:
        by_episode: dict[str, list[Any]] = {}
        for row in rows:
            by_episode.setdefault(row["episode_id"], []).append(row)
        assert all(set(ends(part)[:-1]) <= {"."} and ends(part)[-1] in "To" for part in by_episode.values())
