"""Versions of tables that no pointer and no needed night names any more."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from deltalake import DeltaTable

from conf.paths import Lake
from conf.publication import read_pointers
from rl.data.pinned_versions import read_versions
from rl.upkeep.needed_nights import KnownNight

SECONDS_FOR_READERS = 3600
"""For so long a version stays after its pointer was swapped, for readers that found it in the pointer before."""

_NO_VERSIONS = frozenset({"delta", "csv"})


def superseded_versions(lake: Lake, nights: Sequence[KnownNight]) -> list[Path]:
    """Return the folders of table versions that nobody needs; raw deliveries are never among them.

    A version of a partition whose pointer was swapped within the last hour stays: who read the pointer before that may
    be about to open its files.

    Raises:
        PublicationError: a pointer can't be read.
        DatasetError: what a night pinned can't be read.
    """
    pinned = _pinned_files(lake, nights)
    found: list[Path] = []
    for folder in _tables(lake):
        named = {folder / file for pointer in read_pointers(folder).values() for file in pointer.files} | pinned
        needed = {place for file in named for place in (file, *file.parents)}
        found += [path for path in _without(folder, needed, is_top=True) if not _was_read_lately(folder, path)]
    return found


def old_delta_files(lake: Lake, *, keep_days: int) -> list[Path]:
    """Return the links of Delta tables that their logs dropped longer ago than is kept, and that no reader may want."""
    found = []
    for delta in sorted({Lake.delta(folder) for folder in _tables(lake)}):
        if (delta / "_delta_log").is_dir():
            dropped = DeltaTable(str(delta)).vacuum(
                retention_hours=keep_days * 24, dry_run=True, enforce_retention_duration=False
            )
            found += [delta / name for name in dropped]
    return found


def set_aside(folder: Path, lake: Lake) -> Path:
    """Move a version out of every reader's sight, to its table's staging folder, and return where it is now.

    Whoever finds it there after this process has gone removes it, as what any publisher left.
    """
    table = next(one for one in folder.parents if (one / "_pointers").is_dir() and one.is_relative_to(lake.folder))
    place = Lake.staging(table) / f"{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex}"
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(place)
    return place


def _tables(lake: Lake) -> list[Path]:
    return [folder for folder in lake.published_folders() if folder != lake.folder / "raw"]


def _pinned_files(lake: Lake, nights: Sequence[KnownNight]) -> set[Path]:
    found: set[Path] = set()
    for night in nights:
        if night.run.source != lake.source or not night.holds_pins:
            continue
        pinned = read_versions(night.run.dataset)
        if pinned is None:
            continue
        for name in ("availability", "items", "item_attributes"):
            versions = getattr(pinned, name)
            found |= {lake.table(name) / file for pointer in versions.values() for file in pointer.files}
        for pointer in pinned.transitions.values():
            folder = lake.transitions(night.run.scenario, pointer.manifest.spec_hash)
            found |= {folder / file for file in pointer.files}
    return found


def _was_read_lately(table: Path, version: Path) -> bool:
    """Return whether a partition that the folder holds, or lies in, got another version within the last hour."""
    places = [*version.relative_to(table).parts, *(path.name for path in version.rglob("*=*"))]
    pointers = [Lake.pointer(table, name) for name in dict.fromkeys(places)]
    return any(time.time() - path.stat().st_mtime < SECONDS_FOR_READERS for path in pointers if path.exists())


def _without(folder: Path, needed: Collection[Path], *, is_top: bool = False) -> Iterator[Path]:
    """Yield the outermost folders below that hold nothing needed."""
    for path in sorted(one for one in folder.iterdir() if one.is_dir()):
        if is_top and (path.name.startswith("_") or path.name in _NO_VERSIONS):
            continue
        if path in needed:
            yield from _without(path, needed)
        else:
            yield path
