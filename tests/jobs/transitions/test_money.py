"""Money from events to transitions: exact to the millionth, refunded where it was earned, and never unaccounted for."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.kernel.earnings import Term, worth
from conf.publication import read_pointers
from conf.specs.scenario import Pipeline
from jobs.errors import CheckError
from jobs.events.event_columns import event_columns
from jobs.transitions import build as building
from jobs.transitions.build import build
from jobs.transitions.events_read import EventsRead, count_events
from jobs.transitions.worth import worth_of_events
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import (
    DAY,
    Row,
    a_pipeline,
    attributed,
    event,
    events_frame,
    events_table,
    impression,
    transitions,
)

EURO = 1_000_000
FEATURES = [{"name": "session_step"}, {"name": "n_past_clicks"}]


def money_pipeline(**reward: Any) -> Pipeline:
    """Margin of purchases by decision id, within two days, and money as side metrics."""
    terms = [{"event": "purchase", "value": "margin"}]
    by_id = {"link": "decision_id", "window_hours": 48}
    given = {"unit": "EUR", "weights": {}, "terms": terms, "attribution": by_id} | reward
    metrics = {
        "revenue": {"event": "purchase", "value": "revenue"},
        "discounts": {"event": "purchase", "value": "discount"},
        "refunds": "refund",
    }
    observation = {"features": FEATURES, "history_days": 2}
    return a_pipeline(reward=given, metrics=metrics, observation=observation, gate={"guardrails": []})


def bought(clock: str = "10:05", *, decision: str | None = "d1", **given: Any) -> Row:
    """Two pairs of shoes for 19.98, which cost 12."""
    paid: Row = {"item_id": "shoe", "price": 9_990_000, "quantity": 2, "cost": 12 * EURO, "decision_id": decision}
    return event("purchase", clock, **(paid | given))


def refund(clock: str, **given: Any) -> Row:
    return event("refund", clock, **(Row(item_id="shoe") | given))


SHOWN = impression("10:00", decision_id="d1", event_id="i1")

# What the one decision earns; by hand.
STORIES: dict[str, tuple[list[Row], int]] = {
    "amount is price times quantity": ([bought()], 19_980_000 - 12 * EURO),
    "a given amount counts, not the price": ([bought(amount=18_000_001)], 6_000_001),
    "without a cost nothing is known": ([bought(cost=None)], 0),
    "without quantity nothing is known": ([bought(quantity=None)], 0),
    "part of it refunded": ([bought(), refund("11:00", amount=5 * EURO)], 2_980_000),
    "a refund's sign doesn't matter": ([bought(), refund("11:00", amount=-5 * EURO)], 2_980_000),
    "goods that came back keep their cost": (
        [bought(), refund("11:00", amount=9_990_000, cost=6 * EURO)],
        7_980_000 - 3_990_000,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_margin_is_what_was_paid_less_cost_less_refunds(story: str) -> None:
    """To the millionth."""
    rows, expected = STORIES[story]
    (found,) = transitions([SHOWN, *rows], money_pipeline())
    assert found["reward"] == expected


def test_metrics_are_money_too() -> None:
    """Revenue less refunds and what was taken off; refunds by number."""
    rows = [SHOWN, bought(discount=EURO), refund("11:00", amount=5 * EURO)]
    (found,) = transitions(rows, money_pipeline())
    assert found["metrics"] == {"revenue": 14_980_000, "discounts": EURO, "refunds": 1}


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ({"declared": {"shoe": 0.1}, "otherwise": 0}, 7_880_000),
        ({"declared": {"hat": 0.1}, "otherwise": 0.25}, 7_730_000),
        ({"logged": True}, 7_480_000),
    ],
    ids=["declared", "otherwise", "logged"],
)
def test_cost_of_the_action_is_taken_off(cost: Row, expected: int) -> None:
    """Whatever follows; a logged one is the decision's own."""
    shown = SHOWN | {"cost": EURO // 2}
    (found,) = transitions([shown, bought()], money_pipeline(action_cost=cost))
    assert found["reward"] == expected


def test_declared_rate_stands_for_the_cost() -> None:
    """30% of 19.98, weighed by a half."""
    terms = [{"event": "purchase", "value": "margin", "weight": 0.5}]
    (found,) = transitions([SHOWN, bought(cost=None)], money_pipeline(terms=terms, margin_rate=0.3))
    assert found["reward"] == 2_997_000


TWO = [SHOWN, impression("10:10", decision_id="d2", event_id="i2"), bought(order_id="o1", event_id="p1")]
SECOND = bought("10:15", decision="d2", order_id="o2", event_id="p2")

REFUNDS: dict[str, tuple[Row, tuple[str, str | None]]] = {
    "names the older order": (refund("11:00", order_id="o1"), ("attributed", "i1")),
    "names no order": (refund("11:00"), ("attributed", "i2")),
    "names an unknown order": (refund("11:00", order_id="o9"), ("refund_without_purchase", None)),
    "names an order, of another item": (refund("11:00", order_id="o1", item_id="hat"), ("attributed", "i1")),
    "of an item that wasn't bought": (refund("11:00", item_id="hat"), ("refund_without_purchase", None)),
    "before the purchase": (refund("09:00", order_id="o1"), ("refund_without_purchase", None)),
    "at the window's edge": (refund("10:00", day=DAY + timedelta(days=2), order_id="o1"), ("attributed", "i1")),
    "after the window": (refund("10:00:01", day=DAY + timedelta(days=2), order_id="o1"), ("late_refund", None)),
    "names the decision of another purchase": (
        refund("11:00", order_id="o1", decision_id="d2"),
        ("attributed", "i1"),
    ),
}


@pytest.mark.parametrize("story", REFUNDS)
def test_refund_goes_where_its_purchase_went(story: str) -> None:
    """By order, else by item to the latest purchase."""
    row, expected = REFUNDS[story]
    found = attributed([*TWO, SECOND, row], money_pipeline())
    (refunded,) = [one for one in found if one["event_type"] == "refund"]
    assert (refunded["outcome"], refunded["decision_event_id"]) == expected


def test_refund_of_a_purchase_that_nobody_earned_is_the_same_residual() -> None:
    """So that what was never earned isn't taken off."""
    found = attributed([SHOWN, bought(decision="d7", order_id="o1"), refund("11:00", order_id="o1")], money_pipeline())
    assert [row["outcome"] for row in found] == ["unknown_decision", "unknown_decision"]


def test_purchase_may_be_its_own_decision() -> None:
    """Where the log has nothing else: each line earns its own margin, less its refund."""
    purchases = {"decisions": {"kind": "implied", "event_type": "purchase"}}
    itself = {"attribution": {"link": "itself", "window_hours": 48}}
    pipeline = money_pipeline(**itself)
    pipeline = Pipeline.model_validate(
        {"source": pipeline.source.model_dump() | purchases, "scenario": pipeline.scenario.model_dump()}
    )
    rows = [bought("10:00"), bought("10:05", item_id="hat", cost=0), refund("11:00", amount=EURO)]
    assert [row["reward"] for row in transitions(rows, pipeline)] == [6_980_000, 19_980_000]


MOST_UNITS = [(10**16 - 1) // 333_333, (10**16 - 1) // 333_333 + 1, 10**16 - 1, 10**16]
"""Pieces around those whose worth can just be stored."""


def random_rows(n: int, seed: int = 7) -> list[Row]:
    """Purchases, refunds and carts with money of all sizes and signs, or none."""
    rng = random.Random(seed)
    amounts: list[Callable[[], int | None]] = [
        lambda: None,
        lambda: rng.randrange(-20, 20),
        lambda: rng.randrange(-(10**9), 10**9),
        lambda: rng.randrange(-(10**16) + 1, 10**16),
    ]
    return [
        event(
            rng.choice(["purchase", "refund", "cart", "click"]),
            event_id=f"e{number:05d}",
            amount=rng.choice(amounts)(),
            cost=rng.choice(amounts)(),
            discount=rng.choice(amounts)(),
            price=rng.choice([None, 9_990_000, 2**62]),
            quantity=rng.choice([None, -3, 7, 2**40, *MOST_UNITS, -(2**62)]),
        )
        for number in range(n)
    ]


def test_spark_and_kernel_agree_on_what_events_are_worth(spark: SparkSession) -> None:
    """On every row, for every value and for factors that round."""
    rows = random_rows(600)
    values = ("revenue", "margin", "discount", "cost")
    terms = [Term("purchase", value, factor) for value in values for factor in (EURO, 333_333, -5)]  # type: ignore[arg-type]
    terms += [Term("cart", "revenue", 100 * EURO), Term("click", "count", -7)]
    terms += [Term("cart", "units", -333_333), Term("purchase", "units", 1), Term("click", "units", 100 * EURO)]
    columns = [worth_of_events([term]).cast("bigint").alias(f"t{n}") for n, term in enumerate(terms)]
    found = events_frame(spark, rows).select("event_id", *columns).collect()
    stream = event_columns(events_table(rows)).stream
    names = events_table(rows)["event_id"].to_pylist()
    places = np.arange(len(stream), dtype=np.int64)
    expected = {
        name: tuple(int(one) for one in row)
        for name, row in zip(names, np.stack([worth(stream, places, [term]) for term in terms], axis=1), strict=True)
    }
    assert {row[0]: tuple(row[1:]) for row in found} == expected


NIGHTS = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=4)]


def a_log() -> list[Row]:
    """Purchases with refunds soon or long after, repeated lines, and a refund of the shop's own."""
    rng = random.Random(3)
    rows = []
    for number in range(60):
        day = DAY + timedelta(days=rng.randrange(2))
        who = {"user_id": f"shopper {number % 5}", "day": day}
        rows.append(impression("09:00", decision_id=f"d{number}", event_id=f"i{number:03d}", cost=100_000, **who))
        sold = bought(
            "10:00",
            decision=rng.choice([f"d{number}", f"d{number}", "d???"]),
            event_id=f"p{number:03d}",
            order_id=f"o{number}",
            price=rng.randrange(1, 10**8),
            cost=rng.choice([None, 3_333_333]),
            **who,
        )
        rows.append(sold)
        back = {"order_id": f"o{number}", "amount": -rng.randrange(1, 10**6), "event_id": f"r{number:03d}"}
        if number % 3 == 0:
            rows.append(refund("12:00", **back, **who))
        if number % 7 == 1:
            rows.append(refund("12:00", **back, user_id=who["user_id"], day=day + timedelta(days=3)))
        if number % 9 == 0:
            rows.append(sold | {"delivery_date": day + timedelta(days=1)})
    return [*rows, refund("13:00", user_id="", amount=5)]


def worth_by_hand(rows: list[Row]) -> int:
    """Margins less refunds of all accepted events, repeated ones too; a third of each, rounded to millionths."""

    def third(value: int) -> int:
        return (2 * abs(value) * 333_333 + 10**6) // (2 * 10**6) * (1 if value >= 0 else -1)

    total = 0
    for row in rows:
        if row["event_type"] == "purchase" and row["cost"] is not None:
            total += third(row["price"] * row["quantity"] - row["cost"])
        if row["event_type"] == "refund":
            total -= third(abs(row["amount"]))
    return total


PIPELINE = money_pipeline(
    terms=[{"event": "purchase", "value": "margin", "weight": 0.333333}], action_cost={"logged": True}
)


@pytest.fixture(scope="module")
def night_by_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[DeliveredShop, list[Row]]:
    """Three nights; the last one comes after the first two days are sealed."""
    shop = DeliveredShop(spark, tmp_path_factory.mktemp("money"), PIPELINE)
    results = []
    for night in NIGHTS:
        shop.deliver([row for row in a_log() if row["delivery_date"] <= night])
        results.append(build(spark, shop.settings, PIPELINE, night))
    return shop, results


def test_every_millionth_is_in_a_transition_a_cost_or_a_residual(
    night_by_night: tuple[DeliveredShop, list[Row]],
) -> None:
    """After each night, against a sum over the log made here."""
    shop, results = night_by_night
    for night, result in zip(NIGHTS, results, strict=True):
        known = [row for row in a_log() if row["delivery_date"] <= night]
        reward = result["reward"]
        assert reward["events"] == worth_by_hand(known)
        assert reward["events"] == reward["transitions"] + reward["action_cost"] + sum(reward["residuals"].values())
    in_the_rows = sum(row["reward"] for row in shop.transitions().select("reward").collect())
    assert results[-1]["reward"]["transitions"] == in_the_rows
    assert results[-1]["reward"]["action_cost"] == 60 * 100_000
    n_unknown = sum(row["event_type"] == "purchase" and row["cost"] is None for row in distinct(a_log()))
    assert results[-1]["reward"]["events_without_money"] == n_unknown > 0


def distinct(rows: list[Row]) -> list[Row]:
    return list({row["event_id"]: row for row in rows}.values())


def test_refund_that_comes_too_late_is_a_residual(night_by_night: tuple[DeliveredShop, list[Row]]) -> None:
    """It is taken off no decision whose row may be sealed, and has a name."""
    _, results = night_by_night
    last = results[-1]["reward"]["residuals"]
    assert last["late_refund"] < 0
    assert last["refund_without_purchase"] == -round(5 * 0.333333)
    assert results[1]["reward"]["residuals"]["late_refund"] == 0


def test_one_build_of_everything_gives_what_the_nights_gave(
    spark: SparkSession, tmp_path: Path, night_by_night: tuple[DeliveredShop, list[Row]]
) -> None:
    """The same content, date by date."""
    shop = DeliveredShop(spark, tmp_path, PIPELINE)
    shop.deliver(a_log())
    at_once = build(spark, shop.settings, PIPELINE, NIGHTS[-1])
    assert at_once["partitions"] == night_by_night[1][-1]["partitions"]
    assert at_once["reward"] == night_by_night[1][-1]["reward"]


def test_money_that_does_not_add_up_publishes_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A millionth too much on one side is named, and no pointer is swapped."""
    shop = DeliveredShop(spark, tmp_path, PIPELINE)
    shop.deliver(a_log())
    honest = count_events

    def off_by_one(*given: Any) -> list[EventsRead]:
        read = honest(*given)
        place = next(place for place, one in enumerate(read) if one.event_date == DAY and not one.is_repeated)
        return [*read[:place], read[place]._replace(worth=read[place].worth + 1), *read[place + 1 :]]

    monkeypatch.setattr(building, "count_events", off_by_one)
    with pytest.raises(CheckError, match="nothing was published"):
        build(spark, shop.settings, PIPELINE, NIGHTS[-1])
    assert read_pointers(shop.folder) == {}
