"""Simulated observations are what a reader of the log computes from it, event by event, by the written definitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from conf.event_types import ENGAGEMENT_TYPES, EVENT_TYPE_RANK
from conf.observation_features import OBSERVATION_FEATURES, id_hash
from rl.shops.recommendation.session_memory import EVENT_TYPE_NAMES
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import Dirt, Dynamics, ShopSettings
from rl.shops.recommendation.simulate import Simulation, simulate

BERLIN = ZoneInfo("Europe/Berlin")
LENGTHS = {
    "recent_shown_items": 5,
    "recent_shown_categories": 5,
    "recent_engaged_items": 5,
    "recent_engaged_categories": 5,
    "favorite_categories": 3,
}


@dataclass(frozen=True)
class Event:
    time: int
    type: str
    item: str
    category: str
    price_millionths: int
    decision: int
    is_late: bool

    @property
    def business_date(self) -> date:
        return datetime.fromtimestamp(self.time // 1_000_000, UTC).astimezone(BERLIN).date()

    @property
    def delivery_date(self) -> date:
        return self.business_date + timedelta(days=int(self.is_late))


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """Few, busy shoppers over a change of summer time, who buy soon and often, half of it delivered late."""
    settings = ShopSettings(
        first_date=date(2026, 3, 24),
        n_days=8,
        n_shoppers=14,
        mean_visits_per_day=4.0,
        max_visits_per_day=6,
        n_items=9,
        n_categories=4,
        dirt=Dirt(late_rate=0.4),
        dynamics=Dynamics(purchase_delay_minutes=25, click_base=0.5, cart_base=0.5, refund_rate=0.6),
    )
    return simulate(build_shop(settings))


def events_by_shopper(simulation: Simulation) -> dict[int, list[Event]]:
    catalogue, events = simulation.shop.catalogue, simulation.events
    found: dict[int, list[Event]] = defaultdict(list)
    for row in range(len(events.time)):
        item = int(events.item[row])
        found[int(events.shopper[row])].append(
            Event(
                int(events.time[row]),
                EVENT_TYPE_NAMES[int(events.rank[row])],
                catalogue.item_ids[item],
                catalogue.category_ids[catalogue.category[item]],
                int(catalogue.price_cents[item]) * 10_000,
                int(events.decision[row]),
                bool(events.is_late[row]),
            )
        )
    for rows in found.values():
        rows.sort(key=lambda event: (event.time, EVENT_TYPE_RANK[event.type]))
    return found


def sessions_of(events: list[Event]) -> list[list[Event]]:
    """Gap of 30 minutes over all events, cut at 4 hours."""
    sessions: list[list[Event]] = []
    for event in events:
        is_same = sessions and event.time - sessions[-1][-1].time <= 30 * 60 * 1_000_000
        if is_same and event.time - sessions[-1][0].time <= 4 * 3600 * 1_000_000:
            sessions[-1].append(event)
        else:
            sessions.append([event])
    return sessions


def answers(earlier: list[Event]) -> dict[str, int]:
    """How many decisions no engagement followed yet, and how many last ones were each followed by one."""
    marks = "".join("d" if one.type == "impression" else "e" if one.type in ENGAGEMENT_TYPES else "" for one in earlier)
    since = marks[marks.rfind("e") + 1 :].count("d")
    answered = [bool(rest) for rest in marks.split("d")[1:]]
    return {
        "n_decisions_since_engagement": since,
        "n_engaged_in_a_row": [*answered[::-1], False].index(False),
    }


def in_session_features(decided: Event, earlier: list[Event]) -> dict[str, int | list[int]]:
    local = datetime.fromtimestamp(decided.time // 1_000_000, UTC).astimezone(BERLIN)
    shown = [event for event in reversed(earlier) if event.type == "impression"]
    engaged = [event for event in reversed(earlier) if event.type in ENGAGEMENT_TYPES]
    counts = Counter(event.type for event in earlier)
    return {
        "recent_shown_items": [id_hash(event.item) for event in shown],
        "recent_shown_categories": [id_hash(event.category) for event in shown],
        "recent_engaged_items": [id_hash(event.item) for event in engaged],
        "recent_engaged_categories": [id_hash(event.category) for event in engaged],
        "session_step": counts["impression"],
        "n_session_clicks": counts["click"],
        "n_session_carts": counts["cart"],
        "n_session_purchases": counts["purchase"],
        "seconds_since_session_start": (decided.time - earlier[0].time) // 1_000_000 if earlier else 0,
        "seconds_since_previous_event": (decided.time - earlier[-1].time) // 1_000_000 if earlier else -1,
        **answers(earlier),
        "last_price_band": len(f"{engaged[0].price_millionths:b}") if engaged else -1,
        "hour_of_day": local.hour,
        "day_of_week": local.isoweekday(),
    }


def delivered_features(decided: Event, events: list[Event]) -> dict[str, int | list[int]]:
    today = decided.business_date
    known = [
        event
        for event in events
        if event.delivery_date < today and today - timedelta(days=7) <= event.business_date < today
    ]
    days = {event.business_date for event in known}
    counts = Counter(event.type for event in known)
    categories = Counter(id_hash(event.category) for event in known if event.type in ENGAGEMENT_TYPES)
    return {
        "n_past_sessions_days": len(days),
        "days_since_last_visit": (today - max(days)).days if days else -1,
        "n_past_clicks": counts["click"],
        "n_past_purchases": counts["purchase"],
        "favorite_categories": sorted(categories, key=lambda category: (-categories[category], category)),
    }


def test_observation_is_what_the_definitions_say(simulation: Simulation) -> None:
    """Every feature of every decision is what the plain definitions give on all of the shopper's events."""
    checked = 0
    for events in events_by_shopper(simulation).values():
        for session in sessions_of(events):
            for place, decided in enumerate(session):
                if decided.type != "impression":
                    continue
                expected = in_session_features(decided, session[:place]) | delivered_features(decided, events)
                for name, value in expected.items():
                    column = simulation.played.observation[name][decided.decision]
                    seen = column[column != 0].tolist() if isinstance(value, list) else int(column)
                    assert seen == (value[: LENGTHS[name]] if isinstance(value, list) else value), name
                checked += 1
    assert checked == len(simulation.played.propensity)


def test_fixture_has_the_hard_cases(simulation: Simulation) -> None:
    """The log that is checked holds sessions opened by earlier purchases, purchases within later ones, and history."""
    observation = simulation.played.observation
    is_first = observation["session_step"] == 0
    assert (observation["seconds_since_previous_event"][is_first] >= 0).sum() >= 10
    assert (observation["n_session_purchases"][is_first] > 0).sum() >= 5
    assert (observation["n_past_purchases"] > 0).any()
    assert len(np.unique(observation["day_of_week"])) == 7


def test_observation_has_exactly_the_defined_features(simulation: Simulation) -> None:
    """Columns are the features of the contract: lists of int64 rows padded with zeros, and int64 scalars."""
    observation, n = simulation.played.observation, len(simulation.played.propensity)
    assert set(observation) == set(OBSERVATION_FEATURES)
    for name, column in observation.items():
        assert column.dtype == np.int64
        assert column.shape == ((n, LENGTHS[name]) if name in LENGTHS else (n,))


def test_session_holds_the_decisions_of_one_visit(simulation: Simulation) -> None:
    """Sessions as the log's reader cuts them and sessions as simulated hold the same decisions."""
    session_of = simulation.played.responses.session
    read = {
        tuple(event.decision for event in session if event.type == "impression")
        for events in events_by_shopper(simulation).values()
        for session in sessions_of(events)
    } - {()}
    played = {tuple(np.flatnonzero(session_of == session).tolist()) for session in np.unique(session_of)}
    assert read == played


def test_no_two_events_of_a_shopper_tie(simulation: Simulation) -> None:
    """The total order never has to fall back on event ids."""
    events = simulation.events
    keys = np.stack([events.shopper, events.time, events.rank], axis=1)
    assert len(np.unique(keys, axis=0)) == len(keys)
