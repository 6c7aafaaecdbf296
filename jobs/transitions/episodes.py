"""Points in session order become steps of episodes, with what came next and how each episode ended."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.scenario import Pipeline
from jobs.business_days import start_of_day
from jobs.sessions import watermark
from jobs.transitions.total_order import in_total_order, whole_seconds


def with_steps(points: DataFrame, max_steps: int) -> DataFrame:
    """Return the points know their place: `number` in the session, `part`, `step` within the part, and `episode_id`."""
    number = F.row_number().over(in_total_order("session_id")) - 1
    numbered = points.withColumn("number", number)
    part = F.floor(F.col("number") / max_steps).cast("int")
    return numbered.withColumns(
        {
            "step": (F.col("number") % max_steps).cast("int"),
            "episode_id": F.substring(F.sha2(F.concat_ws("|", "session_id", part.cast("string")), 256), 1, 32),
        }
    )


def with_next_point(points: DataFrame) -> DataFrame:
    """Each decision knows the next point of its session, a decision or the closing, as the struct `next`."""
    seen = F.struct("event_time", "observation", "availability_id", "set_in_force", "is_closing", "is_cut")
    return points.withColumn("next", F.lead(seen).over(in_total_order("session_id"))).where(F.col("is_decision"))


def with_ends(decisions: DataFrame, pipeline: Pipeline, horizon: date) -> DataFrame:
    """Return the rows say how they ended: terminal, timeout, reward_settled, elapsed_seconds, next_availability_id.

    A session's last row is terminal where the watermark has passed its closing, so that nothing can follow any more;
    every other last row of an episode is a timeout: the horizon, a cut session, or the spec's bound came first.
    """
    following = F.col("next")
    is_session_end = following["is_closing"]
    is_closed = ~following["is_cut"] & (following["event_time"] < F.lit(watermark(pipeline.source, horizon)))
    is_last = is_session_end | (F.col("step") == pipeline.scenario.episode.max_steps - 1)
    is_terminal = is_session_end & is_closed
    set_at_closing = F.coalesce(following["set_in_force"], F.col("availability_id"))
    return decisions.withColumns(
        {
            "terminal": is_terminal,
            "timeout": is_last & ~is_terminal,
            "reward_settled": _is_settled(pipeline, horizon),
            "elapsed_seconds": whole_seconds(F.col("event_time"), following["event_time"]),
            "next_observation": following["observation"],
            "next_availability_id": F.when(is_session_end, set_at_closing).otherwise(following["availability_id"]),
        }
    )


def _is_settled(pipeline: Pipeline, horizon: date) -> Column:
    window = F.make_dt_interval(hours=F.lit(pipeline.scenario.reward.attribution.window_hours))
    end_of_horizon = F.lit(start_of_day(horizon + timedelta(days=1), pipeline.source.zone))
    return F.col("event_time") + window <= end_of_horizon
