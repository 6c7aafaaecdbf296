"""What the table of items would tell of a log's first events, where a scenario takes categories or costs from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from conf.specs.scenario import Pipeline
from conf.specs.source import Source
from conf.tables import ITEMS
from jobs.commands.source_outlook import OutlookEvent, ToldEvents
from jobs.events.item_facts import ItemFacts, item_facts
from jobs.landing.delivered_files import explaining_damage, find_files, read_side_columns
from jobs.landing.raw_lines import LineFile, read_batches, side_reading
from jobs.parsing.side_parsing import SideParser
from jobs.parsing.time_reading import LocalTimes

MOST_ITEM_LINES = 100_000
"""Lines of items that are looked at, all files together: a check takes seconds."""

# Each row counts as delivered before the events: a night knows it from the day after its delivery on.
_EARLIER = date.min
_EPOCH = date(1970, 1, 1)
_ROWS = pa.schema(
    [
        ("item_id", pa.string()),
        ("valid_from", pa.timestamp("us", "UTC")),
        ("delivery_date", pa.date32()),
        ("category_id", pa.string()),
        ("cost", pa.int64()),
    ]
)
_EVENTS = pa.schema(
    [
        ("item_id", pa.string()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("event_date", pa.date32()),
        ("category_id", pa.string()),
        ("cost", pa.int64()),
        ("quantity", pa.int64()),
        ("event_type", pa.string()),
    ]
)
_FILLED = ("category_id", "cost")


def told_events(events: Sequence[OutlookEvent], pipeline: Pipeline | None, logs: Path) -> ToldEvents:
    """Return the events with the categories and costs that the scenario takes from the files of items.

    Args:
        events: the first ones of a log.
        pipeline: a scenario on its source; None where none fits.
        logs: file or folder with the files.

    Raises:
        DeliveryError: a file of items that doesn't fit the source.
    """
    asked = list(events)
    if pipeline is None or not asked:
        return ToldEvents(asked, asked)
    scenario = pipeline.scenario
    is_told = scenario.action.item_categories or scenario.observation.item_categories
    if not is_told and not scenario.reward.item_costs:
        return ToldEvents(asked, asked)
    clock = LocalTimes(pipeline.source.zone)
    days = [_EPOCH + timedelta(days=clock.day_of(one.time)) for one in asked]
    named = {one.fields["item_id"] for one in asked if "item_id" in one.fields}
    rows, n_lines = _rows(pipeline.source, logs, named, min(days))
    costs = rows.filter(rows["cost"].is_valid()) if scenario.reward.item_costs else None
    of_rewards = item_facts(rows if scenario.action.item_categories else None, costs)
    of_features = item_facts(rows if is_told else None, None)
    return ToldEvents(_filled(asked, days, of_rewards), _filled(asked, days, of_features), n_lines)


def told_line(told: ToldEvents) -> str | None:
    """Return what a report says of it; None where nothing is taken from the table."""
    if not told.n_lines:
        return None
    first = "first " if told.n_lines >= MOST_ITEM_LINES else ""
    return (
        f"what events don't say of their items is taken from the {first}{told.n_lines} lines of items, as if delivered "
        "before: a night knows categories from the day after their delivery on"
    )


def _rows(source: Source, logs: Path, named: Collection[object], first_day: date) -> tuple[pa.Table, int]:
    """Return what is told of named items, the first delivered of each moment, and how many lines were read."""
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    n_lines = 0
    for row in islice(item_lines(source, logs, first_day), MOST_ITEM_LINES):
        n_lines += 1
        for one in row:
            if one["item_id"] in named:
                kept.setdefault((one["item_id"], one["valid_from"]), one)
    columns = {name: [one.get(name) for one in kept.values()] for name in _ROWS.names}
    columns["delivery_date"] = [_EARLIER] * len(kept)
    return pa.table({name: _column(values, _ROWS.field(name).type) for name, values in columns.items()}), n_lines


def item_lines(source: Source, logs: Path, first_day: date) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each line of items; those that are rejected have none.

    Args:
        source: with a table of items.
        logs: file or folder with its files.
        first_day: the delivery of files that name no day.

    Raises:
        DeliveryError: a file of items that doesn't fit the source.
    """
    table = source.side_tables[ITEMS.name]
    for file in (one for one in find_files(source, logs) if one.kind == ITEMS.name):
        header = read_side_columns(file, table, source)
        parser = SideParser(ITEMS.name, table, header or (), zone=source.zone, pseudonym=str)
        with explaining_damage(file):
            for batch in read_batches(LineFile(file.path, file.name), side_reading(table, b"one check")):
                for line in batch.lines.to_pylist():
                    yield parser.parse(line, file.delivery_date or first_day).rows


def _filled(events: Sequence[OutlookEvent], days: Sequence[date], facts: ItemFacts) -> list[OutlookEvent]:
    columns: dict[str, list[Any]] = {name: [one.fields.get(name) for one in events] for name in _EVENTS.names}
    columns |= {"event_time": [one.time for one in events], "event_date": list(days)}
    columns["event_type"] = [one.event_type for one in events]
    table = facts.fill(pa.table({name: _column(values, _EVENTS.field(name).type) for name, values in columns.items()}))
    told = zip(*(table[name].to_pylist() for name in _FILLED), strict=True)
    found = []
    for event, values in zip(events, told, strict=True):
        own = {name: one for name, one in zip(_FILLED, values, strict=True) if one is not None}
        found.append(replace(event, fields={**event.fields, **own}))
    return found


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
