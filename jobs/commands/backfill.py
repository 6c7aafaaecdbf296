"""The backfill command: makes what `make plan` names for a range of dates, and tells what it was before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.paths import Lake, Run, services_record
from conf.plain_json import to_json
from conf.publication import read_pointers, write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import EVENTS, EVENTS_REJECTED, SESSIONS
from jobs.commands.ingest import ingest
from jobs.commands.plan import plan
from jobs.errors import DeliveryError
from jobs.events.side_deliveries import side_tables_of
from jobs.sessions.business_days import days_between
from jobs.transitions.build import build
from jobs.transitions.due_dates import STILL_OPEN, why_due

Versions = dict[tuple[str, date], tuple[int, str]]
"""Number of rows and content hash of current versions, by table and date."""


@dataclass(frozen=True)
class BackfillRange:
    """What is asked for.

    Attributes:
        first, last: dates of the range, both included.
        is_forced: every delivery and date of the range is made, although it is current.
        is_for_training: a training follows, so that the last date's ingest and build run as a night's do, and leave
            their results for it.
    """

    first: date
    last: date
    is_forced: bool = False
    is_for_training: bool = False

    @property
    def again(self) -> Collection[date]:
        """Dates to make although they are current."""
        return days_between(self.first, self.last) if self.is_forced else ()


def backfill(
    start: Callable[[], SparkSession], settings: Settings, pipeline: Pipeline, asked: BackfillRange, *, code_hash: str
) -> dict[str, Any]:
    """Ingest and build what the plan of the range names; return what became of each version.

    Killed at any point and repeated it ends with the same versions: each of them is published whole or not at all.

    Args:
        start: starts Spark, or returns the session that runs; called only if something is due.
        settings: name home, lake and pseudonym key.
        pipeline: scenario and source.
        asked: the range.
        code_hash: of the code that makes the versions.

    Returns:
        what `docs/pipeline.md` says of `backfill.json`.

    Raises:
        DeliveryError: nothing was landed up to the last date, or there are no events on it.
        UnlikelyDelivery: a delivery can't be right; the others are published, and nothing was built.
        CheckError: something that must hold doesn't.
    """
    lake = Lake(settings.lake, pipeline.source.name)
    run = Run(settings.home, pipeline.source.name, pipeline.scenario.name, asked.last)
    before = versions(lake, pipeline)
    ingested: list[str] = []
    built: list[str] = []
    found = plan(settings, pipeline, asked.first, asked.last)
    if asked.is_forced or asked.is_for_training or found["deliveries"] or found["sessions"]:
        taken = ingest(
            start(), settings, pipeline.source, logs=None, horizon=asked.last, code_hash=code_hash, again=asked.again
        )
        write_atomically(run.ingest_result, to_json(taken, indent=1))
        ingested = taken["deliveries"]
        found = plan(settings, pipeline, asked.first, asked.last)
    if asked.is_forced or asked.is_for_training or found["dates"] or found["earlier_dates"]:
        # What a night leaves for its training covers its open dates, whether or not they changed.
        again = None if asked.is_for_training and not asked.is_forced else asked.again
        made = build(start(), settings, pipeline, asked.last, again=again)
        write_atomically(run.build_result, to_json(made, indent=1))
        built = made["built"]
    rows = _compared(before, versions(lake, pipeline), asked)
    return {
        "source": pipeline.source.name,
        "scenario": pipeline.scenario.name,
        "from": str(asked.first),
        "to": str(asked.last),
        "is_forced": asked.is_forced,
        "ingested": ingested,
        "built": built,
        **{f"n_{state}": sum(row["state"] == state for row in rows) for state in ("new", "changed", "same")},
        "versions": rows,
        "later_dates": _left_for_later(lake, pipeline, asked.last),
    }


def versions(lake: Lake, pipeline: Pipeline) -> Versions:
    """Return the current versions of every table that a backfill makes."""
    side = [table.name for table in side_tables_of(pipeline.source)]
    folders = {name: lake.table(name) for name in (EVENTS.name, EVENTS_REJECTED.name, *side, SESSIONS.name)}
    folders["transitions"] = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    return {
        (name, date.fromisoformat(partition.partition("=")[2])): (
            pointer.manifest.n_rows,
            pointer.manifest.content_hash,
        )
        for name, folder in folders.items()
        for partition, pointer in read_pointers(folder).items()
    }


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the result for people: a line for each table and date, then what it comes to."""
    what = f"{found['scenario']} on {found['source']}, {found['from']} to {found['to']}"
    if not found["ingested"] and not found["built"] and not found["n_new"] and not found["n_changed"]:
        return [f"nothing to do: {what}: all {found['n_same']} versions are current", *_later_lines(found)]
    header = ("table", "date", "rows before", "rows after", "hash before", "hash after", "")
    cells = [header, *(_cells(row) for row in found["versions"])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    counts = f"{found['n_new']} new, {found['n_changed']} changed, {found['n_same']} the same"
    made = f"{len(found['ingested'])} deliveries ingested, {len(found['built'])} dates built"
    return [*table, f"{what}: {made}; of the versions {counts}", *_later_lines(found)]


def services_line(settings: Settings, found: Mapping[str, Any]) -> list[str]:
    """Return how Airflow does the same, where the services of `make up` run in the home."""
    try:
        record = json.loads(services_record(settings.home).read_text(encoding="utf-8"))
        numbers = [int(one["pid"]) for one in record["services"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if not any(Path(f"/proc/{number}").exists() for number in numbers):
        return []
    until = date.fromisoformat(found["to"]) + timedelta(days=1)
    command = f"backfill create --dag-id ingest_events --from-date {found['from']} --to-date {until}"
    return [f'this ran beside the services of `make up`; through them, in parallel: make airflow ARGS="{command}"']


def _later_lines(found: Mapping[str, Any]) -> Sequence[str]:
    if not found["later_dates"]:
        return []
    days = list(found["later_dates"])
    return [
        f"after the range {len(days)} dates are due, up to {days[-1]}: the next night builds them, or TO={days[-1]}"
    ]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    was, now = row["before"], row["after"]
    rows = [str(one["rows"]) if one else "-" for one in (was, now)]
    hashes = [one["content_hash"].partition("-")[2][:12] or "empty" if one else "-" for one in (was, now)]
    return (row["table"], row["date"], *rows, *hashes, row["state"])


def _compared(before: Versions, after: Versions, asked: BackfillRange) -> list[dict[str, Any]]:
    """Return a row for each version of the range, and for each other one that is new or changed."""
    rows = []
    for (table, day), now in after.items():
        was = before.get((table, day))
        state = "new" if was is None else "same" if was == now else "changed"
        if state != "same" or asked.first <= day <= asked.last:
            rows.append(
                {"table": table, "date": str(day), "before": _version(was), "after": _version(now), "state": state}
            )
    return rows


def _version(found: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if found is None else {"rows": found[0], "content_hash": found[1]}


def _left_for_later(lake: Lake, pipeline: Pipeline, last: date) -> dict[str, str]:
    """Return the dates after the range that were built before and aren't current now, each with why.

    Later deliveries that were landed and never ingested are not looked at: with them there is more to do than this.
    """
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    built = [date.fromisoformat(name.partition("=")[2]) for name in read_pointers(folder)]
    if not built or max(built) <= last:
        return {}
    try:
        whys = why_due(lake, folder, pipeline, max(built))
    except DeliveryError:
        return {}
    return {str(day): why for day, why in whys.items() if day > last and why != STILL_OPEN}
