"""Each feature of delay `none`, on a table small enough to see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from conf.kernel.session_features import SESSION_LISTS, SESSION_SCALARS
from conf.observation_features import id_hash
from conf.specs.problem import Feature, Observation
from tests.jobs.transitions.shop_events import Row, a_pipeline, event, impression, transitions, view

STORIES: dict[str, list[Row]] = {
    "first": [impression("10:00", user_id="first")],
    "shown": [
        impression("10:00", action=item, user_id="shown", event_time=impression(f"10:0{n}")["event_time"])
        for n, item in enumerate(["shoe", "boot", "hat", "shoe", "hat", "scarf"])
    ],
    "gaps": [  # what has no category or item is passed over, not listed as nothing
        impression("10:00", user_id="gaps", action="shoe"),
        impression("10:01", user_id="gaps", action="boot", category_id=None),
        event("click", "10:02", user_id="gaps"),
        event("view", "10:03", user_id="gaps", item_id="hat"),
        event("refund", "10:04", user_id="gaps", item_id="boot", category_id="feet"),
        impression("10:05", user_id="gaps"),
    ],
    "busy": [
        view("10:00:00", user_id="busy"),
        event("click", "10:00:01", user_id="busy", item_id="shoe", price=4_000_000),
        event("favorite", "10:00:02", user_id="busy", item_id="hat", price=0),
        event("cart", "10:00:03", user_id="busy", item_id="hat", category_id="head"),
        event("purchase", "10:00:04", user_id="busy", item_id="hat", category_id="head"),
        event("promotion", "10:00:05", user_id="busy", price=1),
        impression("10:00:07.9", user_id="busy"),
    ],
    "tie": [  # all within one instant: the impression stands before the click, ids settle equal ranks
        event("click", "10:00", user_id="tie", event_id="a", item_id="hat"),
        impression("10:00", user_id="tie", event_id="z", action="shoe"),
        impression("10:00", user_id="tie", event_id="y", action="boot"),
    ],
    "priced": [
        event("click", "10:00", user_id="priced", item_id="hat", price=1_000_000),
        event("cart", "10:01", user_id="priced", item_id="hat"),
        impression("10:02", user_id="priced", price=9_000_000),
        impression("10:03", user_id="priced"),
    ],
}


@pytest.fixture(scope="module")
def observed() -> dict[str, list[Any]]:
    """Observations of each story's decisions in order, the closing's last; times in Berlin."""
    features = [Feature(name=name) for name in SESSION_SCALARS] + [
        Feature(name=name, length=3) for name in SESSION_LISTS
    ]
    observation = Observation(features=tuple(features)).model_dump()
    pipeline = a_pipeline("simulated_shop", observation=observation)
    found = {}
    for name, story in STORIES.items():
        rows = transitions(story, pipeline)
        found[name] = [*(row["observation"] for row in rows), rows[-1]["next_observation"]]
    return found


def ids(*keys: str) -> list[int]:
    return [id_hash(key) for key in keys]


def test_recent_shown_items_are_the_latest_first_and_no_more_than_asked(observed: dict[str, list[Any]]) -> None:
    """The decision itself isn't among them; the closing sees them all."""
    lists = [found["recent_shown_items"] for found in observed["shown"]]
    assert lists[:3] == [[], ids("shoe"), ids("boot", "shoe")]
    assert lists[5:] == [ids("hat", "shoe", "hat"), ids("scarf", "hat", "shoe")]


def test_recent_shown_categories_pass_over_decisions_without_one(observed: dict[str, list[Any]]) -> None:
    """The boot's decision named no category."""
    assert observed["gaps"][2]["recent_shown_items"] == ids("boot", "shoe")
    assert observed["gaps"][2]["recent_shown_categories"] == ids("feet")


def test_recent_engaged_items_hold_engagement_alone(observed: dict[str, list[Any]]) -> None:
    """Impressions and refunds aren't the shopper's interest; a click on nothing known is passed over."""
    assert observed["gaps"][2]["recent_engaged_items"] == ids("hat")
    assert observed["busy"][0]["recent_engaged_items"] == ids("hat", "hat", "hat")


def test_recent_engaged_categories_pass_over_events_without_one(observed: dict[str, list[Any]]) -> None:
    """Of five engagement events three had a category."""
    assert observed["busy"][0]["recent_engaged_categories"] == ids("head", "head", "feet")
    assert observed["gaps"][2]["recent_engaged_categories"] == []


def test_session_step_counts_earlier_decisions(observed: dict[str, list[Any]]) -> None:
    """From 0; the closing counts them all."""
    assert [found["session_step"] for found in observed["shown"]] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("feature", "expected"), [("n_session_clicks", 2), ("n_session_carts", 2), ("n_session_purchases", 1)]
)
def test_session_counts_take_their_types_alone(observed: dict[str, list[Any]], feature: str, expected: int) -> None:
    """A click and a view; a cart and a favorite; a purchase."""
    assert [found[feature] for found in observed["busy"]] == [expected, expected]
    assert observed["first"][0][feature] == 0


def test_seconds_since_session_start_are_whole_and_0_at_the_start(observed: dict[str, list[Any]]) -> None:
    """7.9 seconds are 7; the closing comes one gap after the last event."""
    assert observed["first"][0]["seconds_since_session_start"] == 0
    assert observed["busy"][0]["seconds_since_session_start"] == 7
    assert observed["busy"][1]["seconds_since_session_start"] == int(timedelta(minutes=30, seconds=7.9).total_seconds())


def test_seconds_since_previous_event_are_minus_1_without_one(observed: dict[str, list[Any]]) -> None:
    """Any event of the session counts, the promotion before the impression, too."""
    assert observed["first"][0]["seconds_since_previous_event"] == -1
    assert observed["busy"][0]["seconds_since_previous_event"] == 2
    assert observed["first"][1]["seconds_since_previous_event"] == 1800


def test_last_price_band_is_the_latest_engaged_price_that_is_known(observed: dict[str, list[Any]]) -> None:
    """The cart had no price, and an impression's price is no engagement; a price of 0 has one digit."""
    assert observed["first"][0]["last_price_band"] == -1
    assert [found["last_price_band"] for found in observed["priced"]] == [(1_000_000).bit_length()] * 3
    assert observed["busy"][0]["last_price_band"] == 1


def test_hour_and_weekday_are_those_of_the_business_day(observed: dict[str, list[Any]]) -> None:
    """10:00 UTC on a Wednesday in January is 11:00 in Berlin."""
    assert (observed["first"][0]["hour_of_day"], observed["first"][0]["day_of_week"]) == (11, 3)


def test_ties_within_an_instant_follow_rank_and_then_id(observed: dict[str, list[Any]]) -> None:
    """Of two impressions and a click at once: the lower id decides first, and neither sees the click."""
    assert [found["recent_shown_items"] for found in observed["tie"]] == [[], ids("boot"), ids("shoe", "boot")]
    assert [found["n_session_clicks"] for found in observed["tie"]] == [0, 0, 1]
