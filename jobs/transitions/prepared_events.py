"""What transitions are made of: events with sessions and decisions, and which decision earned which event."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.scenario import Pipeline
from jobs.sessions import assign_sessions
from jobs.transitions.attribution import attribute, unattributable
from jobs.transitions.decisions import with_decisions
from jobs.transitions.total_order import with_type_rank


@dataclass(frozen=True)
class Prepared:
    """What transitions are made of.

    Attributes:
        sessions: events with the columns of `with_decisions`, `type_rank`, and those of `assign_sessions`.
        shop_events: the shop's own events (no shopper), with the columns of `with_decisions`.
        attributed: what `attribute` makes of them.
        availability: sets with their delivery dates; None where the source has none.
    """

    sessions: DataFrame
    shop_events: DataFrame
    attributed: DataFrame
    availability: DataFrame | None

    def persist(self) -> None:
        """What several jobs read is kept once computed."""
        self.sessions.persist()
        self.attributed.persist()

    def unpersist(self) -> None:
        """Nothing is kept any longer."""
        self.attributed.unpersist()
        self.sessions.unpersist()


def prepare(
    events: DataFrame, availability: DataFrame | None, pipeline: Pipeline, *, n_partitions: int = 0
) -> Prepared:
    """Return events with their sessions, and what became of their reward.

    Args:
        events: accepted events, each once, with event_date and delivery_date.
        availability: sets with their delivery dates; None where the source has none.
        pipeline: what a session, a decision and a reward are.
        n_partitions: how many parts the shoppers are split into, for good: everything that follows goes by shopper and
            shuffles no more. 0 leaves that to Spark.
    """
    by_shopper = events.repartition(n_partitions, "user_id") if n_partitions else events
    decided = with_decisions(with_type_rank(by_shopper), pipeline)
    sessions = assign_sessions(decided, pipeline.source)
    shop_events = decided.where(F.col("user_id") == "")
    attributed = attribute(sessions, pipeline).unionByName(unattributable(shop_events, pipeline))
    return Prepared(sessions, shop_events, attributed, availability)
