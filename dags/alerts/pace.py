"""How long nights take and what they leave of the disk, and what is out of the usual in that.

Each night's run folder keeps it, beside the seconds of its steps. Earlier releases kept lines in one file of the home,
which is still read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from conf.paths import Run, earlier_night_pace, source_runs
from conf.publication import write_atomically
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


def read_paces(home: Path, source: str, scenario: str, dag: str) -> list[Pace]:
    """Return the pace of the DAG's nights by date, each by its longest run; what can't be read is passed over."""
    found = {one.night: one for one in _earlier(earlier_night_pace(home)) if one.dag == dag}
    for path in sorted((source_runs(home, source) / scenario).glob("????-??-??/seconds/night.json")):
        night = path.parent.parent.name
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            pace = Pace(dag, night, float(told["seconds"]), int(told["free_bytes"]), int(told["total_bytes"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found[night] = _longest(pace, found.get(night))
    return sorted(found.values(), key=lambda one: one.night)


def keep_pace(run: Run, pace: Pace) -> None:
    """Keep the night's pace in its run folder: of a night that is repeated the longest time, and the disk as it is."""
    earlier = {one.night: one for one in read_paces(run.home, run.source, run.scenario, pace.dag)}
    kept = asdict(_longest(pace, earlier.get(pace.night))) | {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    write_atomically(run.seconds("night"), json.dumps(kept))


def _longest(pace: Pace, other: Pace | None) -> Pace:
    return pace if other is None else replace(pace, seconds=max(pace.seconds, other.seconds))


def _earlier(path: Path) -> list[Pace]:
    """Return the lines of an earlier release by date, less those that a killed process left half."""
    found: dict[tuple[str, str], Pace] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            pace = Pace(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[pace.dag, pace.night] = _longest(pace, found.get((pace.dag, pace.night)))
    return list(found.values())


def slow_finding(now: Pace, earlier: Sequence[Pace], slower: float) -> Alert | None:
    """Return the alert of a night that took so many times as long as usual, and a minute longer at least.

    Usual is the median of the last nights, other dates than this one's: a night that is repeated finds most of its work
    done. Fewer than five tell nothing.

    Args:
        now: the night that ends.
        earlier: nights of its DAG by date, each once.
        slower: how many times as long is too long.
    """
    last = [one.seconds for one in earlier if one.night != now.night][-_LAST_NIGHTS:]
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
    last = [one for one in earlier if one.night < now.night][-_LAST_NIGHTS:]
    n_nights = len(last)
    a_night = (last[0].free_bytes - now.free_bytes) / n_nights if n_nights >= _FEWEST_NIGHTS else 0.0
    left = int(now.free_bytes // a_night) if a_night > 0 else None
    is_full = now.free_bytes < _LEAST_FREE_SHARE * now.total_bytes
    if not is_full and (left is None or left >= most_nights):
        return None
    room = "" if left is None else f", room for {left} more nights as the last {n_nights} went"
    reason = f"{now.free_bytes:,} of {now.total_bytes:,} bytes are free{room}; `make vacuum` says what may go"
    return Alert("disk", f"the lake's disk after {now.dag} {now.night}", reason, f"disk/{now.night}")
