"""Whether published files are still what was published: sizes always, SHA-256 once a process.

A pointer holds the sums; one of an earlier release holds none, and its files are read unverified until `make migrate`
has added them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path

from conf.errors import DamagedFile
from conf.publication import FileSum, Pointer

_verified: set[tuple[Path, str]] = set()
_damaged: set[tuple[Path, str]] = set()


def sum_of(path: Path) -> FileSum:
    """Return size and SHA-256 of one file."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return FileSum(n_bytes=file.tell(), sha256=digest)


def sums_of(folder: Path, files: Iterable[str]) -> dict[str, FileSum]:
    """Return size and SHA-256 of each file, by its path relative to the folder."""
    names = list(files)
    # Hashing leaves Python's lock, so threads do use the cores.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return dict(zip(names, pool.map(lambda name: sum_of(folder / name), names), strict=True))


def damage_in(folder: Path, sums: Mapping[str, FileSum]) -> dict[str, str]:
    """Return what is wrong with each file that isn't what was published, by its path relative to the folder."""
    found = {name: problem for name, one in sums.items() if (problem := _size_problem(folder / name, one))}
    unread = [name for name, one in sums.items() if name not in found and (folder / name, one.sha256) not in _verified]
    for name, seen in sums_of(folder, unread).items():
        place = (folder / name, sums[name].sha256)
        if seen == sums[name]:
            _verified.add(place)
            _damaged.discard(place)
        else:
            _damaged.add(place)
            found[name] = "its bytes are not those that were published"
    return found


def refuse_damaged(folder: Path, sums: Mapping[str, FileSum], cure: str) -> None:
    """Raise if a file isn't what was published.

    Args:
        folder: of the table.
        sums: size and SHA-256 as published, by path relative to the folder.
        cure: the command that makes the files anew.

    Raises:
        DamagedFile: names every such file.
    """
    damage = damage_in(folder, sums)
    if damage:
        named = [f"{folder / name}: {problem}" for name, problem in sorted(damage.items())]
        more = f"\n  and {len(named) - 20} more" if len(named) > 20 else ""
        listed = "\n".join(f"  {line}" for line in named[:20])
        raise DamagedFile(f"damaged since it was published; run `{cure}`, which makes it anew:\n{listed}{more}")


def seems_intact(folder: Path, pointer: Pointer) -> bool:
    """Return False where a file is gone, has another size, or was found damaged by this process; nothing is read."""
    return all(is_whole(folder, name, pointer.sums.get(name)) for name in pointer.files)


def is_whole(folder: Path, name: str, published: FileSum | None) -> bool:
    """Return False where the file is gone, has another size, or was found damaged by this process; nothing is read."""
    is_bad = published is not None and (folder / name, published.sha256) in _damaged
    return not is_bad and not _size_problem(folder / name, published)


def note_whole(folder: Path, sums: Mapping[str, FileSum]) -> None:
    """Note that the files were just written as the sums say, whatever was found at their places before."""
    places = {(folder / name, one.sha256) for name, one in sums.items()}
    _verified.update(places)
    _damaged.difference_update(places)


def repair_command(source: str) -> str:
    """Return the command that makes damaged files of a source anew."""
    return f"make repair SOURCE={source}"


def landing_cure(source: str) -> str:
    """Return the command that lands damaged raw files of a source again."""
    return f"{repair_command(source)} LOGS=... (the logs as they were delivered)"


def sums_among(pointers: Iterable[Pointer], files: Sequence[str]) -> dict[str, FileSum]:
    """Return the sums that the pointers hold of these files; those of an earlier release are missing."""
    wanted = set(files)
    return {name: one for pointer in pointers for name, one in pointer.sums.items() if name in wanted}


def _size_problem(path: Path, published: FileSum | None) -> str:
    try:
        n_bytes = path.stat().st_size
    except FileNotFoundError:
        return "it is gone"
    if published is not None and n_bytes != published.n_bytes:
        return f"{n_bytes} bytes, {published.n_bytes} were published"
    return ""
