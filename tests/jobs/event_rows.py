"""Factories of event rows: each overrides only what a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.specs.source import Source, load_source
from conf.tables import EVENTS
from jobs.publishing.table_schema import table_schema

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def source(**changes: Any) -> Source:
    """The canonical source (UTC, gap 30 minutes, at most 4 hours, lateness 1 day), with changes."""
    return load_source("canonical").model_copy(update=changes)


def event(event_id: str, minutes: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A view by one shopper, some minutes after noon of 2026-01-05."""
    row: dict[str, Any] = dict.fromkeys(EVENTS.column_names)
    row |= {
        "event_id": event_id,
        "event_time": START + timedelta(minutes=minutes),
        "user_id": "ann",
        "event_type": "view",
        "line_part": 0,
    }
    return row | changes


def events(spark: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """The rows as a frame with the columns of the events table."""
    schema = table_schema(EVENTS)
    return spark.createDataFrame([tuple(row[name] for name in schema.names) for row in rows], schema)
