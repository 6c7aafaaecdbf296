"""Delivered files are landed: copied, or split by business date, to the raw deliveries, each with its pointer.

All files are read to their end before anything is changed. Landing the same bytes again changes nothing; a file with
the same name and other bytes takes the place of the old one in its delivery.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import SparkSession

from conf.intact_files import is_whole, note_whole, sum_of, sums_of
from conf.paths import Lake
from conf.publication import FileSum, publishing, read_pointer, write_atomically
from conf.shared_lake.sharing import shared
from conf.specs.source import Source
from conf.whole_deliveries import what_is_missing
from jobs.errors import DeliveryError
from jobs.landing.delivered_files import (
    DeliveredFile,
    MeasuredFile,
    find_files,
    measure,
    refuse_empty,
    stamp,
    unread_files,
)
from jobs.landing.held_back import note_held_back, open_days
from jobs.landing.log_splitting import split_log
from jobs.landing.raw_deliveries import (
    RawDelivery,
    RawFile,
    feed_of,
    is_split,
    landing_hash,
    merged,
    raw_folder,
    raw_pointer,
    raw_pointer_path,
    read_raw_deliveries,
)
from jobs.publishing.durability import make_durable
from jobs.publishing.publishing import Provenance, explaining_failures, swap_pointers
from jobs.publishing.staging import staging_folder

log = structlog.get_logger()


@dataclass(frozen=True)
class Landed:
    """What was landed.

    Attributes:
        changed: dates of the deliveries that are not as they were.
        unended_files: names of delivered files of delimited text whose last line has no end: it may be cut off.
    """

    changed: list[date]
    unended_files: list[str]


def land(spark: SparkSession, lake: Lake, source: Source, logs: Path, *, key: bytes, provenance: Provenance) -> Landed:
    """Store every delivered file in the raw deliveries; return what that changed.

    A delivery with a file that is empty, cut off or doesn't fit the source is held back by itself, and noted.

    Raises:
        DeliveryError: no file is right, or one that belongs to no single delivery isn't; or nothing was delivered for
            the horizon, there or before. Nothing was landed.
        PublishError: the files can't be written.
    """
    files = find_files(source, logs)
    if unread := unread_files(source, logs):
        log.warning("files_not_read", source=source.name, n_files=len(unread), files=", ".join(unread[:10]))
    measured, unfit = _measure_all(files, source, key)
    unfit = _with_half(lake, source, logs, measured, _with_empty(measured, unfit))
    measured = [one for one in measured if one.file.delivery_date not in unfit]
    _hold_back(lake, source, measured, unfit)
    if nothing := [one.file.name for one in measured if not one.n_lines]:
        log.warning(
            "files_without_a_line", source=source.name, n_files=len(nothing), files=", ".join(sorted(nothing)[:10])
        )
    unended = sorted(one.file.name for one in measured if one.is_unended)
    if unended:
        log.warning(
            "files_without_last_line_end",
            source=source.name,
            n_files=len(unended),
            files=", ".join(unended[:10]),
            hint="a last line that was cut off within its last value can't be told from a whole one",
        )
    if again := _names_of_equal_files(measured):
        log.warning(
            "files_of_equal_content",
            source=source.name,
            n_files=len(again),
            files="; ".join(" = ".join(names) for names in again[:10]),
            hint="one file delivered twice counts twice where duplicates are kept; one day's file is no other day's",
        )
    if _is_landed(lake, source, measured, provenance):
        log.info("landed_already", source=source.name, files=len(files))
        return Landed([], unended)
    with staging_folder(Lake.staging(raw_folder(lake))) as folder, explaining_failures("raw_lines", raw_folder(lake)):
        found = _stage(spark, source, measured, key=key, folder=folder)
        # What a log that is split has of a day goes with the rest of that day's delivery.
        cut = {(one.file.kind, one.file.name) for one in measured if one.is_unended}
        staged = {
            replace(file, is_unended=(file.kind, file.name) in cut): path
            for file, path in found.items()
            if file.delivery_date not in unfit
        }
        _refuse_changed_meanwhile(measured)
        _refuse_date_without_data(lake, staged, provenance.horizon)
        changed = _publish(lake, source, staged, provenance)
        write_atomically(_landed_path(lake), json.dumps(_landed_record(source, measured, staged, provenance), indent=1))
    log.info(
        "landed",
        source=source.name,
        files=len(files),
        deliveries=len(changed),
        lines=sum(one.n_lines for one in measured if one.file.kind == "events"),
    )
    return Landed(changed, unended)


def _measure_all(
    files: Sequence[DeliveredFile], source: Source, key: bytes
) -> tuple[list[MeasuredFile], dict[date, str]]:
    """Return the files that are right, and what is wrong with the others by their deliveries.

    Raises:
        DeliveryError: a file that can't be taken in belongs to no single delivery.
    """
    # Hashing and unpacking leave Python's lock, so threads do use the cores.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(measure, file, source, key) for file in files]
    unfit: dict[date, list[str]] = {}
    undated, right = list[str](), list[MeasuredFile]()
    for file, future in zip(files, futures, strict=True):
        error = future.exception()
        if not isinstance(error, DeliveryError):
            right.append(future.result())
        elif file.delivery_date is None:
            undated.append(str(error))
        else:
            unfit.setdefault(file.delivery_date, []).append(str(error))
    if undated:
        told = [*undated, *(one for some in unfit.values() for one in some)]
        if n_right := sum(one.file.kind == "events" for one in right):
            told.append(
                f"nothing was landed, though {n_right} other file(s) of events can be read: a log that is split by "
                "date is taken in whole; deliver what is named again, or take it away from the logs to go on without it"
            )
        raise DeliveryError("\n".join(told))
    return right, {day: "\n".join(some) for day, some in sorted(unfit.items())}


def _with_empty(measured: Sequence[MeasuredFile], unfit: Mapping[date, str]) -> dict[date, str]:
    """Return what is wrong with deliveries, those among them that have event files and no line in them.

    Raises:
        DeliveryError: a log that is split by date has no line.
    """
    refuse_empty([one for one in measured if one.file.delivery_date is None])
    found = dict(unfit)
    for day in sorted({one.file.delivery_date for one in measured if one.file.delivery_date is not None}):
        try:
            refuse_empty([one for one in measured if one.file.delivery_date == day])
        except DeliveryError as error:
            found[day] = "\n".join([*([found[day]] if day in found else []), str(error)])
    return found


def _with_half(
    lake: Lake, source: Source, logs: Path, measured: Sequence[MeasuredFile], unfit: Mapping[date, str]
) -> dict[date, str]:
    """Return what is wrong with deliveries, those among them that aren't whole as the source declares it.

    What was landed before was whole then, or landed before its source declared anything.
    """
    found, known = dict(unfit), read_raw_deliveries(lake) if source.arrival is not None else {}
    days = {one.file.delivery_date for one in measured if one.file.delivery_date is not None} - known.keys()
    for day in sorted(days):
        if missing := what_is_missing(source, lake, logs, day):
            told = f"not whole, as conf/sources/{source.name}.yaml declares it (arrival): {'; '.join(missing)}"
            found[day] = "\n".join([*([found[day]] if day in found else []), told])
    return found


def _hold_back(lake: Lake, source: Source, measured: Sequence[MeasuredFile], unfit: Mapping[date, str]) -> None:
    """Note the deliveries that can't be taken in, where others can be or were.

    Raises:
        DeliveryError: no file of events is right.
    """
    known = read_raw_deliveries(lake)
    right = {one.file.delivery_date for one in measured if one.file.delivery_date is not None}
    has_events = any(one.file.kind == "events" for one in measured)
    if unfit and not has_events and not known:
        raise DeliveryError("\n".join(unfit.values()))
    note_held_back(lake, unfit, right)
    for day, why in unfit.items():
        log.warning("delivery_held_back", source=source.name, delivery_date=str(day), why=why)
    if unfit and not has_events:
        raise DeliveryError("\n".join(unfit.values()))


def _stage(
    spark: SparkSession, source: Source, measured: Sequence[MeasuredFile], *, key: bytes, folder: Path
) -> dict[RawFile, Path]:
    """Write every file below the staging folder; return it, as it will be stored -> where it lies now."""
    logs = [one for one in measured if one.file.kind == "events" and is_split(feed_of(source, one.file.name))]
    staged: dict[RawFile, Path] = {}
    for name, feed in source.feeds_alone().items():
        of_feed = [one for one in logs if feed_of(source, one.file.name) == feed]
        if of_feed:
            parts = split_log(spark, of_feed, feed, key=key, folder=folder / "split" / name)
            staged |= {one.file: one.path for one in parts}
    first = min((file.delivery_date for file in staged), default=None)
    for number, one in enumerate(measured):
        if one not in logs:
            day = first if one.file.delivery_date is None and first is not None else _delivery_date(one)
            if one.file.delivery_date is None:
                log.warning(
                    "undated_file",
                    file=one.file.name,
                    table=one.file.kind,
                    delivered=str(day),
                    hint="known from the day after; `delivered` in the source's table gives another day",
                )
            staged[_raw_file(one, day)] = _copy(one, folder / str(number))
    return staged


def _delivery_date(one: MeasuredFile) -> date:
    if one.file.delivery_date is None:
        raise DeliveryError(f"{one.file.name}: no delivery date in its path")
    return one.file.delivery_date


def _raw_file(one: MeasuredFile, delivery_date: date) -> RawFile:
    return RawFile(delivery_date, one.file.kind, one.file.name, one.keyed_hash, one.n_lines, one.header)


def _copy(one: MeasuredFile, copy: Path) -> Path:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(one.file.path, copy)
    return copy


def _refuse_changed_meanwhile(measured: Sequence[MeasuredFile]) -> None:
    changed = [one.file.name for one in measured if stamp(one.file.path) != one.stamp]
    if changed:
        raise DeliveryError(f"{', '.join(changed[:5])}: changed while being read; land again once delivered whole")


def _refuse_date_without_data(lake: Lake, staged: Mapping[RawFile, Path], horizon: date) -> None:
    days = {file.delivery_date for file in staged} | set(read_raw_deliveries(lake)) | set(open_days(lake, horizon))
    refuse_date_without_data(sorted(days), horizon)


def refuse_date_without_data(days: Sequence[date], horizon: date) -> None:
    """Raise if nothing was delivered for the horizon.

    Raises:
        DeliveryError: no delivery has that date; says which have.
    """
    if horizon not in days:
        has = f"there are {len(days)} from {days[0]} to {days[-1]}" if days else "there is none at all"
        raise DeliveryError(f"no delivery for {horizon}: {has}; name another date, or the logs that hold it (--logs)")


def refuse_date_at_once(lake: Lake, files: Sequence[DeliveredFile] | None, horizon: date) -> None:
    """Raise if it is plain before anything is read that nothing was or will be delivered for the horizon.

    Args:
        lake: with what was landed.
        files: that are to be landed; None where none are. The days of a log that is split stand in its lines.
        horizon: the date that is asked for.

    Raises:
        DeliveryError: no delivery has that date; says which have.
    """
    if files is not None and any(file.kind == "events" and file.delivery_date is None for file in files):
        return
    days = {file.delivery_date for file in files or () if file.delivery_date is not None}
    refuse_date_without_data(sorted(days | set(read_raw_deliveries(lake)) | set(open_days(lake, horizon))), horizon)


def _publish(lake: Lake, source: Source, staged: Mapping[RawFile, Path], provenance: Provenance) -> list[date]:
    with publishing(lake.lock):
        before = read_raw_deliveries(lake)
        after = {
            day: merged(before.get(day), [file for file in staged if file.delivery_date == day], day)
            for day in sorted({file.delivery_date for file in staged})
        }
        sums = {name: one for delivery in before.values() for name, one in delivery.sums.items()}
        sums |= _move_all({file.stored(source): path for file, path in staged.items()}, raw_folder(lake), sums)
        changed = {day: delivery for day, delivery in after.items() if before.get(day) != delivery}
        under = landing_hash(source)
        pointers = {
            raw_pointer_path(lake, day): raw_pointer(one, source, provenance, sums, landed_under=under)
            for day, one in after.items()
        }
        new = {path: pointer for path, pointer in pointers.items() if read_pointer(path) != pointer}
        with shared(lake.lock, new):
            swap_pointers(new)
    for day in changed:
        if day in before:
            log.warning(
                "delivery_replaced",
                delivery_date=str(day),
                lines_before=before[day].n_lines,
                lines_now=after[day].n_lines,
            )
    return list(changed)


def _move_all(staged: Mapping[str, Path], folder: Path, sums: Mapping[str, FileSum]) -> dict[str, FileSum]:
    """Move files to places below the folder, where they don't lie whole already; return sums of those not known yet.

    A file that no pointer knows was left by a landing that was killed: it stays if it has the same bytes.
    """
    due = [name for name in staged if name not in sums or not is_whole(folder, name, sums[name])]
    left = sums_of(folder, [name for name in due if (folder / name).is_file()])
    moved = [name for name in due if name not in left or left[name] != sum_of(staged[name])]
    make_durable(staged[name] for name in moved)
    for name in moved:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        staged[name].rename(folder / name)
    found = sums_of(folder, due)
    note_whole(folder, found)
    return found


def _landed_path(lake: Lake) -> Path:
    return raw_folder(lake) / "_landed.json"


def _landed_record(
    source: Source, measured: Sequence[MeasuredFile], staged: Mapping[RawFile, Path], provenance: Provenance
) -> dict[str, Any]:
    """Return a record of what was landed and as what, by which the same landing is recognized next time."""
    deliveries: dict[str, dict[str, str]] = {}
    for file in staged:
        deliveries.setdefault(str(file.delivery_date), {})[f"{file.kind}/{file.name}"] = file.keyed_hash
    return {
        "spec": landing_hash(source),
        "key_id": provenance.key_id,
        "deliveries": deliveries,
        "files": {one.file.name: one.keyed_hash for one in measured},
    }


def _names_of_equal_files(measured: Sequence[MeasuredFile]) -> list[list[str]]:
    """Return the names of files of events that hold the same bytes; a table may be delivered unchanged every day."""
    names: dict[str, list[str]] = {}
    for one in measured:
        if one.file.kind == "events" and one.n_lines:
            names.setdefault(one.keyed_hash, []).append(one.file.name)
    return [sorted(found) for found in names.values() if len(found) > 1]


def _is_landed(lake: Lake, source: Source, measured: Sequence[MeasuredFile], provenance: Provenance) -> bool:
    """Return True where the same bytes were landed last, under the same spec, and are still current."""
    try:
        record = json.loads(_landed_path(lake).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    same = {
        "spec": landing_hash(source),
        "key_id": provenance.key_id,
        "files": {one.file.name: one.keyed_hash for one in measured},
    }
    current = {str(day): delivery for day, delivery in read_raw_deliveries(lake).items()}
    return {name: record.get(name) for name in same} == same and all(
        day in current and inputs.items() <= current[day].inputs.items() and _is_whole(lake, source, current[day])
        for day, inputs in record.get("deliveries", {}).items()
    )


def _is_whole(lake: Lake, source: Source, delivery: RawDelivery) -> bool:
    stored = [file.stored(source) for file in delivery.files]
    return all(is_whole(raw_folder(lake), name, delivery.sums.get(name)) for name in stored)
