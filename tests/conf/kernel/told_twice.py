"""What the Spark jobs make of a log beside what the kernel makes of it, as rows of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.paths import Lake
from conf.publication import read_pointers
from conf.scenario import Pipeline
from conf.spec_hash import data_spec_hash
from conf.tables import transitions_table
from jobs.business_days import days_between
from jobs.events_reading import read_availability, read_events, read_files, read_sessions
from jobs.transitions.prepared_events import prepare
from tests.conf.kernel.table_rows import session_rows, transition_rows
from tests.e2e.simulated_lake import settings_of

Row = dict[str, Any]

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


def published(spark: SparkSession, home: Path, pipeline: Pipeline, *, first_date: date, horizon: date) -> Told:
    """What is published of a log from its first date to the horizon, and what the kernel makes of its events."""
    lake = Lake(settings_of(home).lake, pipeline.source.name)
    events = read_events(spark, lake, first_event_date=first_date, last_event_date=horizon, last_delivery_date=horizon)
    rows, sets = collected(events), collected(read_availability(spark, lake, last_delivery_date=horizon))
    kernel_transitions, kernel_attributed = transition_rows(
        rows, pipeline, sets=sets, dates=days_between(first_date, horizon), horizon=horizon
    )
    prepared = prepare(events.where("user_id != ''"), None, pipeline)
    return Told(
        spark_sessions=collected(read_sessions(spark, lake, first_date=first_date, last_date=horizon)),
        kernel_sessions=session_rows(rows, pipeline, horizon),
        spark_transitions=collected(_transitions(spark, lake, pipeline)),
        kernel_transitions=kernel_transitions,
        spark_attributed=Counter(tuple(row) for row in prepared.attributed.collect()),
        kernel_attributed=kernel_attributed,
    )


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


def _transitions(spark: SparkSession, lake: Lake, pipeline: Pipeline) -> DataFrame:
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    return read_files(spark, transitions_table(pipeline.scenario), folder, files, ("date",))
