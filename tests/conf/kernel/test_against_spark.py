"""The kernel against the Spark jobs: every column of every session and transition, and what became of every reward."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.kernel.attribution import OUTCOMES
from conf.observation_features import OBSERVATION_FEATURES
from conf.paths import Lake
from conf.publication import read_pointers
from conf.spec_hash import data_spec_hash
from conf.tables import SESSIONS, transitions_table
from jobs.events_reading import read_availability, read_events, read_files, read_sessions
from jobs.sessions import sessions_of
from jobs.transitions.prepared_events import prepare
from jobs.transitions.transitions import transitions_of
from tests.conf.kernel.made_logs import random_log, random_pipelines
from tests.conf.kernel.table_rows import session_rows, transition_rows
from tests.e2e.simulated_lake import (
    FIRST_DATE,
    LAST_DATE,
    PIPELINE,
    build_transitions,
    ingest_logs,
    settings_of,
    write_small_logs,
)
from tests.jobs.event_rows import event
from tests.jobs.transitions.shop_events import availability_frame, events_frame

Row = dict[str, Any]

PIPELINES = random_pipelines(6, seed=5)
_TIMES = ("event_time", "decision_time", "start_time", "end_time", "valid_from")


@dataclass(frozen=True)
class Told:
    """What the Spark jobs make of a log, and what the kernel makes of it."""

    spark_sessions: list[Row]
    kernel_sessions: list[Row]
    spark_transitions: list[Row]
    kernel_transitions: list[Row]
    spark_attributed: Counter[tuple[Any, ...]]
    kernel_attributed: Counter[tuple[Any, ...]]


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
    lake = Lake(settings_of(home).lake, PIPELINE.source.name)
    days = [FIRST_DATE + timedelta(days=n) for n in range((LAST_DATE - FIRST_DATE).days + 1)]
    events = read_events(spark, lake, first_event_date=days[0], last_event_date=days[-1], last_delivery_date=LAST_DATE)
    rows, sets = collected(events), collected(read_availability(spark, lake, last_delivery_date=LAST_DATE))
    kernel_transitions, kernel_attributed = transition_rows(rows, PIPELINE, sets=sets, dates=days, horizon=LAST_DATE)
    prepared = prepare(events.where("user_id != ''"), None, PIPELINE)
    return Told(
        spark_sessions=collected(read_sessions(spark, lake, first_date=days[0], last_date=days[-1])),
        kernel_sessions=session_rows(rows, PIPELINE, LAST_DATE),
        spark_transitions=collected(published_transitions(spark, lake)),
        kernel_transitions=kernel_transitions,
        spark_attributed=Counter(tuple(row) for row in prepared.attributed.collect()),
        kernel_attributed=kernel_attributed,
    )


def published_transitions(spark: SparkSession, lake: Lake) -> DataFrame:
    table = transitions_table(PIPELINE.scenario)
    folder = lake.transitions(PIPELINE.scenario.name, data_spec_hash(PIPELINE))
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    return read_files(spark, table, folder, files, ("date",))


def collected(frame: DataFrame) -> list[Row]:
    """The rows as dictionaries, with aware times."""
    found = []
    for one in frame.collect():
        row: Row = one.asDict(recursive=True)
        found.append(row | {name: row[name].replace(tzinfo=UTC) for name in _TIMES if name in row})
    return found


def assert_same(found: Sequence[Row], expected: Sequence[Row], *key: str) -> None:
    """The same rows by their key, whatever their order; what differs is told by column."""
    by_key, wanted = ({tuple(row[name] for name in key): row for row in rows} for rows in (found, expected))
    assert len(by_key) == len(found) == len(expected)
    assert set(by_key) == set(wanted)
    differing = Counter(
        name
        for place, row in wanted.items()
        for name in row.keys() | by_key[place].keys()
        if by_key[place].get(name, "missing") != row.get(name, "missing")
    )
    assert differing == Counter()


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
