"""Files are on the disk before anything names them: many at once, since each spends its time waiting for the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from conf.publication import sync

_AT_ONCE = 16

One = TypeVar("One")
Made = TypeVar("Made")


def make_durable(paths: Iterable[Path]) -> None:
    """Wait until what was written to the files and folders is on the disk.

    Raises:
        OSError: one of them can't be.
    """
    all_at_once(sync, paths)


def all_at_once(made_of: Callable[[One], Made], each: Iterable[One]) -> list[Made]:
    """Return what a function that waits for the disk makes of each; where one fails, none runs on."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(made_of, each))
