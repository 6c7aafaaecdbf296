"""Each feature of delay `delivery`, on a table small enough to see."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from conf.kernel.history_features import HISTORY_LISTS, HISTORY_SCALARS
from conf.observation_features import id_hash
from conf.specs.problem import Feature, Observation
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, impression, transitions, view


def day(n_back: int) -> date:
    return DAY - timedelta(days=n_back)


STORIES: dict[str, list[Row]] = {
    "stranger": [impression(user_id="stranger")],  # today's events aren't history
    "regular": [
        impression(day=day(7), user_id="regular"),
        view(day=day(3), user_id="regular"),
        event("click", day=day(3), user_id="regular", category_id="head"),
        event("purchase", day=day(2), user_id="regular", category_id="head"),
        event("refund", day=day(2), user_id="regular", category_id="head"),
    ],
    "long gone": [view(day=day(8), user_id="long gone")],
    "late": [  # of two views yesterday one was delivered this morning
        view(day=day(1), user_id="late", delivery_date=DAY),
        view(day=day(1), user_id="late", item="hat"),
    ],
    "collector": [
        event(kind, day=day(1), user_id="collector", category_id=category)
        for kind, category, n in [
            ("view", "a", 2),
            ("cart", "b", 3),
            ("click", "c", 2),
            ("view", None, 9),
            ("impression", "d", 9),
        ]
        for _ in range(n)
    ],
}


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """What deliveries before DAY had brought of each shopper, as their decision of that day sees it."""
    features = [Feature(name=name) for name in HISTORY_SCALARS] + [
        Feature(name=name, length=3) for name in HISTORY_LISTS
    ]
    pipeline = a_pipeline(observation=Observation(features=tuple(features), history_days=7).model_dump())
    rows = [row for story in STORIES.values() for row in story]
    decisions = [impression("23:00", user_id=name) for name in STORIES]
    found = transitions([*rows, *decisions], pipeline)
    return {row["user_id"]: row["observation"] for row in found if row["decision_time"] == at("23:00")}


def test_shopper_without_history_has_none(known: dict[str, Any]) -> None:
    """Counts are 0, the last visit is -1 days back, and nothing is a favorite; today doesn't count."""
    assert known["stranger"] == {
        "n_past_sessions_days": 0,
        "days_since_last_visit": -1,
        "n_past_clicks": 0,
        "n_past_purchases": 0,
        "favorite_categories": [],
    }


def test_history_reaches_back_as_many_days_as_asked(known: dict[str, Any]) -> None:
    """Seven days back counts, eight don't."""
    assert known["regular"]["n_past_sessions_days"] == 3
    assert known["long gone"]["n_past_sessions_days"] == 0


def test_days_since_last_visit_count_from_the_latest_delivered_day(known: dict[str, Any]) -> None:
    """The purchase and the refund were two days ago."""
    assert known["regular"]["days_since_last_visit"] == 2


def test_past_clicks_are_clicks_and_views(known: dict[str, Any]) -> None:
    """Neither the impression nor the purchase."""
    assert known["regular"]["n_past_clicks"] == 2


def test_past_purchases_are_purchases(known: dict[str, Any]) -> None:
    """A refund takes none away."""
    assert known["regular"]["n_past_purchases"] == 1


def test_event_counts_once_its_delivery_lies_before_the_day(known: dict[str, Any]) -> None:
    """What this morning's delivery brought late wasn't known last night."""
    assert known["late"]["n_past_clicks"] == 1
    assert known["late"]["favorite_categories"] == [id_hash("head")]


def test_favorite_categories_are_the_most_engaged_with_ties_by_id(known: dict[str, Any]) -> None:
    """Impressions and events without a category make no favorite."""
    assert known["collector"]["favorite_categories"] == [id_hash("b"), *sorted([id_hash("a"), id_hash("c")])]
