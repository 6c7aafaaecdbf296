"""What must hold of the transitions as written; every violation is found, none is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import cast

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructType

from conf.specs.scenario import Pipeline
from jobs.publishing.publishing import StagedVersion
from jobs.transitions.quarantine import DateDecisions
from jobs.transitions.tallies import handed_over
from jobs.transitions.transitions import Made

# Name of each check over rows -> what is wrong with the rows it counts, and what was expected.
ROW_CHECKS: dict[str, str] = {
    "exactly_one_end": "episodes' last rows without exactly one of terminal and timeout",
    "no_end_before_the_last_step": "rows before an episode's last step with terminal or timeout set",
    "steps_contiguous": "rows whose step isn't their place in the episode, counted from 0",
    "next_observation_follows": "rows whose next_observation isn't the next row's observation",
    "propensity_fits_source": "rows whose propensity isn't in (0, 1] where logged, and null where not",
    "action_was_available": "rows whose action isn't in the availability set the decision names",
}

# Checks of every version, by name: those over rows, and those that compare with the events.
CHECKS: tuple[str, ...] = (*ROW_CHECKS, "every_event_seen", "one_row_a_decision", "reward_conserved")


def lost_on_the_way(made: Made, events: DataFrame, where: str) -> list[str]:
    """Return one line for each business day and type of which the kernel saw other events than were read.

    Counted on both sides apart: what is lost between them is missing from transitions and ledger alike, so that no
    other check would see it.
    """
    seen = Counter(handed_over(made.tallies))
    shoppers = events.where(F.col("user_id") != "").groupBy("event_date", "event_type").count()
    read = Counter({(row["event_date"], row["event_type"]): row["count"] for row in shoppers.collect()})
    return [
        f"{where} events of {day}: the kernel saw {seen[day, kind]} of type {kind}; expected {read[day, kind]}, as read"
        for day, kind in sorted(seen | read)
        if seen[day, kind] != read[day, kind]
    ]


def row_violations(written: DataFrame, availability: DataFrame | None, pipeline: Pipeline) -> dict[str, dict[str, int]]:
    """Return how many rows of each date (as a string) break each check; checks that hold are left out."""
    conditions = _conditions(pipeline)
    in_episode = Window.partitionBy("episode_id").orderBy("step")
    rows = _with_available_actions(written, availability, pipeline).select(
        "date",
        "episode_id",
        "step",
        "terminal",
        "timeout",
        "propensity",
        "propensity_source",
        _is_available(pipeline).alias("is_available"),
        # Hashes, since whole observations would all be shuffled.
        *[_observation_hash(written, name).alias(name) for name in ("observation", "next_observation")],
    )
    placed = rows.withColumns(
        {"place": F.row_number().over(in_episode) - 1, "following": F.lead("observation").over(in_episode)}
    )
    counts = [F.count_if(F.coalesce(broken, F.lit(True))).alias(name) for name, broken in conditions.items()]
    counted = placed.groupBy("date").agg(*counts).collect()
    return {
        str(row["date"]): found for row in counted if (found := {name: row[name] for name in conditions if row[name]})
    }


def explain(where: str, by_date: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return one line for each violation: `transitions/recommendation date=2026-01-02: 14 episodes' last rows ...`."""
    return [
        f"{where} date={day}: {n} {ROW_CHECKS[name]}" for day in sorted(by_date) for name, n in by_date[day].items()
    ]


def count_mismatches(where: str, version: StagedVersion, decided: Mapping[date, DateDecisions]) -> list[str]:
    """Return one line for each date whose rows aren't as many as its decisions, less those that are set aside."""
    problems = []
    for day, partition in sorted(version.partitions.items()):
        one = decided.get(date.fromisoformat(day), DateDecisions())
        expected = one.n - one.n_set_aside
        if partition.n_rows != expected:
            problems.append(
                f"{where} date={day}: {partition.n_rows} rows; expected {expected}, one for each of {one.n} decisions "
                f"but the {one.n_set_aside} that are set aside"
            )
    return problems


def _conditions(pipeline: Pipeline) -> dict[str, Column]:
    """Return, for each check over rows, a column that is True where a row breaks it."""
    is_last = F.col("following").isNull()
    has_end = F.col("terminal") | F.col("timeout")
    propensity = F.col("propensity")
    is_logged = F.col("propensity_source") == "logged"
    may_be_logged = F.lit(pipeline.is_logged)
    is_share = (propensity > 0) & (propensity <= 1)
    return {
        "exactly_one_end": is_last & (F.col("terminal") == F.col("timeout")),
        "no_end_before_the_last_step": ~is_last & has_end,
        "steps_contiguous": F.col("step") != F.col("place"),
        "next_observation_follows": ~is_last & (F.col("following") != F.col("next_observation")),
        "propensity_fits_source": F.when(is_logged, propensity.isNull() | ~is_share | ~may_be_logged).otherwise(
            propensity.isNotNull() | (F.col("propensity_source") != "none")
        ),
        "action_was_available": ~F.col("is_available"),
    }


def _observation_hash(written: DataFrame, name: str) -> Column:
    """Return the hash of an observation; as xxhash64 passes over nulls and runs lists together, it is told both."""
    parts = []
    for field in cast("StructType", written.schema[name].dataType).fields:
        value = F.col(f"{name}.{field.name}")
        parts += [value.isNull(), value]
        if isinstance(field.dataType, ArrayType):
            parts.append(F.size(value))
    return F.xxhash64(*parts)


def _is_available(pipeline: Pipeline) -> Column:
    if pipeline.scenario.action.mask == "none":
        return F.lit(True)
    return F.coalesce(F.array_contains("available_actions", F.col("action_key")), F.lit(False))


def _with_available_actions(written: DataFrame, availability: DataFrame | None, pipeline: Pipeline) -> DataFrame:
    if pipeline.scenario.action.mask == "none":
        return written
    if availability is None:
        return written.withColumn("available_actions", F.lit(None).cast("array<string>"))
    # The id is a hash of the actions, so that rows of one id hold the same set.
    sets = availability.groupBy("availability_id").agg(F.max("actions").alias("available_actions"))
    return written.join(F.broadcast(sets), "availability_id", how="left")
