"""Builds on a small lake: what is published, at which horizon, and what never is."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.publication import read_pointers
from conf.tables import transitions_table
from jobs.errors import CheckError, DeliveryError
from jobs.publishing.written_rows import check_columns
from jobs.transitions.build import build
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, available, event, impression
from tests.spark_plans import shuffle_partitions

DAYS = [DAY + timedelta(days=n) for n in range(5)]
# A few features of each kind: what all of them hold has its own suite, and wide plans take Spark long to make.
FEATURES = [
    {"name": "session_step"},
    {"name": "recent_engaged_items", "length": 3},
    {"name": "seconds_since_previous_event"},
    {"name": "n_past_clicks"},
    {"name": "favorite_categories", "length": 2},
]
PIPELINE = a_pipeline(action={"mask": "availability"}, observation={"features": FEATURES, "history_days": 7})
SETS = [available("all", "00:00", "shoe", "boot", "hat", day=DAY - timedelta(days=1), delivery_date=DAY)]


def a_log(seed: int = 1) -> list[Row]:
    """Five days of twenty shoppers, none on the fourth: with late lines, repeats across deliveries, stray rewards."""
    rng = random.Random(seed)
    rows = []
    for number in range(320):
        day = rng.choice([DAYS[0], DAYS[1], DAYS[2], DAYS[4]])
        clock = f"{rng.choice([0, 9, 10, 23]):02d}:{rng.randrange(60):02d}"
        shopper, late = f"shopper {rng.randrange(20)}", rng.random() < 0.1
        shown = impression(
            clock,
            day=day,
            event_id=f"i{number:04d}",
            decision_id=f"d{number}",
            user_id=shopper,
            availability_id="all",
            action=rng.choice(["shoe", "boot", "hat"]),
            delivery_date=day + timedelta(days=late),
        )
        rows.append(shown)
        if rng.random() < 0.5:
            rows += rewards(rng, shown, number)
    return rows


def rewards(rng: random.Random, shown: Row, number: int) -> list[Row]:
    """An event that names the decision (or none that exists), soon, next day, or twice by two deliveries."""
    kind = rng.choice(["click", "cart", "purchase", "refund"])
    day = shown["event_date"] + timedelta(days=rng.random() < 0.2)
    named = rng.choice([shown["decision_id"]] * 5 + ["d???", None])
    found = event(
        kind,
        "23:59",
        day=day,
        event_id=f"r{number:04d}",
        user_id=shown["user_id"],
        decision_id=named,
        item_id=shown["action"],
    )
    again = found | {"delivery_date": day + timedelta(days=1)}
    return [found, again] if rng.random() < 0.2 else [found]


def delivered(spark: SparkSession, home: Path, rows: list[Row]) -> DeliveredShop:
    shop = DeliveredShop(spark, home, PIPELINE)
    shop.offer(SETS)
    shop.deliver(rows)
    return shop


def until(rows: list[Row], day: date) -> list[Row]:
    return [row for row in rows if row["delivery_date"] <= day]


@pytest.fixture(scope="module")
def at_once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[DeliveredShop, dict[str, Any]]:
    """Everything delivered, one build at the last day, with two shuffle partitions."""
    shop = delivered(spark, tmp_path_factory.mktemp("at_once"), a_log())
    with shuffle_partitions(spark, 2):
        return shop, build(spark, shop.settings, PIPELINE, DAYS[4])


@pytest.fixture(scope="module")
def night_by_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[date, dict[str, Any]]:
    """Each night's delivery, then that night's build; its result."""
    home, results = tmp_path_factory.mktemp("nightly"), {}
    for day in [DAYS[0], DAYS[2], DAYS[4]]:
        shop = delivered(spark, home, until(a_log(), day))
        results[day] = build(spark, shop.settings, PIPELINE, day)
    return results


def test_every_decision_is_one_transition(at_once: tuple[DeliveredShop, dict[str, Any]]) -> None:
    """Each decision line that was delivered once or twice is one row; partitions for the days with events."""
    shop, result = at_once
    decided = {row["decision_id"] for row in until(a_log(), DAYS[4]) if row["event_type"] == "impression"}
    found = [row["decision_id"] for row in shop.transitions().select("decision_id").collect()]
    assert (result["n_transitions"], sorted(found)) == (len(decided), sorted(decided))
    check_columns(shop.transitions(), transitions_table(PIPELINE.scenario), ["date"])
    assert list(result["partitions"]) == result["built"] == [str(DAYS[n]) for n in (0, 1, 2, 3, 4)]


def test_reward_is_conserved(at_once: tuple[DeliveredShop, dict[str, Any]]) -> None:
    """Against a sum over the log made here, repeated lines and all; every kind of residual occurs."""
    shop, result = at_once
    reward, weights = result["reward"], PIPELINE.scenario.reward.weight_millionths
    known = [row for row in until(a_log(), DAYS[4]) if row["event_date"] <= DAYS[4]]
    in_the_rows = sum(row["reward"] for row in shop.transitions().select("reward").collect())
    assert reward["events"] == sum(weights.get(row["event_type"], 0) for row in known)
    assert reward["transitions"] == in_the_rows
    assert reward["events"] == reward["transitions"] + sum(reward["residuals"].values())
    assert all(worth > 0 for worth in reward["residuals"].values())


def test_late_build_gives_what_nightly_builds_gave(
    at_once: tuple[DeliveredShop, dict[str, Any]], night_by_night: dict[date, dict[str, Any]]
) -> None:
    """Sealed or rebuilt, the last night leaves the same content as one build of everything."""
    last = night_by_night[DAYS[4]]
    assert last["partitions"] == at_once[1]["partitions"]
    assert last["reward"] == at_once[1]["reward"]
    assert (last["n_transitions"], last["n_episodes"]) == (at_once[1]["n_transitions"], at_once[1]["n_episodes"])


def test_earlier_horizon_knew_less(night_by_night: dict[date, dict[str, Any]]) -> None:
    """The first night's partition changed once more had been delivered; its reward was already accounted for."""
    first, last = night_by_night[DAYS[0]], night_by_night[DAYS[4]]
    assert first["partitions"][str(DAY)] != last["partitions"][str(DAY)]
    assert first["reward"]["events"] == first["reward"]["transitions"] + sum(first["reward"]["residuals"].values())
    assert first["reward"]["events"] < last["reward"]["events"]


def test_build_makes_open_dates_and_stale_ones_only(night_by_night: dict[date, dict[str, Any]]) -> None:
    """On the fifth night the first day is sealed and current."""
    assert night_by_night[DAYS[0]]["built"] == [str(DAYS[0])]
    assert str(DAYS[0]) not in night_by_night[DAYS[4]]["built"]


def test_digests_depend_on_no_order_and_no_partitioning(
    spark: SparkSession, tmp_path: Path, at_once: tuple[DeliveredShop, dict[str, Any]]
) -> None:
    """Lines shuffled within their deliveries, seven shuffle partitions instead of two."""
    rows = a_log()
    random.Random(7).shuffle(rows)
    with shuffle_partitions(spark, 7):
        result = build(spark, delivered(spark, tmp_path, rows).settings, PIPELINE, DAYS[4])
    assert result["partitions"] == at_once[1]["partitions"]
    assert result["reward"] == at_once[1]["reward"]


def test_repeated_build_leaves_everything_as_it_was(
    at_once: tuple[DeliveredShop, dict[str, Any]], spark: SparkSession
) -> None:
    """Same deliveries, same horizon: the same pointers, and no further version."""
    shop, result = at_once
    before = read_pointers(shop.folder)
    again = build(spark, shop.settings, PIPELINE, DAYS[4])
    assert again["partitions"] == result["partitions"]
    assert read_pointers(shop.folder) == before


def test_build_of_an_earlier_date_forgets_nothing(
    at_once: tuple[DeliveredShop, dict[str, Any]], spark: SparkSession
) -> None:
    """Dates published at a later horizon keep it; the totals are those of the days asked for."""
    shop, result = at_once
    before = read_pointers(shop.folder)
    earlier = build(spark, shop.settings, PIPELINE, DAYS[2])
    assert read_pointers(shop.folder) == before
    assert list(earlier["partitions"].items()) == list(result["partitions"].items())[:3]
    assert earlier["reward"]["events"] == earlier["reward"]["transitions"] + sum(
        earlier["reward"]["residuals"].values()
    )
    assert earlier["reward"]["events"] < result["reward"]["events"]


def test_date_without_events_is_an_error_that_names_those_with(
    at_once: tuple[DeliveredShop, dict[str, Any]], spark: SparkSession
) -> None:
    """Nothing happened long after; the message says when something did."""
    with pytest.raises(
        DeliveryError, match=r"no events on 2026-03-01; dates with events up to then: 2026-01-14 to 2026-01-1"
    ):
        build(spark, at_once[0].settings, PIPELINE, date(2026, 3, 1))


def test_violation_publishes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    """An action that wasn't available: the error says where, the lake stays without transitions."""
    shop = DeliveredShop(spark, tmp_path, PIPELINE)
    shop.offer(SETS)
    shop.deliver([impression(availability_id="all"), impression("10:01", action="scarf", availability_id="all")])
    with pytest.raises(CheckError, match="transitions/recommendation date=2026-01-14: 1 rows whose action isn't in"):
        build(spark, shop.settings, PIPELINE, DAY)
    assert read_pointers(shop.folder) == {}
    assert list(shop.folder.rglob("*.parquet")) == []


def test_manifest_says_what_a_partition_was_made_from(at_once: tuple[DeliveredShop, dict[str, Any]]) -> None:
    """Deliveries that can affect the date and no others, the checks that held, and where reward went."""
    manifest = read_pointers(at_once[0].folder)[f"date={DAY}"].manifest
    assert set(manifest.inputs) == {
        *(f"events/delivery_date={day}" for day in DAYS[:3]),
        f"availability/delivery_date={DAY}",
        *(f"passed/{day}" for day in DAYS[:3]),
    }
    assert manifest.checks["reward_conserved"] and manifest.checks["one_row_a_decision"]
    assert manifest.counters["episodes"] == manifest.counters["terminals"] + manifest.counters["timeouts"]
