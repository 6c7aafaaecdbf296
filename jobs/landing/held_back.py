"""Deliveries with a file that can't be taken in: each is noted, until it comes right or a person leaves its day out.

Without a note, the day would look like one on which nobody came.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date

from conf.paths import Lake, path_date
from conf.publication import write_atomically
from jobs.errors import UnlikelyDelivery


@dataclass(frozen=True)
class HeldBack:
    """A delivery that was not landed.

    Attributes:
        delivery_date: of the delivery.
        why: what is wrong with its files.
        left_out: why a person leaves it out; None as long as nobody does.
        who: whose word that is.
        at: when, in ISO 8601.
    """

    delivery_date: date
    why: str
    left_out: str | None = None
    who: str = ""
    at: str = ""

    @property
    def told(self) -> dict[str, str]:
        """What a night's result says of it."""
        found = {"delivery": str(self.delivery_date), "why": self.why, "reason": self.left_out or ""}
        return found | {name: one for name, one in (("who", self.who), ("at", self.at)) if one}


def read_held_back(lake: Lake) -> dict[date, HeldBack]:
    """Return the deliveries that were not landed, by their dates, ascending."""
    found = {}
    for path in sorted(lake.held_back(date.min).parent.glob("delivery_date=*.json")):
        day = path_date(path.stem, "delivery_date")
        found[day] = HeldBack(**json.loads(path.read_text(encoding="utf-8")) | {"delivery_date": day})
    return found


def open_days(lake: Lake, last: date) -> list[date]:
    """Return the days up to the last whose delivery was not landed, and that nobody left out."""
    return [day for day, one in read_held_back(lake).items() if day <= last and one.left_out is None]


def note_held_back(lake: Lake, found: Mapping[date, str], landed: Collection[date]) -> None:
    """Note why deliveries are held back, and forget those that are landed now.

    Args:
        lake: of the source.
        found: what is wrong, by the date of the delivery.
        landed: dates of deliveries that are right.
    """
    known = read_held_back(lake)
    for day, why in found.items():
        if day not in known or known[day].why != why:
            _write(lake, HeldBack(day, why))
    for day in landed:
        if day not in found:
            lake.held_back(day).unlink(missing_ok=True)


def leave_out(lake: Lake, day: date, reason: str, *, who: str, at: str) -> bool:
    """Note that a person leaves out a delivery that can't be landed; return False where there is none to leave out."""
    one = read_held_back(lake).get(day)
    if one is None:
        return False
    _write(lake, HeldBack(day, one.why, reason, who, at))
    return True


def refuse_held_back(lake: Lake, source: str, last: date) -> None:
    """Raise if a delivery up to the last was not landed and nobody left it out.

    Raises:
        UnlikelyDelivery: names every such delivery, what is wrong with its files and what helps.
    """
    held = read_held_back(lake)
    days = open_days(lake, last)
    if days:
        told = "\n".join(f"  delivery_date={day}: {line}" for day in days for line in held[day].why.splitlines())
        raise UnlikelyDelivery(
            f"{len(days)} delivery(s) could not be landed; the others were, and nothing is built from {days[0]} on "
            f"until these are settled:\n{told}\n"
            f"deliver the files again, or mend conf/sources/{source}.yaml and land the logs again; to go on without "
            f"them: make accept SOURCE={source} DELIVERY=<date> REASON=<why>"
        )


def _write(lake: Lake, one: HeldBack) -> None:
    content = {name: value for name, value in asdict(one).items() if name != "delivery_date"}
    path = lake.held_back(one.delivery_date)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(content, indent=1))
