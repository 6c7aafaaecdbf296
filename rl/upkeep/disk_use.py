"""How much of the disk a home takes, and how long what is free lasts."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import mean

from conf.paths import Lake, Run
from conf.publication import Pointer, read_pointers

LAST_NIGHTS = 7
"""Over so many of the last partitions and nights a night's bytes are a mean."""


def freed_bytes(kinds: Mapping[str, Iterable[Path]]) -> dict[str, int]:
    """Return the bytes that come free by kind; a file with several links comes free with the last of them."""
    found = dict.fromkeys(kinds, 0)
    n_links: Counter[tuple[int, int]] = Counter()
    for kind, paths in kinds.items():
        for told in (one for path in paths for one in _files(path)):
            inode = (told.st_dev, told.st_ino)
            n_links[inode] += 1
            if n_links[inode] == told.st_nlink:
                found[kind] += told.st_size
    return found


def bytes_by_table(lakes: Iterable[Lake]) -> dict[str, int]:
    """Return what each source's tables take, all versions together, by `source/table`; links count once."""
    found: dict[str, int] = {}
    for lake in lakes:
        for folder in sorted(one for one in lake.folder.iterdir() if one.is_dir() and not one.name.startswith("_")):
            each = {(told.st_dev, told.st_ino): told.st_size for told in _files(folder)}
            found[f"{lake.source}/{folder.name}"] = sum(each.values())
    return found


def bytes_by_folder(home: Path) -> dict[str, int]:
    """Return what each folder of the home takes, the largest first; links count once, files beside them not at all."""
    found = {}
    for folder in (one for one in home.iterdir() if one.is_dir() and not one.is_symlink()):
        each = {(told.st_dev, told.st_ino): told.st_size for told in _files(folder)}
        found[folder.name] = sum(each.values())
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def bytes_a_night(lakes: Iterable[Lake], runs: Iterable[Run]) -> int:
    """Return what a night adds: a day's raw files and partitions, by their manifests, and the night's run folder.

    A mean over the last few of each table; what a night only replaces, and a vacuum takes, isn't in it.
    """
    found = 0.0
    for lake in lakes:
        for folder in lake.published_folders():
            pointers = read_pointers(folder)
            last = [_n_bytes(pointers[name]) for name in sorted(pointers)[-LAST_NIGHTS:]]
            found += mean(last) if last else 0.0
    last_runs = sorted(runs, key=lambda run: run.date)[-LAST_NIGHTS:]
    sizes = [sum(told.st_size for told in _files(run.folder)) for run in last_runs]
    return round(found + (mean(sizes) if sizes else 0.0))


def nights_left(home: Path, a_night: int) -> int | None:
    """Return how many nights the free disk lasts; None where a night adds nothing yet."""
    return shutil.disk_usage(home).free // a_night if a_night else None


def _n_bytes(pointer: Pointer) -> int:
    return sum(one.n_bytes for one in pointer.sums.values())


def _files(path: Path) -> Iterator[os.stat_result]:
    for one in path.rglob("*") if path.is_dir() else [path]:
        with suppress(FileNotFoundError):  # a night at work removes its drafts
            if one.is_file() and not one.is_symlink():
                yield one.stat()
