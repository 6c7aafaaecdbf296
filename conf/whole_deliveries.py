"""Whether a day's delivery is whole, as its source declares: the marker, the feeds, and their usual volume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from statistics import median

from conf.file_dates import date_in
from conf.paths import Lake, path_date
from conf.publication import read_pointer, read_pointers
from conf.specs.arrival import Arrival
from conf.specs.file_patterns import matches
from conf.specs.side_table import SIDE_TABLES
from conf.specs.source import Source

_FEWEST = 3
_LAST_DAYS = 7
_LAST_WEEKDAYS = 8

Volumes = Mapping[str, int]
"""Bytes by feed or side table."""


def what_is_missing(source: Source, lake: Lake, logs: Path, day: date) -> list[str]:
    """Return what a day's delivery lacks, a sentence each; nothing where it is whole, or the source declares nothing.

    Args:
        source: with its `arrival`.
        lake: of the source, with the deliveries that were landed before.
        logs: file or folder that the logs are delivered to.
        day: of the delivery.
    """
    arrival = source.arrival
    if arrival is None:
        return []
    files = {name: size for name, size in _delivered(logs) if _date_of(source, name) == day}
    volumes = _volumes(source, files)
    return [
        *_without_marker(arrival, files),
        *(f"no file of {name}" for name in arrival.feeds if name not in volumes),
        *_below_usual(arrival, volumes, lambda: _landed_volumes(source, lake), day),
    ]


def is_settled(lake: Lake, day: date) -> bool:
    """Return whether a day's delivery was landed, or a person left it out: there is nothing to wait for."""
    if read_pointer(Lake.pointer(lake.raw_delivery(day).parent, f"delivery_date={day}")) is not None:
        return True
    try:
        told = json.loads(lake.held_back(day).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return told.get("left_out") is not None


def is_marker(source: Source, name: str) -> bool:
    """Return whether a delivered file, by its relative path, is the marker that a source declares."""
    return source.arrival is not None and source.arrival.marker is not None and matches(name, source.arrival.marker)


def _without_marker(arrival: Arrival, files: Mapping[str, int]) -> list[str]:
    if arrival.marker is None or any(matches(name, arrival.marker) for name in files):
        return []
    return [f"no marker {arrival.marker}"]


def _below_usual(
    arrival: Arrival, volumes: Volumes, landed: Callable[[], Mapping[date, Volumes]], day: date
) -> Iterator[str]:
    """Yield each feed whose files are smaller than the share of the usual that the source allows."""
    if arrival.share_of_usual is None:
        return
    earlier = {one: found for one, found in landed().items() if one < day}
    names = arrival.feeds or tuple(dict.fromkeys(name for found in earlier.values() for name in found))
    for name in names:
        usual = _usual({one: found[name] for one, found in earlier.items() if name in found}, day)
        if usual is None or volumes.get(name, 0) >= arrival.share_of_usual * usual:
            continue
        if name in volumes or name not in arrival.feeds:
            yield (
                f"{name}: {volumes.get(name, 0):,} bytes where {usual:,.0f} are usual, less than "
                f"{arrival.share_of_usual:.0%} of it"
            )


def _usual(earlier: Mapping[date, int], day: date) -> float | None:
    """Return the usual bytes of a feed on such a day; None where too little was landed to tell.

    A feed that isn't daily has its usual on its weekdays alone: on others it need not come.
    """
    same = [earlier[one] for one in sorted(earlier) if one.weekday() == day.weekday()][-_LAST_WEEKDAYS:]
    if len(same) >= _FEWEST:
        return median(same)
    last = [earlier[one] for one in sorted(earlier) if (day - one).days <= _LAST_DAYS]
    return median(last) if len(last) >= _FEWEST else None


def _volumes(source: Source, files: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, patterns in _patterns(source):
        sizes = [size for path, size in files.items() if any(matches(path, pattern) for pattern in patterns)]
        if sizes:
            found[name] = sum(sizes)
    return found


def _landed_volumes(source: Source, lake: Lake) -> dict[date, dict[str, int]]:
    """Return by delivery the bytes of each feed's files as they were landed."""
    found = {}
    for partition, pointer in read_pointers(lake.raw_delivery(date.min).parent).items():
        # A stored file lies at delivery_date=…/v=…/KIND/ and then as it was delivered.
        names = {"/".join(PurePosixPath(path).parts[3:]): one.n_bytes for path, one in pointer.sums.items()}
        if names:
            found[path_date(partition, "delivery_date")] = _volumes(source, names)
    return found


def _patterns(source: Source) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, feed in source.feeds_alone().items():
        yield name, feed.delivery.files
    for name in SIDE_TABLES:
        if (table := getattr(source, name)) is not None:
            yield name, table.files


def _date_of(source: Source, name: str) -> date | None:
    """Return the date in a delivered file's path, by its feed's pattern; of files beside the feeds, by that of any."""
    feeds = [*source.feeds_alone().values()]
    own = [feed for feed in feeds if any(matches(name, pattern) for pattern in feed.delivery.files)]
    for pattern in dict.fromkeys(feed.delivery.date_pattern for feed in own or feeds):
        if (found := date_in(name, pattern)) is not None:
            return found
    return None


def _delivered(logs: Path) -> Iterator[tuple[str, int]]:
    """Yield the delivered files by their relative paths, with their bytes; those that go meanwhile aside."""
    if logs.is_file():
        yield f"{logs.resolve().parent.name}/{logs.name}", logs.stat().st_size
        return
    for path in logs.rglob("*"):
        try:
            if path.is_file():
                yield path.relative_to(logs).as_posix(), path.stat().st_size
        except FileNotFoundError:
            continue
