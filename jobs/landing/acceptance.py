"""Deliveries that a person took as they are, each with the reason: good for the files that were looked at alone.

The word is noted in the home where it was given, and kept by the manifest of what was published on it: other homes of a
shared lake, and a home whose notes are gone, read it there and don't ask again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from conf.paths import Lake
from conf.publication import read_pointer, write_atomically
from conf.tables import EVENTS
from jobs.errors import DeliveryError
from jobs.landing.held_back import leave_out
from jobs.landing.raw_deliveries import RawDelivery, raw_folder, read_raw_deliveries

_NOTES = ("accepted", "accepted_by", "accepted_at")
_NO_FILES = ("ids", "currencies_before")
"""What a manifest's inputs name beside the delivery's own files and their headers."""


def accept(lake: Lake, delivery_date: date, reason: str, *, who: str = "") -> None:
    """Note that the landed delivery is accepted as it is, until other files take the place of its own.

    One that could not be landed is left out: its day is then without it.

    Raises:
        DeliveryError: no reason, or no such delivery.
    """
    if not reason.strip():
        raise DeliveryError("REASON is missing: say in a sentence why the delivery is right as it is")
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    if leave_out(lake, delivery_date, reason.strip(), who=who, at=at):
        return
    landed = read_raw_deliveries(lake)
    if delivery_date not in landed:
        days = f"there are {len(landed)} from {min(landed)} to {max(landed)}" if landed else "there is none at all"
        raise DeliveryError(f"no delivery {delivery_date} was landed: {days}")
    content = {"inputs": landed[delivery_date].inputs, "reason": reason.strip(), "who": who, "at": at}
    write_atomically(_path(lake, delivery_date), json.dumps(content, indent=1))


def accepted_notes(lake: Lake, deliveries: Iterable[RawDelivery]) -> dict[date, dict[str, str]]:
    """Return what manifests say of each delivery that was accepted with the files it has now: why, by whom, when.

    What an earlier release noted has no name and no time.
    """
    told = {one.delivery_date: _noted(lake, one) or _published(lake, one) for one in deliveries}
    return {day: notes for day, notes in told.items() if notes}


def accepted_note(notes: Mapping[str, str]) -> dict[str, str]:
    """Return why a delivery was accepted, by whom and when, as far as its manifest tells; nothing if it wasn't."""
    names = {"accepted": "reason", "accepted_by": "who", "accepted_at": "at"}
    return {own: notes[name] for name, own in names.items() if name in notes} if "accepted" in notes else {}


def is_published(lake: Lake, delivery_date: date) -> bool:
    """Return whether what is published of the delivery was accepted by a person."""
    pointer = read_pointer(Lake.pointer(lake.table(EVENTS.name), f"delivery_date={delivery_date}"))
    return pointer is not None and "accepted" in pointer.manifest.notes


def _noted(lake: Lake, delivery: RawDelivery) -> dict[str, str]:
    """Return what was noted in this home of a delivery with the files it has now; nothing if nobody accepted it."""
    try:
        content = json.loads(_path(lake, delivery.delivery_date).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    if content["inputs"] != delivery.inputs:
        return {}
    notes = {"accepted": content["reason"], "accepted_by": content.get("who"), "accepted_at": content.get("at")}
    return {name: one for name, one in notes.items() if one}


def _published(lake: Lake, delivery: RawDelivery) -> dict[str, str]:
    """Return the same as the manifest of its events says, wherever they were ingested."""
    pointer = read_pointer(Lake.pointer(lake.table(EVENTS.name), f"delivery_date={delivery.delivery_date}"))
    if pointer is None or "accepted" not in pointer.manifest.notes:
        return {}
    files = {name: one for name, one in pointer.manifest.inputs.items() if name.partition("/")[0] not in _NO_FILES}
    if files != delivery.inputs:
        return {}
    return {name: one for name, one in pointer.manifest.notes.items() if name in _NOTES}


def _path(lake: Lake, delivery_date: date) -> Path:
    return raw_folder(lake) / "_accepted" / f"delivery_date={delivery_date}.json"
