"""Deliveries that a person took as they are, each with the reason: good for the files that were looked at alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from conf.paths import Lake
from conf.publication import read_pointer, write_atomically
from conf.tables import EVENTS
from jobs.errors import DeliveryError
from jobs.landing.raw_deliveries import RawDelivery, raw_folder, read_raw_deliveries


def accept(lake: Lake, delivery_date: date, reason: str) -> None:
    """Note that the landed delivery is accepted as it is, until other files take the place of its own.

    Raises:
        DeliveryError: no reason, or no such delivery.
    """
    if not reason.strip():
        raise DeliveryError("REASON is missing: say in a sentence why the delivery is right as it is")
    landed = read_raw_deliveries(lake)
    if delivery_date not in landed:
        days = f"there are {len(landed)} from {min(landed)} to {max(landed)}" if landed else "there is none at all"
        raise DeliveryError(f"no delivery {delivery_date} was landed: {days}")
    content = {"inputs": landed[delivery_date].inputs, "reason": reason.strip()}
    write_atomically(_path(lake, delivery_date), json.dumps(content, indent=1))


def accepted_reasons(lake: Lake, deliveries: Iterable[RawDelivery]) -> dict[date, str]:
    """Return the reason for each of the deliveries that was accepted with the files it has now."""
    found = {}
    for delivery in deliveries:
        try:
            content = json.loads(_path(lake, delivery.delivery_date).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            continue
        if content["inputs"] == delivery.inputs:
            found[delivery.delivery_date] = content["reason"]
    return found


def is_published(lake: Lake, delivery_date: date) -> bool:
    """Return whether what is published of the delivery was accepted by a person."""
    pointer = read_pointer(Lake.pointer(lake.table(EVENTS.name), f"delivery_date={delivery_date}"))
    return pointer is not None and "accepted" in pointer.manifest.notes


def _path(lake: Lake, delivery_date: date) -> Path:
    return raw_folder(lake) / "_accepted" / f"delivery_date={delivery_date}.json"
