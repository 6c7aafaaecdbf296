"""Events of whole sessions become transitions: the one place where the parts are put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.scenario import Pipeline
from conf.tables import PROPENSITY_TYPE, transitions_table
from jobs.id_hash import id_hash
from jobs.transitions.attribution import credits_of, no_metrics
from jobs.transitions.availability_in_force import with_set_in_force
from jobs.transitions.decisions import decision_id
from jobs.transitions.episodes import with_ends, with_next_point, with_steps
from jobs.transitions.observations import points_with_observations
from jobs.transitions.prepared_events import Prepared

# A session that starts on one business day closes at the latest this many days later: 24 hours long, and the gap.
LONGEST_CLOSING_DAYS = 3


def transitions_of(prepared: Prepared, pipeline: Pipeline, *, dates: Sequence[date], horizon: date) -> DataFrame:
    """Return the transitions of sessions that start on the dates: the table's columns, and `date`.

    A pure function of the events: no row depends on which other dates are made with it.
    """
    zone = pipeline.source.zone
    points = points_with_observations(prepared.sessions, pipeline, dates)
    last_day = max(dates) + timedelta(days=LONGEST_CLOSING_DAYS)
    placed = with_set_in_force(points, prepared.availability, first_day=min(dates), last_day=last_day, zone=zone)
    steps = with_next_point(with_steps(placed, pipeline.scenario.episode.max_steps))
    ended = with_ends(steps, pipeline, horizon)
    earned = _with_credits(ended, credits_of(prepared.attributed, pipeline.scenario), pipeline)
    return earned.select(*_columns(pipeline), F.col("session_date").alias("date"))


def _with_credits(decisions: DataFrame, credits: DataFrame, pipeline: Pipeline) -> DataFrame:
    renamed = credits.withColumnRenamed("decision_event_id", "event_id")
    joined = decisions.join(renamed, ["user_id", "event_id"], how="left")
    return joined.withColumns(
        {
            "reward": F.coalesce("reward", F.lit(0).cast("bigint")),
            "metrics": F.coalesce("metrics", no_metrics(pipeline.scenario)),
        }
    )


def _columns(pipeline: Pipeline) -> list[Column]:
    logged_propensity = F.col("propensity") if pipeline.is_logged else F.lit(None)
    propensity = logged_propensity.cast(PROPENSITY_TYPE)
    made = {
        "decision_id": decision_id(),
        "decision_time": F.col("event_time"),
        "action_id": id_hash(F.col("action_key")),
        "propensity": propensity,
        "propensity_source": F.when(propensity.isNotNull(), "logged").otherwise("none"),
    }
    table = transitions_table(pipeline.scenario)
    return [made.get(column.name, F.col(column.name)).cast(column.type).alias(column.name) for column in table.columns]
