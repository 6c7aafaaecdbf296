"""Every check finds what it is there for, and all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.specs.scenario import Pipeline
from conf.tables import transitions_table
from jobs.events.events_reading import IS_REPEATED
from jobs.publishing.row_pieces import read_pieces
from jobs.publishing.written_hashes import file_sums, sums_of_files
from jobs.transitions.checks import lost_on_the_way
from jobs.transitions.events_read import count_events
from jobs.transitions.row_checks import ROW_CHECKS, explain, row_inspector, row_rules
from jobs.transitions.transitions import Made, make_transitions
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
)

PIPELINE = a_pipeline(action={"mask": "availability"})
SETS = [available("morning", "06:00", "shoe", "hat")]
OFFERED = pa.table({"availability_id": ["morning"], "actions": [["hat", "shoe"]]})


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def good(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Transitions of one episode of three steps, as built."""
    rows = [
        impression(f"10:0{n}", action=item, availability_id="morning") for n, item in enumerate(["shoe", "hat", "shoe"])
    ]
    made = made_by_spark(spark, rows, PIPELINE, tmp_path_factory.mktemp("pieces"), SETS)
    return read_pieces([one.path for one in made.pieces])


def made_by_spark(
    spark: SparkSession, rows: list[Row], pipeline: Pipeline, folder: Path, sets: list[Row] | None = None
) -> Made:
    known = availability_frame(spark, sets) if sets else None
    return make_transitions(events_frame(spark, rows), known, pipeline, folder, dates=[DAY], horizon=DAY)


def on_step(step: int, column: str, value: Any) -> Callable[[Rows], None]:
    """Another value on one step."""

    def spoil(rows: Rows) -> None:
        rows[step][column] = value

    return spoil


def item_in_the_next_list(rows: Rows) -> None:
    """All items of both lists of the last observation stand in the second one: the same items in a row."""
    seen = rows[2]["observation"]
    seen["recent_shown_categories"] = seen["recent_shown_items"] + seen["recent_shown_categories"]
    seen["recent_shown_items"] = []


def first_observation_twice(rows: Rows) -> None:
    for row in rows:
        row["next_observation"] = row["observation"]


def violations(rows: pa.Table, folder: Path, sets: pa.Table | None, pipeline: Pipeline = PIPELINE) -> dict[str, int]:
    """What the checks say of a file with the rows, shuffled: checks that hold are left out."""
    pq.write_table(rows.take([2, 0, 1]), folder / "rows.parquet")
    inspector, table = row_inspector(row_rules(pipeline, sets)), transitions_table(pipeline.scenario)
    found, _ = file_sums(folder / "rows.parquet", table, inspector=inspector)
    return {name: n for name, n in found.violations.items() if n}


@pytest.mark.parametrize(
    ("spoil", "check", "n"),
    [
        (on_step(2, "timeout", False), "exactly_one_end", 1),
        (on_step(2, "terminal", True), "exactly_one_end", 1),
        (on_step(1, "timeout", True), "no_end_before_the_last_step", 1),
        (on_step(2, "step", 5), "steps_contiguous", 1),
        (first_observation_twice, "next_observation_follows", 2),
        (item_in_the_next_list, "next_observation_follows", 1),
        (on_step(0, "propensity", 0), "propensity_fits_source", 1),
        (on_step(0, "propensity", Decimal("1.5")), "propensity_fits_source", 1),
        (on_step(0, "propensity", None), "propensity_fits_source", 1),
        (on_step(0, "propensity_source", "none"), "propensity_fits_source", 1),
        (on_step(1, "action_key", "scarf"), "action_was_available", 1),
        (on_step(1, "availability_id", "unheard of"), "action_was_available", 1),
        (on_step(1, "availability_id", None), "action_was_available", 1),
    ],
)
def test_check_finds_what_is_wrong(
    good: pa.Table, tmp_path: Path, spoil: Callable[[Rows], None], check: str, n: int
) -> None:
    """One thing wrong, one check that says so."""
    rows = sorted(good.to_pylist(), key=lambda row: row["step"])
    spoil(rows)
    assert violations(pa.Table.from_pylist(rows, good.schema), tmp_path, OFFERED) == {check: n}


def test_rows_as_built_pass(good: pa.Table, tmp_path: Path) -> None:
    """Nothing is wrong with them, and the mask asks for availability."""
    assert violations(good, tmp_path, OFFERED) == {}


def test_mask_needs_a_source_with_availability(good: pa.Table, tmp_path: Path) -> None:
    """Without any sets no action was available."""
    assert violations(good, tmp_path, None) == {"action_was_available": 3}


def test_implied_decisions_have_no_propensity(good: pa.Table, tmp_path: Path) -> None:
    """A logged propensity of an implied decision is a contradiction."""
    assert violations(good, tmp_path, None, implied_pipeline()) == {"propensity_fits_source": 3}


def test_each_date_is_told_apart(spark: SparkSession, good: pa.Table, tmp_path: Path) -> None:
    """Workers look at a file each."""
    files = [(day, tmp_path / f"{day}.parquet") for day in ("2026-01-05", "2026-01-06")]
    for (_, path), rows in zip(files, (good, good.slice(0, 2)), strict=True):
        pq.write_table(rows, path)
    inspector, table = row_inspector(row_rules(PIPELINE, OFFERED)), transitions_table(PIPELINE.scenario)
    found = sums_of_files(spark, table, files, {}, inspector=inspector)
    nothing = dict.fromkeys(ROW_CHECKS, 0)
    assert {day: one.violations for day, one in found.items()} == {
        "2026-01-05": nothing,
        "2026-01-06": nothing | {"exactly_one_end": 1},
    }


def test_all_violations_stand_in_one_message() -> None:
    """By date, with what was expected."""
    lines = explain("transitions/recommendation", {"2026-01-02": {"steps_contiguous": 2, "exactly_one_end": 14}})
    assert lines == [
        f"transitions/recommendation date=2026-01-02: 2 {ROW_CHECKS['steps_contiguous']}",
        "transitions/recommendation date=2026-01-02: 14 "
        "episodes' last rows without exactly one of terminal and timeout",
    ]


def test_events_lost_between_spark_and_the_kernel_are_told(spark: SparkSession, tmp_path: Path) -> None:
    """Decisions and clicks that never arrived are missing on both sides of every other count."""
    rows = [impression("10:00", decision_id="d1"), event("click", "10:01", decision_id="d1"), impression("10:02")]
    whole = made_by_spark(spark, rows, PIPELINE, tmp_path)
    read = count_events(events_frame(spark, rows).withColumn(IS_REPEATED, F.lit(False)), PIPELINE.scenario)
    assert lost_on_the_way(whole, read, "transitions/recommendation") == []
    partly = made_by_spark(spark, rows[:-1], PIPELINE, tmp_path)
    (problem,) = lost_on_the_way(partly, read, "transitions/recommendation")
    assert "the kernel saw 1 of type impression; expected 2, as read" in problem
