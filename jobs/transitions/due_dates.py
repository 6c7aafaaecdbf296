"""Which dates a build makes, what each of them is made from, and how far one has to read for that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from conf.intact_files import seems_intact
from conf.kernel.version import kernel_inputs
from conf.kernel_rules import starting_dates
from conf.observed_inputs import told_tables
from conf.paths import Lake, path_date
from conf.publication import Pointer, read_pointers
from conf.specs.scenario import Pipeline
from conf.tables import AVAILABILITY, CONSENT
from jobs.errors import DeliveryError
from jobs.events.events_reading import DeliveredEvents
from jobs.sessions.business_days import days_between
from jobs.sessions.session_rows import DAYS_BEFORE
from jobs.transitions.attribution import look_back_days

STILL_OPEN = "it is still open: later days may add to it"
"""Why a night's build makes a date again although nothing that it is made from has changed."""


@dataclass(frozen=True)
class DueDates:
    """What a build makes.

    Attributes:
        dates: dates to make, ascending; of a night, the last one is the date asked for.
        horizon: deliveries and events up to this day count. Later than the date asked for where its dates are already
            published at a later horizon: what was known isn't forgotten.
        inputs: for each date, name and content hash of what can affect it: bounded before and behind, so that a sealed
            date keeps its inputs.
        kept: pointers of earlier dates that are current as they are.
        first_event_date: first day to read.
        n_events: how many events will be read, or more.
    """

    dates: list[date]
    horizon: date
    inputs: Mapping[date, Mapping[str, str]]
    kept: Mapping[date, Pointer]
    first_event_date: date
    n_events: int


def find_due_dates(
    lake: Lake, folder: Path, pipeline: Pipeline, asked: date, *, again: Collection[date] | None = None
) -> DueDates:
    """Return what to build: dates from `asked` back to where partitions are sealed, and earlier ones not current.

    A backfill makes only what changed: with `again`, open dates that are current are kept as earlier ones are. No date
    may be due then.

    Args:
        lake: paths of the source's tables.
        folder: of the scenario's transitions under this spec.
        pipeline: how far back a partition looks, and after how many days it is sealed.
        asked: the date to build.
        again: None for a night. For a backfill, dates to make although they are current.

    Raises:
        DeliveryError: no events on the date.
    """
    published = {path_date(name, "date"): pointer for name, pointer in read_pointers(folder).items()}
    first_open = asked - timedelta(days=pipeline.settle_days)
    open_ones = [pointer for day, pointer in published.items() if first_open <= day <= asked]
    horizon = max([asked, *(pointer.manifest.horizon for pointer in open_ones)])
    delivered = DeliveredEvents.read(lake, last_delivery_date=horizon)
    inputs = _inputs_by_date(lake, pipeline, delivered, asked, horizon)
    known = [day for day in delivered.all_event_dates if day <= asked]
    if asked not in known:
        raise DeliveryError(_nothing_on(asked, lake, known))
    kept = {
        day: published[day]
        for day in inputs
        if (day < first_open if again is None else day not in again)
        and day in published
        and published[day].manifest.inputs == inputs[day]
        and seems_intact(folder, published[day])
    }
    due = [day for day in inputs if day not in kept]
    first_read = (due[0] if due else asked) - timedelta(days=_days_before(pipeline))
    n_events = delivered.n_events(first_read, horizon)
    return DueDates(due, horizon, {day: inputs[day] for day in due}, kept, first_read, n_events)


def why_due(lake: Lake, folder: Path, pipeline: Pipeline, asked: date) -> dict[date, str]:
    """Return the dates that a build of `asked` makes, each with why.

    Args:
        lake: paths of the source's tables.
        folder: of the scenario's transitions under this spec.
        pipeline: how far back a partition looks, and after how many days it is sealed.
        asked: the date to build.

    Raises:
        DeliveryError: no events on the date.
        UnpublishedDelivery: a delivery up to the date was landed and isn't ingested.
    """
    published = {path_date(name, "date"): pointer for name, pointer in read_pointers(folder).items()}
    due = find_due_dates(lake, folder, pipeline, asked)
    return {day: _why(folder, published.get(day), due.inputs[day]) for day in due.dates}


def _why(folder: Path, pointer: Pointer | None, inputs: Mapping[str, str]) -> str:
    if pointer is None:
        return "it was never built under this spec"
    if not seems_intact(folder, pointer):
        return "a published file of it is damaged or gone"
    before = pointer.manifest.inputs
    changed = sorted(name for name in before.keys() | inputs.keys() if before.get(name) != inputs.get(name))
    told = [_changed_in_words(name, before, inputs) for name in changed if not name.startswith("passed/")]
    if told:
        return "; ".join(dict.fromkeys(told))
    return "days have passed since, and it was still open" if changed else STILL_OPEN


def _changed_in_words(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    table, _, partition = name.partition("/")
    if table == "kernel":
        return "the rules by which transitions are made have changed"
    what = f"{table} of delivery {partition.partition('=')[2]}"
    return f"{what} came since" if name not in before else f"{what} is gone" if name not in now else f"{what} changed"


def _inputs_by_date(
    lake: Lake, pipeline: Pipeline, delivered: DeliveredEvents, last: date, horizon: date
) -> dict[date, dict[str, str]]:
    """Return, for every date with events in order, the inputs that can affect its transitions."""
    beside = [AVAILABILITY, *([CONSENT] if pipeline.source.consent is not None else []), *told_tables(pipeline)]
    versions = [
        (path_date(name, "delivery_date"), f"{table.name}/{name}", pointer.manifest.content_hash)
        for table in beside
        for name, pointer in read_pointers(lake.table(table.name)).items()
    ]
    week = pipeline.scenario.week
    found: dict[date, dict[str, str]] = {}
    kernel = kernel_inputs(
        of_products=pipeline.scenario.ordering is not None, at_hours=week is not None and week.hour > 0
    )
    for day in starting_dates(pipeline, [one for one in delivered.all_event_dates if one <= last]):
        known_at = min(horizon, day + timedelta(days=pipeline.settle_days))
        sets = {name: content for delivery, name, content in versions if delivery <= known_at}
        events = _delivered_by(delivered, known_at).inputs(day - timedelta(days=_days_before(pipeline)), known_at)
        # Time alone closes sessions and settles rewards. A later horizon only ever adds days that have passed, so
        # that a publisher at an earlier one is recognized as stale.
        passed = {f"passed/{one}": "yes" for one in days_between(day, known_at)}
        found[day] = events | sets | passed | kernel
    return found


def _delivered_by(delivered: DeliveredEvents, last: date) -> DeliveredEvents:
    known = [day for day in delivered.content_hashes if day <= last]
    return DeliveredEvents(
        {day: delivered.content_hashes[day] for day in known}, {day: delivered.event_dates[day] for day in known}
    )


def _days_before(pipeline: Pipeline) -> int:
    return max(look_back_days(pipeline.scenario), DAYS_BEFORE)


def _nothing_on(asked: date, lake: Lake, dates: list[date]) -> str:
    known = f"dates with events up to then: {_ranges(dates)}" if dates else "no day up to then has any"
    return f"{lake.folder}: no events on {asked}; {known}; ingest the day's delivery, or ask for another date"


def _ranges(dates: list[date]) -> str:
    """Return dates as runs in words: `2026-01-01 to 2026-01-04, 2026-01-06`."""
    runs: list[list[date]] = []
    for day in dates:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
