"""Events become rows of the sessions table, by the kernel's rule; which days decide a session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from conf.kernel.arrays import IntArray
from conf.kernel.calendar import day_number
from conf.kernel.sessions import DAYS_BEFORE, SessionRule, closing_times, has_closed, sessions
from conf.kernel.stream import is_of_type
from conf.kernel_rules import as_of, session_rule
from conf.specs.source import Source
from conf.tables import SESSIONS
from jobs.events.event_columns import SESSION_COLUMNS, event_columns
from jobs.events.ordered_partitions import by_shopper
from jobs.events.shopper_files import ShopperFiles
from jobs.publishing.row_pieces import PIECE_DDL, Piece, arrow_schema, write_pieces
from jobs.publishing.table_schema import struct_of
from jobs.sessions.business_days import start_of_day
from jobs.sessions.ids import session_ids

__all__ = ["DAYS_AFTER", "DAYS_BEFORE", "watermark", "write_sessions"]

# A session of date D is decided by events of the dates D - DAYS_BEFORE to D + DAYS_AFTER.
DAYS_AFTER = 2


def write_sessions(
    events: DataFrame | ShopperFiles,
    source: Source,
    folder: Path,
    *,
    dates: Collection[date],
    horizon: date,
    n_partitions: int = 0,
) -> list[Piece]:
    """Write the sessions that start on the dates; return where.

    Args:
        events: accepted events, each once, from DAYS_BEFORE days before the dates to DAYS_AFTER days after them.
        source: what ends a session, and what a decision is.
        folder: where the pieces go, which Python's workers can write to.
        dates: business dates.
        horizon: up to which deliveries are known.
        n_partitions: how many parts the shoppers are split into; 0 leaves that to Spark.
    """
    job, table_schema = session_job(source, dates=dates, horizon=horizon), arrow_schema(SESSIONS)

    def write(partition: pa.Table) -> pa.Table:
        pieces = write_pieces(job(partition), table_schema, "date", folder)
        return pa.table({"value": [one.value for one in pieces], "path": [str(one.path) for one in pieces]}, _PIECES)

    said = by_shopper(events, SESSION_COLUMNS, write, struct_of(PIECE_DDL), n_partitions=n_partitions).toArrow()
    return [Piece(one["value"], Path(one["path"])) for one in said.to_pylist()]


_PIECES = pa.schema([("value", pa.string()), ("path", pa.string())])


@dataclass(frozen=True)
class SessionJob:
    """What is done with the events of a partition's shoppers; it travels to the workers.

    Attributes:
        rule: what ends a session.
        decision_type: canonical type of the events that are decisions.
        watermark_us: until when (exclusive, UTC microseconds) the deliveries are complete.
        days: on which the sessions asked for start, days since the epoch.
    """

    rule: SessionRule
    decision_type: str
    watermark_us: int
    days: IntArray

    def __call__(self, events: pa.Table) -> pa.Table:
        """Return the columns of the sessions table, and date.

        Args:
            events: SESSION_COLUMNS of whole shoppers, by shopper in the total order.
        """
        columns = event_columns(events)
        stream = columns.stream
        found = sessions(stream, self.rule)
        asked = np.flatnonzero(np.isin(found.day, self.days))
        first, last = found.starts[asked], found.starts[asked + 1] - 1
        is_closed = has_closed(found, closing_times(stream, found, self.rule.gap_us), self.watermark_us)
        is_decision = is_of_type(stream, self.decision_type).astype(np.int64)
        start, end = pa.array(first), pa.array(last)
        return pa.table(
            {
                "session_id": session_ids(columns, first),
                "user_id": events["user_id"].combine_chunks().take(start),
                "start_time": events["event_time"].combine_chunks().take(start),
                "end_time": events["event_time"].combine_chunks().take(end),
                "n_events": pa.array(last + 1 - first),
                "n_decisions": pa.array(np.add.reduceat(is_decision, found.starts[:-1])[asked]),
                "is_cut": pa.array(found.is_cut[asked]),
                "is_closed": pa.array(is_closed[asked]),
                "date": events["event_date"].combine_chunks().take(start),
            }
        )


def session_job(source: Source, *, dates: Collection[date], horizon: date) -> SessionJob:
    """Return what `write_sessions` does with a partition."""
    return SessionJob(
        rule=session_rule(source),
        decision_type=source.decisions.event_type,
        watermark_us=as_of(source, dates=dates, horizon=horizon).watermark_us,
        days=np.array([day_number(day) for day in dates], dtype=np.int64),
    )


def watermark(source: Source, horizon: date) -> datetime:
    """Return the moment (exclusive, UTC) until which the deliveries up to the horizon are complete."""
    return start_of_day(horizon - timedelta(days=source.lateness_days - 1), source.zone)
