"""Hand-made events and pipelines: callers name only what matters to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from conf.event_types import EVENT_TYPE_RANK
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.strict_yaml import merge
from conf.tables import AVAILABILITY, EVENTS
from jobs.events.event_columns import MONEY_COLUMNS, SHOPPER, TRANSITION_COLUMNS
from jobs.transitions.transitions import SET_COLUMNS, transition_job
from tests.conf.kernel.table_rows import transition_rows

DAY = date(2026, 1, 14)  # a Wednesday
_DATES = ("event_date", "delivery_date")

Row = dict[str, Any]
_numbers = count()


def at(clock: str, day: date = DAY) -> datetime:
    """The UTC time `10:00`, `10:00:05` or `10:00:05.25` of a day, as Spark takes it."""
    parts = [*clock.split(":"), "0"][:3]
    since_midnight = timedelta(hours=int(parts[0]), minutes=int(parts[1]), seconds=float(parts[2]))
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + since_midnight


def event(event_type: str, clock: str = "10:00", *, day: date = DAY, **given: Any) -> Row:
    """An event of shopper `ann`; delivered on its own day unless said otherwise."""
    row: Row = dict.fromkeys([*EVENTS.column_names, *_DATES]) | {
        "event_id": f"e{next(_numbers):06d}",
        "event_time": at(clock, day),
        "user_id": "ann",
        "event_type": event_type,
        "line_part": 0,
        "event_date": day,
        "delivery_date": given.get("event_date", day),
    }
    return row | given


def impression(clock: str = "10:00", *, action: str = "shoe", **given: Any) -> Row:
    """A logged decision that showed an item, with a propensity of one half."""
    category = {"shoe": "feet", "boot": "feet", "hat": "head"}.get(action, f"about {action}")
    shown: Row = {"action": action, "item_id": action, "category_id": category, "propensity": Decimal("0.5")}
    return event("impression", clock, **(shown | given))


def view(clock: str = "10:00", *, item: str = "shoe", **given: Any) -> Row:
    """A view of an item, which implied decisions are read off."""
    category = {"shoe": "feet", "boot": "feet", "hat": "head"}.get(item, f"about {item}")
    return event("view", clock, **(Row(item_id=item, category_id=category) | given))


def events_frame(spark: SparkSession, rows: Iterable[Row]) -> DataFrame:
    """The events as a frame with the columns that reading gives."""
    names = [*EVENTS.column_names, *_DATES]
    values = [tuple(row[name] for name in names) for row in rows]
    return spark.createDataFrame(values, f"{EVENTS.ddl}, event_date date, delivery_date date")


def available(availability_id: str, clock: str, *actions: str, day: date = DAY, delivery_date: date = DAY) -> Row:
    """A set of actions in force from a time on."""
    return {
        "availability_id": availability_id,
        "valid_from": at(clock, day),
        "actions": sorted(actions),
        "delivery_date": delivery_date,
    }


def availability_frame(spark: SparkSession, rows: Iterable[Row]) -> DataFrame:
    """Availability sets with their delivery dates."""
    names = [*AVAILABILITY.column_names, "delivery_date"]
    values = [tuple(row[name] for name in names) for row in rows]
    return spark.createDataFrame(values, f"{AVAILABILITY.ddl}, delivery_date date")


def a_pipeline(source: str = "canonical", *, source_changes: Row | None = None, **changes: Any) -> Pipeline:
    """The recommendation scenario on a source, with changes laid over its spec; weights and metrics replaced whole."""
    loaded = load_pipeline("recommendation", source).model_dump()
    scenario = merge(merge(loaded["scenario"], {"action": {"mask": "none"}}), changes)
    scenario["metrics"] = changes.get("metrics", loaded["scenario"]["metrics"])
    weights = changes.get("reward", {}).get("weights", loaded["scenario"]["reward"]["weights"])
    scenario["reward"] = scenario["reward"] | {"weights": weights}
    return Pipeline.model_validate({"source": merge(loaded["source"], source_changes or {}), "scenario": scenario})


def implied_pipeline(**changes: Any) -> Pipeline:
    """Views read as decisions, rewards by last touch on the same item."""
    by_touch = {"reward": {"attribution": {"link": "last_touch", "window_hours": 12}}}
    decisions = {"decisions": {"kind": "implied", "event_type": "view"}}
    return a_pipeline(source_changes=decisions, **merge(by_touch, changes))


def transitions(
    rows: Iterable[Row],
    pipeline: Pipeline,
    *,
    sets: Iterable[Row] = (),
    dates: Sequence[date] = (DAY,),
    horizon: date = DAY,
) -> list[Row]:
    """The transitions of the rows as a partition's worker makes them, by shopper in the total order."""
    made, _ = made_of(rows, pipeline, sets=sets, dates=dates, horizon=horizon)
    return sorted(made.to_pylist(), key=lambda row: (row["user_id"], row["decision_time"]))


def made_of(
    rows: Iterable[Row],
    pipeline: Pipeline,
    *,
    sets: Iterable[Row] = (),
    dates: Sequence[date] = (DAY,),
    horizon: date = DAY,
) -> tuple[pa.StructArray, pa.StructArray]:
    """What a partition's worker makes of the rows: transitions and tallies."""
    sets = [*sets]
    known = pa.table({name: pa.array([one[name] for one in sets]) for name in SET_COLUMNS}) if sets else None
    return transition_job(pipeline, known, dates=dates, horizon=horizon)(events_table(rows))


def events_table(rows: Iterable[Row]) -> pa.Table:
    """The events of shoppers in the order in which a worker gets them."""
    of_shoppers = (row for row in rows if row["user_id"] != "")
    ordered = sorted(
        of_shoppers,
        key=lambda row: (row["user_id"], row["event_time"], EVENT_TYPE_RANK[row["event_type"]], row["event_id"]),
    )
    types = {
        "event_time": pa.timestamp("us", tz="UTC"),
        "event_date": pa.date32(),
        "delivery_date": pa.date32(),
        **dict.fromkeys(("price", "quantity", "amount", "cost", "discount"), pa.int64()),
        "position": pa.int32(),
        "propensity": pa.decimal128(18, 15),
    }
    told = [name for name in (SHOPPER,) if any(name in row for row in ordered)]
    columns = (*TRANSITION_COLUMNS, *MONEY_COLUMNS, *told)
    return pa.table({name: pa.array([row[name] for row in ordered], types.get(name, pa.string())) for name in columns})


def attributed(rows: Iterable[Row], pipeline: Pipeline) -> list[Row]:
    """What became of the shoppers' counted events, each with its decision or the reason why it has none."""
    _, found = transition_rows([*rows], pipeline, sets=[], dates=[DAY], horizon=DAY)
    names = ("user_id", "event_date", "event_type", "outcome", "decision_event_id", "decision_session_date")
    return [dict(zip(names, one, strict=True)) for one in found.elements()]
