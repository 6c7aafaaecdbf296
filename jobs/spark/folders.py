"""Folders that Spark's sessions of one machine write to: in the home, one a session, swept once their session is gone.

A session holds a lock on its folder's lock file, which falls with its process however that ends: so a folder whose lock
can be had is left over, however young, and one whose lock is held is in use, however old.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TextIO

_LOCK = ".lock"
_held: list[TextIO] = []  # closed, and so given up, only by the end of the process


def session_folder(parent: Path) -> Path:
    """Return a new folder for this process's session, after removing those of sessions that are gone."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (parent / _LOCK).open("w") as turn:  # a folder is seen by sweepers only once its lock is held
        fcntl.flock(turn, fcntl.LOCK_EX)
        sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
        lock = (folder / _LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        _held.append(lock)
    (folder / "tmp").mkdir(mode=0o700)
    return folder


def link_without_comma(folder: Path) -> Path:
    """Return another path of the folder without a comma, which Spark would read as the end of one folder's name.

    The link lies in a private folder of the system's temporary one; a kill leaves it, with nothing in it.
    """
    place = Path(tempfile.mkdtemp(prefix="nightcart-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    link = place / "spark-local"
    link.symlink_to(folder, target_is_directory=True)
    return link


def sweep(parent: Path) -> None:
    """Remove the folders whose session is gone."""
    for folder in parent.iterdir():
        if folder.is_dir() and not _is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
