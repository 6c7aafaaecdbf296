"""Events become sessions: ended by a gap, going over midnight, of bounded length.

Three rules, in this order, on each shopper's events in the total order:

1. A *chain* ends where the next event comes more than `gap_minutes` later.
2. A chain is cut at the first event of business date d if its first event lies two business dates before d or earlier.
   So what a session of date D looks like depends on no event before date D - 2, and building a range of days or one
   night gives the same sessions.
3. What is left is cut at each full `max_hours` after its start.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from conf.source import Source
from jobs.business_days import business_date, start_of_day
from jobs.event_order import total_order

# A session of date D is decided by events of the dates D - DAYS_BEFORE to D + DAYS_AFTER.
DAYS_BEFORE = 2
DAYS_AFTER = 2

_MICROS_PER_MINUTE = 60 * 1_000_000


def assign_sessions(events: DataFrame, source: Source) -> DataFrame:
    """Return shoppers' events with the session each belongs to; the shop's own events (no shopper) are left out.

    Added columns: session_id, session_start_time, session_date (business date of the start), session_index (bigint,
    from 0, in the total order), is_cut_after (the session was cut right after this event: at the longest duration or
    at a second midnight; the gap had not passed). Where `events` starts at date D - 2, sessions of date D and later
    are what they would be from the whole log.
    """
    by_user = Window.partitionBy("user_id").orderBy(*total_order())
    shoppers = events.where(F.col("user_id") != "")
    chained = shoppers.select("*", *_chain_columns(by_user, source)).select("*", *_chain_start_columns(by_user))
    pieces = chained.withColumn("_piece_start", _latest(_starts_piece(), F.col("_micros"), by_user))
    parts = pieces.withColumn("_part", _part_of_piece(source)).withColumn("_row", F.row_number().over(by_user))
    marked = parts.withColumn("_starts", _starts_session(by_user))
    sessions = marked.select(
        "*",
        _latest(F.col("_starts"), F.col("event_time"), by_user).alias("session_start_time"),
        _latest(F.col("_starts"), F.col("event_id"), by_user).alias("_first_event_id"),
        (F.col("_row") - _latest(F.col("_starts"), F.col("_row"), by_user)).cast("bigint").alias("session_index"),
        F.coalesce(F.lead(F.col("_starts") & ~F.col("_after_gap")).over(by_user), F.lit(False)).alias("is_cut_after"),
    )
    return sessions.select(
        *events.columns,
        session_id(F.col("user_id"), F.col("_first_event_id"), F.col("session_start_time")).alias("session_id"),
        "session_start_time",
        business_date(F.col("session_start_time"), source.zone).alias("session_date"),
        "session_index",
        "is_cut_after",
    )


def sessions_of(assigned: DataFrame, source: Source, horizon: date) -> DataFrame:
    """Return one row for each session: the columns of the sessions table, and date."""
    is_decision = F.col("event_type") == source.decisions.event_type
    grouped = assigned.groupBy("user_id", "session_id").agg(
        F.min("session_start_time").alias("start_time"),
        F.max("event_time").alias("end_time"),
        F.count(F.lit(1)).alias("n_events"),
        F.count_if(is_decision).alias("n_decisions"),
        F.max("is_cut_after").alias("is_cut"),
        F.min("session_date").alias("date"),
    )
    return grouped.withColumn("is_closed", F.col("is_cut") | has_closed(F.col("end_time"), source, horizon))


def has_closed(end_time: Column, source: Source, horizon: date) -> Column:
    """Return True where nothing can join a session any more: the watermark has passed its last event plus the gap."""
    gap = F.make_dt_interval(mins=F.lit(source.session.gap_minutes))
    return end_time + gap < F.lit(watermark(source, horizon))


def watermark(source: Source, horizon: date) -> datetime:
    """Return until when (exclusive, UTC) the deliveries up to the horizon are complete."""
    return start_of_day(horizon - timedelta(days=source.lateness_days - 1), source.zone)


def session_id(user_id: Column, first_event_id: Column, start_time: Column) -> Column:
    """Return the id of the session that starts with the event: 128 bits, hex."""
    start = F.unix_micros(start_time).cast("string")
    return F.substring(F.sha2(F.concat_ws("|", user_id, start, first_event_id), 256), 1, 32)


def _chain_columns(by_user: WindowSpec, source: Source) -> list[Column]:
    micros = F.unix_micros("event_time")
    gap = micros - F.lag(micros).over(by_user)
    # The first event has no lag: without the coalesce its null would spread to every sum and comparison after it.
    after_gap = F.coalesce(gap > source.session.gap_minutes * _MICROS_PER_MINUTE, F.lit(True))
    return [
        micros.alias("_micros"),
        after_gap.alias("_after_gap"),
        business_date(F.col("event_time"), source.zone).alias("_date"),
    ]


def _chain_start_columns(by_user: WindowSpec) -> list[Column]:
    chain_date = _latest(F.col("_after_gap"), F.col("_date"), by_user)
    is_first_of_date = F.coalesce(F.col("_date") != F.lag("_date").over(by_user), F.lit(True))
    return [chain_date.alias("_chain_date"), is_first_of_date.alias("_is_first_of_date")]


def _starts_piece() -> Column:
    is_second_midnight = F.col("_is_first_of_date") & (F.date_add("_chain_date", DAYS_BEFORE) <= F.col("_date"))
    return F.col("_after_gap") | is_second_midnight


def _part_of_piece(source: Source) -> Column:
    longest = source.session.max_hours * 60 * _MICROS_PER_MINUTE
    return F.expr(f"(_micros - _piece_start) div {longest}")


def _starts_session(by_user: WindowSpec) -> Column:
    is_other_part = F.col("_part") != F.lag("_part").over(by_user)
    is_other_piece = F.col("_piece_start") != F.lag("_piece_start").over(by_user)
    return F.coalesce(is_other_part | is_other_piece, F.lit(True))


def _latest(condition: Column, value: Column, by_user: WindowSpec) -> Column:
    """Return the value at the latest event, up to this one, where the condition held."""
    so_far = by_user.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return F.last(F.when(condition, value), ignorenulls=True).over(so_far)
