"""What holds of every feature of the registry, on random logs."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conf.observation_features import OBSERVATION_FEATURES
from conf.specs.problem import Observation
from conf.specs.scenario import Pipeline
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, event, transitions

DAYS = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
NOW = at("12:00")
TYPES = ["impression"] * 5 + ["view", "click", "favorite", "cart", "purchase", "refund", "promotion"]

Seen = dict[tuple[str, Any, str], Any]


def random_log(seed: int) -> list[Row]:
    """Three days of twelve shoppers, dense enough for ties and sessions, some events delivered late."""
    rng = random.Random(seed)
    return [random_event(rng, f"{number:05d}") for number in range(900)]


def random_event(rng: random.Random, event_id: str) -> Row:
    day = rng.choice(DAYS)
    clock = f"{rng.choice([8, 11, 12, 23]):02d}:{rng.randrange(60):02d}:{rng.randrange(0, 60, 20):02d}"
    item = f"item {rng.randrange(9)}"
    return event(
        rng.choice(TYPES),
        clock,
        day=day,
        event_id=event_id,
        user_id=f"shopper {rng.randrange(12)}",
        item_id=rng.choice([item, item, None]),
        action=item,
        category_id=rng.choice(["feet", "head", "hands", None]),
        price=rng.choice([None, rng.randrange(10**9)]),
        propensity=Decimal("0.5"),
        delivery_date=day + timedelta(days=rng.choice([0, 0, 0, 1])),
    )


def all_features() -> Pipeline:
    features = [
        {"name": name, "length": 4 if known.kind == "list" else None} for name, known in OBSERVATION_FEATURES.items()
    ]
    return a_pipeline(observation=Observation.model_validate({"features": features, "history_days": 2}).model_dump())


def observe(rows: list[Row], n_parts: int = 2) -> Seen:
    """The observation at every decision, by shopper, time and decision id; shoppers are split into parts."""
    seen: Seen = {}
    for part in range(n_parts):
        own = [row for row in rows if int(row["user_id"].split()[1]) % n_parts == part]
        for row in transitions(own, all_features(), dates=DAYS, horizon=DAYS[-1]):
            seen[row["user_id"], row["decision_time"], row["decision_id"]] = row["observation"]
    return seen


@pytest.fixture(scope="module")
def base() -> Seen:
    return observe(random_log(1))


@pytest.fixture(scope="module")
def shuffled() -> Seen:
    rows = random_log(1)
    random.Random(2).shuffle(rows)
    return observe(rows, n_parts=7)


@pytest.fixture(scope="module")
def other_future() -> Seen:
    """The log with its events after NOW left out, changed, or replaced by others."""
    rng = random.Random(3)
    rows = []
    for row in random_log(1):
        if row["event_time"] <= NOW:
            rows.append(row)
        elif rng.random() < 0.6:
            changed = random_event(rng, row["event_id"])
            is_later = changed["event_time"] > NOW
            rows.append(changed if is_later else row)
    return observe(rows)


def up_to_now(seen: Seen) -> Seen:
    return {point: observation for point, observation in seen.items() if point[1] <= NOW}


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_has_the_type_it_is_defined_with(base: Seen, feature: str) -> None:
    """Whole numbers or lists of id hashes, never null, lists within their length."""
    is_list = OBSERVATION_FEATURES[feature].kind == "list"
    values = [observation[feature] for observation in base.values()]
    assert {type(value) for value in values} == {list if is_list else int}
    ids = [one for value in values for one in (value if is_list else [value])]
    assert {type(one) for one in ids} == {int}
    assert 0 not in ids or not is_list
    # The log has three categories: a list of favorites is whole with them, every other one is cut at its length.
    longest = 3 if feature == "favorite_categories" else 4
    assert not is_list or max(len(value) for value in values) == longest


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_ignores_the_future(base: Seen, other_future: Seen, feature: str) -> None:
    """Whatever happens after noon, decisions up to noon have seen the same."""
    before, after = up_to_now(base), up_to_now(other_future)
    assert len(before) > 100
    assert {point: seen[feature] for point, seen in before.items()} == {p: seen[feature] for p, seen in after.items()}


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_depends_on_no_order_and_no_partitioning(base: Seen, shuffled: Seen, feature: str) -> None:
    """Rows shuffled, seven partitions instead of two."""
    assert {p: seen[feature] for p, seen in base.items()} == {p: seen[feature] for p, seen in shuffled.items()}


@pytest.mark.parametrize("feature", OBSERVATION_FEATURES)
def test_feature_tells_decisions_apart(base: Seen, feature: str) -> None:
    """A feature that is the same everywhere would pass every other test here."""
    assert len({str(observation[feature]) for observation in base.values()}) > 1


def test_the_futures_differ(base: Seen, other_future: Seen) -> None:
    """Otherwise ignoring them would be easy."""
    assert set(base) != set(other_future)


def test_random_log_holds_what_the_suite_is_about() -> None:
    """Ties within one instant, late deliveries, and events on both sides of noon."""
    rows = random_log(1)
    instants = {(row["user_id"], row["event_time"]) for row in rows}
    assert len(instants) < len(rows)
    assert any(row["delivery_date"] > row["event_date"] for row in rows)
    assert {row["event_time"] > NOW for row in rows} == {True, False}
    assert len(rows) == 900
    assert date(2026, 1, 14) == DAY
