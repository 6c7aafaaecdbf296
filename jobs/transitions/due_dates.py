"""Which dates a build makes, what each of them is made from, and how far one has to read for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from conf.paths import Lake
from conf.publication import Pointer, read_pointers
from conf.scenario import Pipeline
from conf.tables import AVAILABILITY, EVENTS
from jobs.errors import DeliveryError
from jobs.events_reading import event_dates, event_inputs_of, path_date
from jobs.sessions import DAYS_BEFORE
from jobs.transitions.attribution import look_back_days

# Rows that a later horizon may still change by time alone: ends not known yet, rewards not settled.
OPEN_ROWS = "open_rows"


@dataclass(frozen=True)
class DueDates:
    """What a build makes.

    Attributes:
        dates: dates to make, ascending; the last one is the date asked for.
        horizon: deliveries and events up to this day count. Later than the date asked for where its dates are already
            published at a later horizon: what was known isn't forgotten.
        inputs: for each date, name and content hash of what can affect it.
        kept: pointers of earlier dates that are current as they are.
        first_event_date: first day to read.
    """

    dates: list[date]
    horizon: date
    inputs: Mapping[date, Mapping[str, str]]
    kept: Mapping[date, Pointer]
    first_event_date: date


def find_due_dates(lake: Lake, folder: Path, pipeline: Pipeline, asked: date) -> DueDates:
    """Every date from `asked` back to where partitions are sealed, and earlier ones whose transitions aren't current.

    Args:
        lake: of the source.
        folder: of the scenario's transitions under this spec.
        pipeline: how far back a partition looks, and after how many days it is sealed.
        asked: the date to build.

    Raises:
        DeliveryError: no events on the date.
    """
    published = {path_date(name, "date"): pointer for name, pointer in read_pointers(folder).items()}
    first_open = asked - timedelta(days=pipeline.settle_days)
    open_ones = [pointer for day, pointer in published.items() if first_open <= day <= asked]
    horizon = max([asked, *(pointer.manifest.horizon for pointer in open_ones)])
    dates = [day for day in event_dates(lake, last_delivery_date=horizon) if day <= asked]
    if asked not in dates:
        raise DeliveryError(_nothing_on(asked, lake, dates))
    inputs = _inputs(lake, pipeline, dates, horizon)
    is_due = {
        day: day >= first_open or not _is_current(published.get(day), inputs[day], _known_at(day, horizon, pipeline))
        for day in dates
    }
    due = [day for day in dates if is_due[day]]
    return DueDates(
        dates=due,
        horizon=horizon,
        inputs={day: inputs[day] for day in due},
        kept={day: published[day] for day in dates if not is_due[day]},
        first_event_date=due[0] - timedelta(days=_days_before(pipeline)),
    )


def _is_current(pointer: Pointer | None, inputs: Mapping[str, str], known_at: date) -> bool:
    """True where building again would give the same: same inputs, and time alone changes nothing more."""
    if pointer is None or pointer.manifest.inputs != dict(inputs):
        return False
    return pointer.manifest.horizon >= known_at or pointer.manifest.counters.get(OPEN_ROWS) == 0


def _inputs(lake: Lake, pipeline: Pipeline, dates: list[date], horizon: date) -> dict[date, dict[str, str]]:
    events = read_pointers(lake.table(EVENTS.name))
    availability = read_pointers(lake.table(AVAILABILITY.name))
    return {day: _inputs_of(day, _known_at(day, horizon, pipeline), pipeline, events, availability) for day in dates}


def _inputs_of(
    day: date, known_at: date, pipeline: Pipeline, events: Mapping[str, Pointer], availability: Mapping[str, Pointer]
) -> dict[str, str]:
    """What can affect the day's transitions: bounded before and behind, so that a sealed day keeps its inputs."""
    first = day - timedelta(days=_days_before(pipeline))
    of_events = event_inputs_of(events, first_event_date=first, last_event_date=known_at, last_delivery_date=known_at)
    of_availability = {
        f"{AVAILABILITY.name}/{partition}": pointer.manifest.content_hash
        for partition, pointer in availability.items()
        if path_date(partition, "delivery_date") <= known_at
    }
    return of_events | of_availability


def _known_at(day: date, horizon: date, pipeline: Pipeline) -> date:
    """The horizon from which on nothing about the day changes, or the build's where that is earlier."""
    return min(horizon, day + timedelta(days=pipeline.settle_days))


def _days_before(pipeline: Pipeline) -> int:
    return max(look_back_days(pipeline.scenario), DAYS_BEFORE)


def _nothing_on(asked: date, lake: Lake, dates: list[date]) -> str:
    known = f"dates with events up to then: {_ranges(dates)}" if dates else "no day up to then has any"
    return f"{lake.folder}: no events on {asked}; {known}; ingest the day's delivery, or ask for another date"


def _ranges(dates: list[date]) -> str:
    """Dates as runs: `2026-01-01 to 2026-01-04, 2026-01-06`."""
    runs: list[list[date]] = []
    for day in dates:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
