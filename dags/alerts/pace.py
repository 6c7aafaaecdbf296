"""How long nights take and what they leave of the disk, one line each, and what is out of the usual in that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median

from dags.alerts.alert import Alert

_LAST_NIGHTS = 14
_FEWEST_NIGHTS = 5
_LEAST_SECONDS = 60.0
_LEAST_FREE_SHARE = 0.05


@dataclass(frozen=True)
class Pace:
    """A DAG's run for a night.

    Attributes:
        dag: its id.
        night: its date, in ISO.
        seconds: from the run's start to its last task.
        free_bytes: of the lake's disk, then.
        total_bytes: of that disk.
    """

    dag: str
    night: str
    seconds: float
    free_bytes: int
    total_bytes: int

    @classmethod
    def measured(cls, dag: str, night: date, seconds: float, lake: Path) -> Pace:
        """Return the pace of a run that ends now."""
        folder = next(path for path in (lake, *lake.parents) if path.is_dir())
        disk = shutil.disk_usage(folder)
        return cls(dag, night.isoformat(), round(seconds, 1), disk.free, disk.total)


def read_paces(path: Path) -> list[Pace]:
    """Return what was kept, oldest first; lines that a killed process left half are passed over."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(Pace(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def keep_pace(path: Path, pace: Pace) -> None:
    """Add a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(pace)) + "\n")


def slow_finding(now: Pace, earlier: Sequence[Pace], slower: float) -> Alert | None:
    """Return the alert of a night that took so many times as long as usual, and a minute longer at least.

    Usual is the median of the last nights of the DAG, other dates than this one's: a night that is repeated finds most
    of its work done. Fewer than five tell nothing.
    """
    longest: dict[str, float] = {}
    for one in earlier:
        if one.dag == now.dag and one.night != now.night:
            longest[one.night] = max(one.seconds, longest.pop(one.night, 0.0))
    last = list(longest.values())[-_LAST_NIGHTS:]
    usual = median(last) if len(last) >= _FEWEST_NIGHTS else None
    if usual is None or now.seconds <= slower * usual or now.seconds - usual < _LEAST_SECONDS:
        return None
    reason = (
        f"it took {now.seconds:,.0f} s; the median of the {len(last)} nights before is {usual:,.0f} s, and "
        f"{slower:g} times that is the limit (NIGHTCART_ALERT_SLOWER)"
    )
    return Alert("slow_night", f"{now.dag} {now.night}", reason, f"slow_night/{now.dag}/{now.night}")


def disk_finding(now: Pace, earlier: Sequence[Pace], most_nights: int) -> Alert | None:
    """Return the alert of a disk that has room for few more nights, or of which a twentieth is free at most.

    What a night takes is the mean fall of the free bytes over the last nights of the DAG.
    """
    last = [one for one in earlier if one.dag == now.dag and one.night < now.night][-_LAST_NIGHTS:]
    n_nights = len({one.night for one in last})
    a_night = (last[0].free_bytes - now.free_bytes) / n_nights if n_nights >= _FEWEST_NIGHTS else 0.0
    left = int(now.free_bytes // a_night) if a_night > 0 else None
    is_full = now.free_bytes < _LEAST_FREE_SHARE * now.total_bytes
    if not is_full and (left is None or left >= most_nights):
        return None
    room = "" if left is None else f", room for {left} more nights as the last {n_nights} went"
    reason = f"{now.free_bytes:,} of {now.total_bytes:,} bytes are free{room}; `make vacuum` says what may go"
    return Alert("disk", f"the lake's disk after {now.dag} {now.night}", reason, f"disk/{now.night}")
