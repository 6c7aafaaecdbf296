"""Every check finds what it is there for, and all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.specs.scenario import Pipeline
from jobs.publishing.row_pieces import read_pieces
from jobs.transitions.checks import ROW_CHECKS, explain, lost_on_the_way, row_violations
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


@pytest.fixture(scope="module")
def good(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """Transitions of one episode of three steps, as built."""
    rows = [
        impression(f"10:0{n}", action=item, availability_id="morning") for n, item in enumerate(["shoe", "hat", "shoe"])
    ]
    made = made_by_spark(spark, rows, PIPELINE, tmp_path_factory.mktemp("pieces"), SETS)
    return spark.createDataFrame(read_pieces([one.path for one in made.pieces])).withColumn("date", F.lit(DAY))


def made_by_spark(
    spark: SparkSession, rows: list[Row], pipeline: Pipeline, folder: Path, sets: list[Row] | None = None
) -> Made:
    known = availability_frame(spark, sets) if sets else None
    return make_transitions(events_frame(spark, rows), known, pipeline, folder, dates=[DAY], horizon=DAY)


def on_step(step: int, column: str, value: Any) -> Callable[[DataFrame], DataFrame]:
    """The frame with another value on one step."""
    return lambda frame: frame.withColumn(
        column, F.when(F.col("step") == step, F.lit(value).cast(frame.schema[column].dataType)).otherwise(F.col(column))
    )


def item_in_the_next_list(frame: DataFrame) -> DataFrame:
    """The frame with all items of both lists of the last observation in the second one: the same items in a row."""
    lists = [f"observation.{name}" for name in ("recent_shown_items", "recent_shown_categories")]
    moved = F.col("observation").withField("recent_shown_items", F.array().cast("array<bigint>"))
    moved = moved.withField("recent_shown_categories", F.concat(*lists))
    return frame.withColumn("observation", F.when(F.col("step") == 2, moved).otherwise(F.col("observation")))


def first_observation_twice(frame: DataFrame) -> DataFrame:
    return frame.withColumn("next_observation", F.col("observation"))


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
        (on_step(0, "propensity", 1.5), "propensity_fits_source", 1),
        (on_step(0, "propensity", None), "propensity_fits_source", 1),
        (on_step(0, "propensity_source", "none"), "propensity_fits_source", 1),
        (on_step(1, "action_key", "scarf"), "action_was_available", 1),
        (on_step(1, "availability_id", "unheard of"), "action_was_available", 1),
        (on_step(1, "availability_id", None), "action_was_available", 1),
    ],
)
def test_check_finds_what_is_wrong(
    spark: SparkSession, good: DataFrame, spoil: Callable[[DataFrame], DataFrame], check: str, n: int
) -> None:
    """One thing wrong, one check that says so."""
    assert row_violations(spoil(good), availability_frame(spark, SETS), PIPELINE) == {str(DAY): {check: n}}


def test_rows_as_built_pass(spark: SparkSession, good: DataFrame) -> None:
    """Nothing is wrong with them, and the mask asks for availability."""
    assert row_violations(good, availability_frame(spark, SETS), PIPELINE) == {}


def test_mask_needs_a_source_with_availability(good: DataFrame) -> None:
    """Without any sets no action was available."""
    assert row_violations(good, None, PIPELINE) == {str(DAY): {"action_was_available": 3}}


def test_implied_decisions_have_no_propensity(good: DataFrame) -> None:
    """A logged propensity of an implied decision is a contradiction."""
    assert row_violations(good, None, implied_pipeline()) == {str(DAY): {"propensity_fits_source": 3}}


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
    assert lost_on_the_way(whole, events_frame(spark, rows), "transitions/recommendation") == []
    partly = made_by_spark(spark, rows[:-1], PIPELINE, tmp_path)
    (problem,) = lost_on_the_way(partly, events_frame(spark, rows), "transitions/recommendation")
    assert "the kernel saw 1 of type impression; expected 2, as read" in problem
