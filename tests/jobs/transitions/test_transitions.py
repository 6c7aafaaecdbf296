"""Transitions against the slow and obvious way, on random logs."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from conf.observation_features import OBSERVATION_FEATURES, id_hash
from conf.specs.problem import Observation
from conf.specs.scenario import Pipeline
from conf.tables import transitions_table
from jobs.publishing.row_pieces import arrow_schema, read_pieces
from jobs.transitions.attribution import look_back_days
from jobs.transitions.transitions import make_transitions
from tests.jobs.transitions.plain_transitions import plain_transitions
from tests.jobs.transitions.shop_events import (
    DAY,
    Row,
    a_pipeline,
    availability_frame,
    available,
    event,
    events_frame,
    implied_pipeline,
    impression,
    transitions,
)

DAYS = [DAY + timedelta(days=n) for n in range(5)]
TYPES = ["impression"] * 4 + ["view"] * 4 + ["click", "favorite", "cart", "purchase", "refund", "promotion"]
ALL_FEATURES = [
    {"name": name, "length": 3 if known.kind == "list" else None} for name, known in OBSERVATION_FEATURES.items()
]
EVERYTHING = Observation.model_validate({"features": ALL_FEATURES, "history_days": 2}).model_dump()
SMALL: dict[str, Any] = {"observation": EVERYTHING, "episode": {"max_steps": 3}, "gate": {"guardrails": []}}
SHORT_WINDOW = {"link": "last_touch", "window_hours": 5}

PIPELINES = {
    # Sessions that are cut by length, by a second midnight, and by the bound on steps, in a zone far from UTC.
    "logged": a_pipeline(
        source_changes={"zone": "America/New_York", "session": {"gap_minutes": 400, "max_hours": 20}}, **SMALL
    ),
    "implied": implied_pipeline(
        **SMALL
        | {"reward": {"weights": {"view": 1, "purchase": 10}, "attribution": SHORT_WINDOW}, "metrics": {"n": "refund"}}
    ),
    "implied by category": implied_pipeline(
        **SMALL | {"action": {"key": "category"}, "reward": {"weights": {"cart": 3}, "attribution": SHORT_WINDOW}}
    ),
}


def random_log(seed: int) -> list[Row]:
    """Five days of ten shoppers; seconds are multiples of 20, so that instants are shared."""
    rng = random.Random(seed)
    return [random_event(rng, number) for number in range(700)]


def random_event(rng: random.Random, number: int) -> Row:
    day = rng.choice(DAYS)
    clock = f"{rng.choice([0, 4, 5, 9, 14, 19, 23]):02d}:{rng.randrange(60):02d}:{rng.randrange(0, 60, 20):02d}"
    item, shopper = f"item {rng.randrange(6)}", rng.randrange(10)
    # Ids in random order: the order of lines must not help.
    return event(
        rng.choice(TYPES),
        clock,
        event_id=f"{rng.randrange(10**9)}-{number}",
        user_id=f"shopper {shopper}",
        item_id=item,
        action=rng.choice([item, None]),
        category_id=f"category {rng.randrange(3)}",
        decision_id=rng.choice([None, f"d{shopper}-{rng.randrange(20)}"]),
        price=rng.choice([None, rng.randrange(10**8)]),
        propensity=Decimal("0.25"),
        availability_id=rng.choice(["first", None]),
        event_date=day,
        day=day,
        delivery_date=day + timedelta(days=rng.choice([0, 0, 0, 1])),
    )


def in_zone(rows: list[Row], pipeline: Pipeline) -> list[Row]:
    """The rows with the event date of the source's zone, which ingest gives."""
    zone = ZoneInfo(pipeline.source.zone)
    return [row | {"event_date": row["event_time"].astimezone(zone).date()} for row in rows]


SETS = [
    available("first", "00:00"),
    available("second", "12:00"),
    available("late", "13:00", delivery_date=DAYS[1]),
    available("third", "05:00", day=DAYS[2], delivery_date=DAYS[2]),
]


def told(row: Any, expected: Row) -> Row:
    """The row's values of the expected columns."""
    return {name: row[name] for name in expected}


def by_place(rows: list[Row], pipeline: Pipeline) -> dict[str, str]:
    """Event id of each decision by the decision's id and time."""
    kind = pipeline.source.decisions.event_type
    return {
        f"{row['decision_id'] or row['event_id']} {row['event_time']}": row["event_id"]
        for row in rows
        if row["event_type"] == kind
    }


def compare(found: list[Any], expected: dict[str, Row], rows: list[Row], pipeline: Pipeline) -> None:
    ids = by_place(rows, pipeline)
    values = {ids[f"{row['decision_id']} {row['decision_time']}"]: row for row in found}
    assert sorted(values) == sorted(expected)
    assert len(found) == len(expected)
    for event_id, wanted in expected.items():
        assert told(values[event_id], wanted) == wanted


@pytest.mark.parametrize("name", PIPELINES)
def test_transitions_are_what_the_definitions_say(name: str) -> None:
    """Every row and column that needs computing, over five days with cuts, ties, late lines and lost rewards."""
    pipeline = PIPELINES[name]
    rows = in_zone(random_log(5), pipeline)
    dates = sorted({row["event_date"] for row in rows})
    expected = plain_transitions(rows, pipeline, sets=SETS, dates=dates, horizon=DAYS[4])
    assert {(row["terminal"], row["timeout"]) for row in expected.values()} == {
        (True, False),
        (False, True),
        (False, False),
    }
    assert any(row["reward"] for row in expected.values())
    found = transitions(rows, pipeline, sets=SETS, dates=dates, horizon=DAYS[4])
    compare(found, expected, rows, pipeline)


def test_a_dates_rows_need_only_the_days_around_it() -> None:
    """From the days a build reads for the date alone, the same rows as from the whole log."""
    pipeline = PIPELINES["logged"]
    rows = in_zone(random_log(6), pipeline)
    day, horizon = DAYS[2], DAYS[4]
    expected = plain_transitions(rows, pipeline, sets=SETS, dates=[day], horizon=horizon)
    first = day - timedelta(days=look_back_days(pipeline.scenario))
    around = [row for row in rows if first <= row["event_date"] <= day + timedelta(days=pipeline.settle_days)]
    assert len(around) < len(rows)
    compare(transitions(around, pipeline, sets=SETS, dates=[day], horizon=horizon), expected, rows, pipeline)


def test_spark_gives_what_its_workers_make(spark: SparkSession, tmp_path: Path) -> None:
    """The same rows in the table's columns, however many parts the shoppers are in; nobody's events make none."""
    pipeline = PIPELINES["logged"]
    rows = in_zone(random_log(7), pipeline)
    dates = sorted({row["event_date"] for row in rows})
    expected = transitions(rows, pipeline, sets=SETS, dates=dates, horizon=DAYS[4])
    log = events_frame(spark, [*rows, event("stock", user_id="", event_id="own")])
    for n_partitions in (1, 3):
        sets = availability_frame(spark, SETS)
        folder = tmp_path / str(n_partitions)
        made = make_transitions(
            log, sets, pipeline, folder, dates=dates, horizon=DAYS[4], n_partitions=n_partitions
        ).pieces
        tables = [read_pieces([one.path]) for one in made]
        assert {table.schema for table in tables} == {arrow_schema(transitions_table(pipeline.scenario))}
        found = [
            row | {"date": date.fromisoformat(one.value)}
            for one, table in zip(made, tables, strict=True)
            for row in table.to_pylist()
        ]
        found.sort(key=lambda row: (row["episode_id"], row["step"]))
        assert found == sorted(expected, key=lambda row: (row["episode_id"], row["step"]))


def test_rows_have_ids_and_what_was_logged() -> None:
    """Ids are hashes of natural keys; what was logged is passed on."""
    pipeline = a_pipeline()
    rows = [
        impression(action="shoe", decision_id="d1", position=2, policy_version="p7"),
        impression("10:01", action="hat"),
    ]
    first, second = transitions(rows, pipeline)
    assert (first["decision_id"], first["action_id"], first["action_key"]) == ("d1", id_hash("shoe"), "shoe")
    assert (first["position"], first["policy_version"]) == (2, "p7")
    assert (first["propensity"], first["propensity_source"]) == (Decimal("0.5"), "logged")
    assert (second["decision_id"], second["position"]) == (rows[1]["event_id"], None)


def test_implied_decisions_have_no_propensity() -> None:
    """Whatever the line says: nobody drew them."""
    pipeline = implied_pipeline()
    row = event("view", item_id="shoe", propensity=Decimal("0.5"))
    found = transitions([row], pipeline)[0]
    assert (found["propensity"], found["propensity_source"]) == (None, "none")


def test_scenario_without_metrics_counts_none() -> None:
    """The column stays, with a field that says so."""
    pipeline = a_pipeline(metrics={}, gate={"guardrails": []})
    found = transitions([impression(decision_id="d"), event("click", "10:01", decision_id="d")], pipeline)[0]
    assert found["metrics"] == {"none": 0}


def test_session_belongs_to_the_business_day_it_starts() -> None:
    """23:30 UTC is the next day in Berlin."""
    tomorrow = DAY + timedelta(days=1)
    row = impression("23:30", event_date=tomorrow)
    pipeline = a_pipeline("simulated_shop")
    assert transitions([row], pipeline, dates=[DAY], horizon=tomorrow) == []
    assert [found["date"] for found in transitions([row], pipeline, dates=[tomorrow], horizon=tomorrow)] == [
        date(2026, 1, 15)
    ]
