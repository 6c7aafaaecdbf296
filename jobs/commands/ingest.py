"""The ingest command: land, ingest, sessions, and the counts of all that was delivered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.publication import IGNORED_WHERE, Manifest, read_pointer
from conf.settings import Settings
from conf.specs.source import Source
from conf.specs.spec_hash import source_hash
from conf.tables import EVENTS, REJECT_REASONS
from jobs.errors import CheckError, DeliveryError, UnlikelyDelivery
from jobs.events.ingest import Ingestion, ingest_deliveries
from jobs.landing.acceptance import accepted_note
from jobs.landing.delivered_files import unread_files, unread_lines
from jobs.landing.delivery_drift import gap_drifts, is_of_gap
from jobs.landing.held_back import open_days, read_held_back, refuse_held_back
from jobs.landing.landing import land, refuse_date_without_data
from jobs.landing.missing_days import missing_days
from jobs.landing.raw_deliveries import RawDelivery, read_raw_deliveries
from jobs.landing.unknown_words import MOST_WORDS, words_of
from jobs.publishing.publishing import Provenance
from jobs.sessions.building import build_sessions, session_digests

log = structlog.get_logger()

_SHOWN = 5


def ingest(
    spark: SparkSession,
    settings: Settings,
    source: Source,
    *,
    logs: Path | None,
    horizon: date,
    code_hash: str,
    again: Collection[date] = (),
) -> dict[str, Any]:
    """Land logs where given, ingest every delivery up to the horizon, build sessions; return the counts.

    Returns the result as `docs/pipeline.md` says, without the seconds Spark took to start. Deliveries and sessions of
    the dates `again` are made although they are current.

    Raises:
        DeliveryError: delivered files that can't be taken in or right, or nothing delivered for the horizon.
        CheckError: an invariant that doesn't hold.
        PublishError: tables that can't be written.
    """
    job = _ingestion(spark, settings, source, horizon, code_hash)
    seconds: dict[str, float] = {}
    started, landed = time.monotonic(), None
    unread = unread_files(source, logs) if logs is not None else []
    try:
        if logs is not None:
            landed = land(spark, job.lake, source, logs, key=job.key, provenance=job.provenance)
        refuse_date_without_data(sorted({*read_raw_deliveries(job.lake), *open_days(job.lake, horizon)}), horizon)
    except UnlikelyDelivery:
        raise
    except DeliveryError as error:
        raise DeliveryError("\n".join([str(error), *noticed(job.lake, unread, horizon)])) from error
    seconds["land"], started = _since(started)
    try:
        deliveries = ingest_deliveries(job, again)
        refuse_held_back(job.lake, source.name, horizon)
    except UnlikelyDelivery as error:
        held = [one for one in _held_back_told(job.lake, source, horizon) if one != str(error)]
        raise UnlikelyDelivery("\n".join([str(error), *held, *noticed(job.lake, unread, horizon)])) from error
    seconds["ingest"], started = _since(started)
    build_sessions(job, again)
    seconds["sessions"], _ = _since(started)
    # A landing of an earlier release left no note of them in the lake.
    unended = sorted({*unended_files(job.lake, horizon), *(landed.unended_files if landed is not None else ())})
    missing = [str(day) for gap in missing_days(_days(job.lake, horizon)).values() for day in gap]
    return count_lines(job.lake, source, horizon) | {
        "deliveries": [str(day) for day in deliveries],
        "unread_files": unread,
        "n_unended_files": len(unended),
        "unended_files": unended,
        "missing_days": missing,
        "unknown_event_types": _unknown_words(job.lake, horizon),
        "ignored_where": _ignored_where(job.lake, horizon),
        "accepted": _accepted(job.lake, horizon),
        "left_out": [one.told for day, one in read_held_back(job.lake).items() if one.left_out and day <= horizon],
        "drift": _drift(job.lake, horizon),
        "digests": {
            "events": _event_digests(job.lake, horizon),
            "sessions": session_digests(job.lake, last_date=horizon),
        },
        "seconds": seconds,
    }


def unended_files(lake: Lake, horizon: date) -> list[str]:
    """Return the names of all landed files of deliveries up to the horizon whose last line has no end."""
    landed = read_raw_deliveries(lake)
    return sorted({file.name for day, one in landed.items() if day <= horizon for file in one.files if file.is_unended})


def noticed(lake: Lake, unread: Sequence[str], horizon: date) -> list[str]:
    """Return what an error says beside its reason, a line each: it may be the reason's reason.

    Args:
        lake: with what was landed.
        unread: delivered files that no pattern matched.
        horizon: deliveries after it are left aside.
    """
    found = unread_lines(unread)
    found += [one.sentence for one in gap_drifts(_days(lake, horizon))]
    if unended := unended_files(lake, horizon):
        found.append(f"cut off? the last line has no end in {_some(unended)}: its last value may be half of one")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def land_logs(
    spark: SparkSession, settings: Settings, source: Source, *, logs: Path, horizon: date, code_hash: str
) -> None:
    """Land logs, and ingest nothing: what is to be accepted has to be there first.

    Raises:
        DeliveryError: delivered files that can't be taken in, or nothing delivered for the horizon.
        PublishError: files that can't be written.
    """
    job = _ingestion(spark, settings, source, horizon, code_hash)
    land(spark, job.lake, source, logs, key=job.key, provenance=job.provenance)


def _ingestion(spark: SparkSession, settings: Settings, source: Source, horizon: date, code_hash: str) -> Ingestion:
    provenance = Provenance(source_hash(source), code_hash, settings.pseudonym_key_id(), horizon)
    return Ingestion(spark, Lake(settings.lake, source.name), source, settings.pseudonym_key(), provenance)


def _held_back_told(lake: Lake, source: Source, horizon: date) -> list[str]:
    try:
        refuse_held_back(lake, source.name, horizon)
    except UnlikelyDelivery as error:
        return [str(error)]
    return []


def count_lines(lake: Lake, source: Source, horizon: date) -> dict[str, Any]:
    """Return how many landed lines were accepted, rejected (by reason), or not due yet at the horizon.

    Raises:
        CheckError: the three don't add up to the lines that were landed.
    """
    landed = read_raw_deliveries(lake)
    counters = [_manifest(lake, day).counters for day in landed if day <= horizon]
    rejected = {reason: sum(one.get(f"rejected.{reason}", 0) for one in counters) for reason in REJECT_REASONS}
    counts: dict[str, Any] = {
        "source": source.name,
        "date": str(horizon),
        "n_lines": sum(delivery.n_lines for delivery in landed.values()),
        "n_events": sum(one["n_events"] for one in counters),
        "n_derived": sum(one["n_derived"] for one in counters),
        "n_rejected": sum(rejected.values()),
        "rejected": {reason: n for reason, n in rejected.items() if n},
        "n_not_yet": sum(delivery.n_lines for day, delivery in landed.items() if day > horizon),
    }
    if source.side_tables:
        counts["side_tables"] = {name: _count_side(lake, name, landed, horizon) for name in source.side_tables}
    if counts["n_events"] + counts["n_rejected"] + counts["n_not_yet"] != counts["n_lines"]:
        raise CheckError(f"{source.name} up to {horizon}: lines don't add up: {counts}; ingest again")
    return counts


def _count_side(lake: Lake, name: str, landed: Mapping[date, RawDelivery], horizon: date) -> dict[str, Any]:
    """Return the same of a side table; deliveries that an earlier release ingested have no counts."""
    total: Counter[str] = Counter()
    for day in (one for one in landed if one <= horizon):
        pointer = read_pointer(Lake.pointer(lake.table(name), f"delivery_date={day}"))
        if pointer is not None and "n_accepted" in pointer.manifest.counters:
            total.update(pointer.manifest.counters)
    later = [file for day, one in landed.items() if day > horizon for file in one.files if file.kind == name]
    rejected = {key.removeprefix("rejected."): n for key, n in sorted(total.items()) if key.startswith("rejected.")}
    return {
        "n_lines": total["n_lines"] + sum(file.n_lines for file in later),
        "n_accepted": total["n_accepted"],
        "n_rejected": total["n_rejected"],
        "rejected": rejected,
        "n_contradicted": total["n_contradicted"],
        "n_not_yet": sum(file.n_lines for file in later),
    }


def _unknown_words(lake: Lake, horizon: date) -> dict[str, int]:
    """Return the event types of all deliveries up to the horizon that the source doesn't know, with their lines."""
    found = Counter[str]()
    for day in _days(lake, horizon):
        for profile in _manifest(lake, day).profile.values():
            found.update(words_of(profile))
    return dict(found.most_common(MOST_WORDS))


def _ignored_where(lake: Lake, horizon: date) -> dict[str, int]:
    """Return how many lines of all deliveries up to the horizon each column of `ignore_where` left out."""
    found = Counter[str]()
    for day in _days(lake, horizon):
        for profile in _manifest(lake, day).profile.values():
            of_feed = {name: n for name, n in profile.items() if name.startswith(IGNORED_WHERE)}
            found.update({name.removeprefix(IGNORED_WHERE): n for name, n in of_feed.items()})
    return dict(sorted(found.items()))


def _accepted(lake: Lake, horizon: date) -> list[dict[str, str]]:
    """Return the deliveries up to the horizon that a person published as they were: which, why, by whom and when."""
    days = _days(lake, horizon)
    return [{"delivery": str(day), **told} for day in days if (told := accepted_note(_manifest(lake, day).notes))]


def _drift(lake: Lake, horizon: date) -> list[str]:
    """Return what differs in the deliveries up to the horizon from those before them, of the latest delivery first.

    Days that lacked a delivery when the next one was ingested may have one now: these are looked at anew.
    """
    days = _days(lake, horizon)
    gaps = {one.delivery_date: one.sentence for one in gap_drifts(days)}
    found: list[str] = []
    for day in reversed(days):
        found += [sentence for sentence in _manifest(lake, day).drift if not is_of_gap(sentence)]
        found += [gaps[day]] if day in gaps else []
    return found


def _days(lake: Lake, horizon: date) -> list[date]:
    return [day for day in read_raw_deliveries(lake) if day <= horizon]


def _manifest(lake: Lake, day: date) -> Manifest:
    pointer = read_pointer(Lake.pointer(lake.table(EVENTS.name), f"delivery_date={day}"))
    if pointer is None:
        raise CheckError(f"events delivery_date={day}: landed, but not ingested; ingest again")
    return pointer.manifest


def _event_digests(lake: Lake, horizon: date) -> dict[str, str]:
    return {str(day): _manifest(lake, day).content_hash for day in read_raw_deliveries(lake) if day <= horizon}


def _since(started: float) -> tuple[float, float]:
    now = time.monotonic()
    return round(now - started, 3), now
