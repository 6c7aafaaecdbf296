"""The moments at which an observation is taken: every decision, and every session's closing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.source import Source
from jobs.business_days import business_date
from jobs.transitions.total_order import CLOSING_RANK, in_total_order

# What a closing row says nothing about.
_BLANK_AT_CLOSING = (
    "event_type",
    "item_id",
    "category_id",
    "price",
    "decision_id",
    "position",
    "action",
    "propensity",
    "availability_id",
    "policy_version",
    "action_key",
    "item",
    "category",
    "shown_item",
    "shown_category",
)


def with_closings(events: DataFrame, source: Source) -> DataFrame:
    """Return behind each session's last event stands one more row: the session's closing.

    New columns: `is_closing`; `is_cut` (at a closing: the session was cut, not ended by the gap); `local_time` and
    `as_of_date`, wall clock and business day of the row's moment. A session closes one gap after its last event, or,
    where it was cut, when the shopper's next session starts.
    """
    marked = events.withColumns(
        {
            "next_session_id": F.lead("session_id").over(in_total_order()),
            "next_event_time": F.lead("event_time").over(in_total_order()),
        }
    )
    is_last = F.col("next_session_id").isNull() | (F.col("next_session_id") != F.col("session_id"))
    kinds = F.when(is_last, F.array(F.lit(False), F.lit(True))).otherwise(F.array(F.lit(False)))
    doubled = marked.withColumn("is_closing", F.explode(kinds))
    closed = doubled.withColumns(_closing_columns(source)).drop("next_session_id", "next_event_time")
    moment = F.col("event_time")
    return closed.withColumns(
        {
            "local_time": F.from_utc_timestamp(moment, source.zone),
            "as_of_date": business_date(moment, source.zone),
        }
    )


def is_point() -> Column:
    """Return True for the rows at which an observation is taken."""
    return F.col("is_decision") | F.col("is_closing")


def in_sessions_of(dates: Sequence[date]) -> Column:
    """Return True for the rows of sessions that start on one of the business days."""
    return F.col("session_date").isin(*dates)


def as_of_days(events: DataFrame, source: Source) -> DataFrame:
    """Every user_id and as_of_date at which an observation may be taken, once: the days of events and of closings.

    A closing comes within the gap after an event, so on its day or the next; after a gap close to a day also on the
    one after, where clocks went forward. Days without a point do no harm.
    """
    days_after = 1 if source.session.gap_minutes <= 22 * 60 else 2
    days = F.sequence("event_date", F.date_add("event_date", days_after))
    return events.select("user_id", F.explode(days).alias("as_of_date")).distinct()


def _closing_columns(source: Source) -> dict[str, Column]:
    at_closing = F.col("is_closing")
    gap_end = F.col("event_time") + F.make_dt_interval(mins=F.lit(source.session.gap_minutes))
    closing_time = F.when(F.col("is_cut_after"), F.col("next_event_time")).otherwise(gap_end)
    blank = {name: F.when(~at_closing, F.col(name)) for name in _BLANK_AT_CLOSING}
    return blank | {
        "event_time": F.when(at_closing, closing_time).otherwise(F.col("event_time")),
        "type_rank": F.when(at_closing, F.lit(CLOSING_RANK)).otherwise(F.col("type_rank")),
        "is_decision": F.col("is_decision") & ~at_closing,
        "is_engagement": F.col("is_engagement") & ~at_closing,
        "is_cut": F.col("is_cut_after") & at_closing,
    }
