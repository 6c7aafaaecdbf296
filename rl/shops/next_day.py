"""A simulated shop delivers another day: beside the days before, which stay as they are."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from rl.errors import ShopError

LOGS_FOLDER = "logs"
_LOCK_FILE = "_deliver.lock"
_STAGED = ".next-day."


@contextmanager
def delivering(shop: Path) -> Iterator[None]:
    """Hold the lock that lets one process at a time deliver for a shop.

    Raises:
        ShopError: another one delivers, or the folder can't be written.
    """
    try:
        with (shop / _LOCK_FILE).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ShopError(f"{shop}: another process delivers for this shop; wait for it, or stop it") from error
            yield
    except OSError as error:
        raise ShopError(f"{shop}: the next day can't be delivered: {error}") from error


def deliver_whole(shop: Path, day: str, write: Callable[[Path], None]) -> None:
    """Let a day's folder be written aside, then put it among the logs in one move: no reader sees half of it.

    One that an interrupted try left there holds the same bytes, and is replaced.
    """
    for left in shop.glob(f"{_STAGED}*"):
        shutil.rmtree(left)
    staged, target = shop / f"{_STAGED}{os.getpid()}", shop / LOGS_FOLDER / day
    staged.mkdir()
    write(staged)
    if target.exists():
        target.rename(shop / f"{_STAGED}replaced")
    staged.rename(target)
    shutil.rmtree(shop / f"{_STAGED}replaced", ignore_errors=True)


def n_delivered(shop: Path, first_day: date) -> int:
    """Return how many days in a row a shop has delivered.

    Raises:
        ShopError: none, or not each day from the first one on.
    """
    logs = shop / LOGS_FOLDER
    days = sorted(path.name for path in logs.iterdir() if path.is_dir())
    if not days or days != [str(first_day + timedelta(days=number)) for number in range(len(days))]:
        raise ShopError(
            f"{logs}: expected a folder for each day from {first_day} on, got {len(days)}; remove {shop} to begin anew"
        )
    return len(days)
