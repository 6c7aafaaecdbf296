"""Sessions of every date that the deliveries up to the horizon decide differently from what is published."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

import structlog

from conf.intact_files import seems_intact
from conf.kernel.version import kernel_inputs
from conf.paths import Lake, path_date
from conf.publication import Manifest, is_strict_subset, read_pointers
from conf.specs.source import Source
from conf.tables import SESSIONS
from jobs.events.events_reading import DeliveredEvents, read_events
from jobs.events.ingest import Ingestion
from jobs.events.ordered_partitions import n_partitions_for
from jobs.events.shopper_files import shopper_files
from jobs.publishing.publishing import (
    PartitionFacts,
    Provenance,
    Target,
    checked,
    explaining_failures,
    finish_killed,
    publish,
)
from jobs.publishing.row_counts import n_rows, n_true, total
from jobs.publishing.row_pieces import join_pieces
from jobs.publishing.staging import staging_folder
from jobs.sessions.business_days import days_between
from jobs.sessions.session_rows import DAYS_AFTER, DAYS_BEFORE, write_sessions

log = structlog.get_logger()


def build_sessions(job: Ingestion, again: Collection[date] = ()) -> list[date]:
    """Build the sessions of every date up to the horizon that are not current; return these dates.

    A date whose sessions were built from more deliveries, at a later horizon, keeps them.

    Args:
        job: what ingesting needs to know.
        again: dates to build although their sessions are current.
    """
    horizon = job.provenance.horizon
    delivered = DeliveredEvents.read(job.lake, last_delivery_date=horizon)
    if not delivered.all_event_dates:
        return []
    dates = days_between(delivered.all_event_dates[0], horizon)
    inputs = {day: session_inputs(delivered, job.source, day, horizon) for day in dates}
    due = sorted({*_unsettled(job.lake, job.provenance, inputs), *(day for day in dates if day in again)})
    if due:
        log.info("building_sessions", source=job.source.name, dates=len(due), first=str(due[0]), last=str(due[-1]))
        _build(job, due, inputs, delivered)
    else:
        finish_killed(job.lake.lock, [session_target(job)])
    return due


def stale_sessions(lake: Lake, source: Source, provenance: Provenance) -> list[date]:
    """Return the dates up to the horizon whose sessions are not current, told from pointers alone.

    Raises:
        UnpublishedDelivery: a delivery up to the horizon was landed and isn't ingested.
    """
    horizon = provenance.horizon
    delivered = DeliveredEvents.read(lake, last_delivery_date=horizon)
    if not delivered.all_event_dates:
        return []
    dates = days_between(delivered.all_event_dates[0], horizon)
    return _unsettled(lake, provenance, {day: session_inputs(delivered, source, day, horizon) for day in dates})


def _unsettled(lake: Lake, provenance: Provenance, inputs: Mapping[date, Mapping[str, str]]) -> list[date]:
    folder = lake.table(SESSIONS.name)
    published = {
        path_date(partition, "date"): pointer.manifest
        for partition, pointer in read_pointers(folder).items()
        if seems_intact(folder, pointer)
    }
    return [day for day, made_from in inputs.items() if not _is_settled(provenance, published.get(day), made_from)]


def session_inputs(delivered: DeliveredEvents, source: Source, day: date, horizon: date) -> dict[str, str]:
    """Return what decides the sessions of a date: deliveries of events around it, and which of those days are complete.

    A later horizon only ever adds to them, so a publisher at an earlier one is recognized as stale.
    """
    first, last = day - timedelta(days=DAYS_BEFORE), day + timedelta(days=DAYS_AFTER)
    last_complete = min(horizon - timedelta(days=source.lateness_days), last)
    complete = {f"complete/{one}": "yes" for one in days_between(day, last_complete)}
    return delivered.inputs(first, min(last, horizon)) | complete | kernel_inputs()


def _is_settled(provenance: Provenance, published: Manifest | None, inputs: Mapping[str, str]) -> bool:
    if published is None or (published.spec_hash, published.key_id) != (provenance.spec_hash, provenance.key_id):
        return False
    return published.inputs == inputs or is_strict_subset(dict(inputs), published.inputs)


def session_target(job: Ingestion) -> Target:
    """Return where sessions are written."""
    return Target(SESSIONS, job.lake.table(SESSIONS.name), "date", sort_columns=("user_id", "start_time"))


def _build(
    job: Ingestion, due: list[date], inputs: Mapping[date, Mapping[str, str]], delivered: DeliveredEvents
) -> None:
    horizon = job.provenance.horizon
    first, last = due[0] - timedelta(days=DAYS_BEFORE), min(due[-1] + timedelta(days=DAYS_AFTER), horizon)
    span = {"first_event_date": first, "last_event_date": last, "last_delivery_date": horizon}
    events = shopper_files(job.spark, job.lake, n_buckets=job.source.user_buckets, **span) or read_events(
        job.spark, job.lake, **span
    )
    configured = int(job.spark.conf.get("spark.sql.shuffle.partitions") or 0)
    n_partitions = n_partitions_for(delivered.n_events(first, last), configured)
    counted = {
        "n_sessions": n_rows(),
        "n_events": total("n_events"),
        "n_decisions": total("n_decisions"),
        "n_cut": n_true("is_cut"),
        "n_open": n_true("is_closed", expected=False),
    }
    target = session_target(job)
    with staging_folder(Lake.staging(target.folder)) as folder:
        with explaining_failures(target.table.name, target.folder):
            pieces = write_sessions(
                events, job.source, folder / "_pieces", dates=due, horizon=horizon, n_partitions=n_partitions
            )
            join_pieces(
                job.spark,
                pieces,
                partition_column=target.partition_column,
                sort_columns=target.sort_columns,
                folder=folder,
            )
        version = checked(job.spark, target, folder, partitions=[str(day) for day in due], counted=counted)
        facts = {str(day): PartitionFacts(inputs[day], version.partitions[str(day)].counts) for day in due}
        publish(job.lake.lock, [(version, facts)], job.provenance, keep_newer=True)


def session_digests(lake: Lake, *, last_date: date) -> dict[str, str]:
    """Return the content hash of the current sessions of each date up to the last, by date."""
    pointers = read_pointers(lake.table(SESSIONS.name)).items()
    return {
        str(path_date(partition, "date")): pointer.manifest.content_hash
        for partition, pointer in pointers
        if path_date(partition, "date") <= last_date
    }
