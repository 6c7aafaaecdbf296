"""Which decision earns an event, case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.specs.scenario import Pipeline
from jobs.events.events_reading import IS_REPEATED
from jobs.transitions.attribution import look_back_days, unattributable
from jobs.transitions.events_read import count_events
from tests.jobs.transitions.shop_events import (
    DAY,
    Row,
    a_pipeline,
    attributed,
    event,
    events_frame,
    implied_pipeline,
    impression,
    view,
)

BY_TOUCH: dict[str, list[Row]] = {
    "buys what was viewed": [view("10:00", event_id="v1"), event("purchase", "10:05", item_id="shoe")],
    "latest view earns": [
        view("10:00", event_id="v1"),
        view("10:01", event_id="v2"),
        view("10:02", event_id="v3", item="hat"),
        event("cart", "10:05", item_id="shoe"),
    ],
    "buys before any view": [event("purchase", "09:00", item_id="shoe"), view("10:00", event_id="v1")],
    "buys another item": [view("10:00"), event("purchase", "10:05", item_id="hat")],
    "buys at the window's edge": [view("00:00", event_id="v1"), event("purchase", "12:00", item_id="shoe")],
    "buys after the window": [view("00:00"), event("purchase", "12:00:00.000001", item_id="shoe")],
    "buys in the view's second": [
        event("purchase", "10:00", event_id="a", item_id="shoe"),
        view("10:00", event_id="z"),
    ],
    "clicks before the view's rank": [
        event("purchase", "10:00", event_id="b", item_id="shoe"),
        view("10:00:00.000001", event_id="z"),
    ],
    "buys nothing known": [view("10:00"), event("purchase", "10:05")],
    "two days ago": [
        view("10:00", day=DAY - timedelta(days=2)),
        event("purchase", "10:00", item_id="shoe"),
    ],
    "beyond looking back": [
        view("10:00", day=DAY - timedelta(days=8)),
        event("purchase", "10:00", item_id="shoe"),
    ],
    "over midnight": [
        view("23:50", event_id="v1", day=DAY - timedelta(days=1)),
        event("purchase", "00:05", item_id="shoe"),
    ],
}

BY_ID: dict[str, list[Row]] = {
    "names its decision": [impression(decision_id="d1", event_id="i1"), event("click", "10:05", decision_id="d1")],
    "names the older of two": [
        impression("10:00", decision_id="d1", event_id="i1"),
        impression("10:01", decision_id="d2", event_id="i2"),
        event("purchase", "10:05", decision_id="d1", item_id="hat"),
    ],
    "names the line's id": [impression(event_id="i9"), event("click", "10:05", decision_id="i9")],
    "names none there": [impression(decision_id="d1"), event("click", "10:05", decision_id="d7")],
    "names one that comes later": [event("click", "09:00", decision_id="d1"), impression("10:00", decision_id="d1")],
    "names none": [impression(decision_id="d1"), event("click", "10:05", item_id="shoe")],
    "names one long past": [impression("00:00", decision_id="d1"), event("click", "23:00", decision_id="d1")],
    "refunds": [impression(decision_id="d1", event_id="i1"), event("refund", "10:05", decision_id="d1")],
}


def outcomes(stories: dict[str, list[Row]], pipeline: Pipeline) -> dict[str, Any]:
    """What became of the one counted event of each story: (outcome, decision's event id)."""
    rows = [row | {"user_id": name} for name, story in stories.items() for row in story]
    found = attributed(rows, pipeline)
    assert sorted(row["user_id"] for row in found) == sorted(stories)
    return {row["user_id"]: (row["outcome"], row["decision_event_id"]) for row in found}


@pytest.fixture(scope="module")
def by_touch() -> dict[str, Any]:
    weights = {
        "reward": {"weights": {"click": 1, "cart": 3, "purchase": 10}},
        "metrics": {},
        "gate": {"guardrails": []},
    }
    return outcomes(BY_TOUCH, implied_pipeline(**weights))


@pytest.fixture(scope="module")
def by_id() -> dict[str, Any]:
    return outcomes(BY_ID, a_pipeline())


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("buys what was viewed", ("attributed", "v1")),
        ("latest view earns", ("attributed", "v2")),
        ("buys before any view", ("no_earlier_decision", None)),
        ("buys another item", ("no_earlier_decision", None)),
        ("buys at the window's edge", ("attributed", "v1")),
        ("buys after the window", ("outside_attribution_window", None)),
        ("buys in the view's second", ("attributed", "z")),
        ("clicks before the view's rank", ("no_earlier_decision", None)),
        ("buys nothing known", ("no_earlier_decision", None)),
        ("two days ago", ("outside_attribution_window", None)),
        ("beyond looking back", ("no_earlier_decision", None)),
        ("over midnight", ("attributed", "v1")),
    ],
)
def test_last_touch_goes_to_the_latest_earlier_decision_on_the_item(
    by_touch: dict[str, Any], story: str, expected: tuple[str, str | None]
) -> None:
    """Earlier in the total order: in one instant a view ranks before a purchase, whatever their ids."""
    assert by_touch[story] == expected


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("names its decision", ("attributed", "i1")),
        ("names the older of two", ("attributed", "i1")),
        ("names the line's id", ("attributed", "i9")),
        ("names none there", ("unknown_decision", None)),
        ("names one that comes later", ("unknown_decision", None)),
        ("names none", ("no_earlier_decision", None)),
        ("names one long past", ("outside_attribution_window", None)),
        ("refunds", ("attributed", "i1")),
    ],
)
def test_decision_id_goes_to_the_decision_named(
    by_id: dict[str, Any], story: str, expected: tuple[str, str | None]
) -> None:
    """Whatever the item; a decision that comes later can't have led to the event."""
    assert by_id[story] == expected


def test_event_that_is_decision_and_reward_goes_to_an_earlier_decision() -> None:
    """A view worth a point is earned by the view before it, never by itself."""
    rewarded = implied_pipeline(reward={"weights": {"view": 1}}, metrics={}, gate={"guardrails": []})
    rows = [view("10:00", event_id="v1"), view("10:01", event_id="v2"), view("10:01", event_id="v3", item="hat")]
    found = attributed(rows, rewarded)
    assert sorted((row["outcome"], row["decision_event_id"] or "") for row in found) == [
        ("attributed", "v1"),
        ("no_earlier_decision", ""),
        ("no_earlier_decision", ""),
    ]


def test_category_touch_goes_by_category() -> None:
    """Where actions are categories, buying a boot is earned by the view of a shoe."""
    rows = [view("10:00", event_id="v1"), event("purchase", "10:05", item_id="boot", category_id="feet")]
    found = attributed(rows, implied_pipeline(action={"key": "category"}))
    assert [row["decision_event_id"] for row in found] == ["v1"]


def test_shops_own_events_are_a_residual(spark: SparkSession) -> None:
    """A refund without shopper is accounted for, though no shopper's decision led to it."""
    rows = [
        impression(decision_id="d1"),
        event("refund", "10:05", user_id="", decision_id="d1"),
        event("click", user_id=""),
    ]
    pipeline = a_pipeline()
    events = events_frame(spark, rows).withColumn(IS_REPEATED, F.lit(False))
    found = unattributable(count_events(events, pipeline.scenario), pipeline)
    assert sorted(outcome for _, outcome, _, _ in found) == ["no_earlier_decision", "unknown_decision"]
    again = count_events(events.withColumn(IS_REPEATED, F.lit(True)), pipeline.scenario)
    assert unattributable(again, pipeline) == []


def test_look_back_covers_history_and_window() -> None:
    """The farther of the two, and never less than sessions need."""
    window = {"attribution": {"link": "decision_id", "window_hours": 240}}
    assert look_back_days(a_pipeline().scenario) == 7
    assert look_back_days(a_pipeline(reward=window).scenario) == 11
    assert look_back_days(a_pipeline(observation={"history_days": 1}).scenario) == 2
