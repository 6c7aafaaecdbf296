"""The kernel against the Spark jobs: every column of every session and transition, and what became of every reward."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.kernel.attribution import OUTCOMES
from conf.observation_features import OBSERVATION_FEATURES
from conf.tables import SESSIONS
from jobs.sessions import sessions_of
from jobs.transitions.prepared_events import prepare
from jobs.transitions.transitions import transitions_of
from tests.conf.kernel.made_logs import random_log, random_pipelines
from tests.conf.kernel.table_rows import session_rows, transition_rows
from tests.conf.kernel.told_twice import Told, assert_same, collected, published
from tests.e2e.simulated_lake import (
    FIRST_DATE,
    LAST_DATE,
    PIPELINE,
    build_transitions,
    ingest_logs,
    write_small_logs,
)
from tests.jobs.event_rows import event
from tests.jobs.transitions.shop_events import availability_frame, events_frame

Row = dict[str, Any]

PIPELINES = random_pipelines(6, seed=5)


@pytest.fixture(scope="module", autouse=True)
def interpreted_plans(spark: SparkSession) -> Iterator[None]:
    """Compiling plans over a few thousand rows takes longer than running them."""
    few = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    before = {name: spark.conf.get(name) for name in few}
    for name, value in few.items():
        spark.conf.set(name, value)
    yield
    for name, old in before.items():
        spark.conf.set(name, str(old))


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> list[Told]:
    """Random logs, one under each pipeline: cuts, ties, late lines, clocks that change, repeated decision ids."""
    return [_made(spark, number) for number in range(len(PIPELINES))]


def _made(spark: SparkSession, number: int) -> Told:
    pipeline = PIPELINES[number]
    log = random_log(pipeline, seed=number, n_logs=60)
    logged = {"propensity": Decimal("0.25"), "position": 3, "policy_version": "p7"}
    rows = [event(**row, **logged) for row in log.rows]
    sets = [one | {"actions": ["hat", "shoe"]} for one in log.sets]
    prepared = prepare(events_frame(spark, rows), availability_frame(spark, sets) if sets else None, pipeline)
    prepared.persist()
    spark_sessions = sessions_of(prepared.sessions, pipeline.source, log.horizon)
    spark_transitions = transitions_of(prepared, pipeline, dates=log.dates, horizon=log.horizon)
    kernel_transitions, kernel_attributed = transition_rows(
        rows, pipeline, sets=sets, dates=log.dates, horizon=log.horizon
    )
    told = Told(
        spark_sessions=collected(spark_sessions.select(*SESSIONS.column_names, "date")),
        kernel_sessions=session_rows(rows, pipeline, log.horizon),
        spark_transitions=collected(spark_transitions),
        kernel_transitions=kernel_transitions,
        spark_attributed=Counter(tuple(row) for row in prepared.attributed.collect()),
        kernel_attributed=kernel_attributed,
    )
    prepared.unpersist()
    return told


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The simulated shop's dirty log as published by ingest and build, and what the kernel makes of its events."""
    home = tmp_path_factory.mktemp("night")
    ingest_logs(spark, home, write_small_logs(home / "shop"), LAST_DATE)
    build_transitions(spark, home, LAST_DATE)
    return published(spark, home, PIPELINE, first_date=FIRST_DATE, horizon=LAST_DATE)


@pytest.mark.parametrize("number", range(len(PIPELINES)))
def test_sessions_of_random_logs_are_sparks(made: list[Told], number: int) -> None:
    """Every column of the sessions table."""
    assert_same(made[number].kernel_sessions, made[number].spark_sessions, "session_id")


@pytest.mark.parametrize("number", range(len(PIPELINES)))
def test_transitions_of_random_logs_are_sparks(made: list[Told], number: int) -> None:
    """Every column of the transitions table, all features among them."""
    assert_same(made[number].kernel_transitions, made[number].spark_transitions, "episode_id", "step")


@pytest.mark.parametrize("number", range(len(PIPELINES)))
def test_outcomes_of_random_logs_are_sparks(made: list[Told], number: int) -> None:
    """Which decision earned each counted event, or the reason why none did."""
    assert made[number].kernel_attributed == made[number].spark_attributed


def test_random_logs_hold_what_the_comparison_is_about(made: list[Told]) -> None:
    """Cut sessions, every end, every outcome, rewards, decisions without an action, and no feature without a value."""
    rows = [row for one in made for row in one.spark_transitions]
    assert {row["is_cut"] for one in made for row in one.spark_sessions} == {True, False}
    assert {(row["terminal"], row["timeout"]) for row in rows} == {(True, False), (False, True), (False, False)}
    assert {outcome for one in made for (_, _, _, outcome, *_) in one.spark_attributed} == set(OUTCOMES)
    assert {row["action_key"] is None for row in rows} == {True, False}
    assert sum(row["reward"] > 0 for row in rows) > 100
    for name in OBSERVATION_FEATURES:
        assert len({str(row["observation"][name]) for row in rows}) > 1


def test_sessions_of_the_simulated_shop_are_those_published(night: Told) -> None:
    """Every column of the sessions table, read back as it was published."""
    assert_same(night.kernel_sessions, night.spark_sessions, "session_id")
    assert len(night.spark_sessions) > 200


def test_transitions_of_the_simulated_shop_are_those_published(night: Told) -> None:
    """Every column of the transitions table, read back as it was published."""
    assert_same(night.kernel_transitions, night.spark_transitions, "episode_id", "step")
    assert len(night.spark_transitions) > 1000
    assert {row["terminal"] for row in night.spark_transitions} == {True, False}


def test_outcomes_of_the_simulated_shop_are_sparks(night: Told) -> None:
    """Which decision earned each counted event, or the reason why none did."""
    assert night.kernel_attributed == night.spark_attributed
