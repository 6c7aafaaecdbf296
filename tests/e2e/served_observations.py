"""What a service would have observed at every decision of a published lake, against its transitions."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from conf.kernel.calendar import day_number
from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import EVENTS
from rl.serving.histories import fresh_history
from rl.serving.observation import Moment, ObservationMaker, SeenEvent
from rl.serving.store_filling import StorePlace

_AT_ONCE = 2_000

Row = dict[str, Any]


def rows_of(folder: Path, *, partition: str = "") -> Iterator[Row]:
    """Current rows of a table, or of one partition of it."""
    for name, pointer in read_pointers(folder).items():
        for file in pointer.files if partition in ("", name) else ():
            yield from _with_plain_times(pq.ParquetFile(folder / file).read()).to_pylist()


def seen_events(lake: Lake) -> Mapping[str, list[SeenEvent]]:
    """Each shopper's events by time; an id that stands twice is one event, as the kernel reads it."""
    found: dict[str, dict[str, SeenEvent]] = defaultdict(dict)
    for row in rows_of(lake.table(EVENTS.name)):
        found[row["user_id"]][row["event_id"]] = SeenEvent(
            row["event_type"],
            row["event_time"],
            row["event_id"],
            row["item_id"],
            row["category_id"],
            row["action"],
            row["price"],
            row["decision_id"],
            row["position"],
        )
    return {shopper: sorted(its.values(), key=lambda one: one.time_us) for shopper, its in found.items()}


def differing_observations(settings: Settings, pipeline: Pipeline, days: list[date]) -> tuple[int, list[str]]:
    """How many decisions of the business days were asked, and where the service's observation is another.

    The histories of each day must have been published; they go through the store.
    """
    lake = Lake(settings.lake, pipeline.source.name)
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    events, maker, n_asked, wrong = seen_events(lake), ObservationMaker(pipeline), 0, list[str]()
    asked: dict[int, list[Row]] = defaultdict(list)
    for row in rows_of(folder):
        asked[maker.business_day(row["decision_time"])].append(row)
    for day in days:
        number = day_number(day)
        place = StorePlace(settings, pipeline)
        place.fill(number)
        store = place.open()
        for first in range(0, len(asked[number]), _AT_ONCE):
            rows = asked[number][first : first + _AT_ONCE]
            histories = store.read([row["user_id"] for row in rows])
            moments = []
            for at, row in enumerate(rows):
                history = fresh_history(histories, at, number, 0)
                assert history.state in ("known", "unknown"), history
                moments.append(moment_of(row, events[row["user_id"]], history.known, pipeline))
            wrong += _differences(maker, moments, rows, pipeline)
            n_asked += len(rows)
    return n_asked, wrong


def _with_plain_times(table: pa.Table) -> pa.Table:
    """The table with its times as UTC microseconds."""
    for place, column in enumerate(table.columns):
        if pa.types.is_timestamp(column.type):
            micros = column.cast(pa.timestamp("us")).cast(pa.int64())
            table = table.set_column(place, table.column_names[place], micros)
    return table


def moment_of(row: Row, events: list[SeenEvent], history: Any, pipeline: Pipeline) -> Moment:
    """The moment of a transition's decision: what a caller would have sent, the decision not among it."""
    time_us, own_type = row["decision_time"], pipeline.source.decisions.event_type
    end = bisect_right(events, time_us, key=lambda one: one.time_us)
    own = next(
        one
        for one in events[:end][::-1]
        if (one.time_us, one.event_type) == (time_us, own_type)
        and row["decision_id"] in (one.event_id, one.decision_id)
    )
    return Moment(time_us, own.event_id, [one for one in events[max(0, end - 400) : end] if one is not own], history)


def _differences(maker: ObservationMaker, moments: list[Moment], rows: list[Row], pipeline: Pipeline) -> list[str]:
    found = maker.observe(moments)
    wrong = []
    for name, values in found.items():
        is_list = {one.name: one.length for one in pipeline.scenario.observation.features}[name] is not None
        told = [[one for one in value if one] for value in values.tolist()] if is_list else values.tolist()
        wrong += [
            f"{row['decision_id']} {name}: {value}; expected {row['observation'][name]}"
            for row, value in zip(rows, told, strict=True)
            if value != row["observation"][name]
        ]
    return wrong
