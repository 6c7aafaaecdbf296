"""Histories in one SQLite file: written beside, moved into place, and read without a server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rl.errors import StoreError
from rl.serving.histories import Histories, from_bytes, to_bytes
from rl.serving.published_histories import PublishedHistories

_MOST_AT_ONCE = 500
"""Older SQLite takes no more than 999 parameters in a statement."""


class EmbeddedStore:
    """Reads the file that `fill_file` wrote; a file that took its place is opened at the next reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None
        self._inode, self._as_of_day = 0, 0

    def read(self, shoppers: Sequence[str]) -> Histories:
        """Return the histories of the shoppers.

        Raises:
            StoreError: the file is damaged or can't be read.
        """
        try:
            database = self._current()
            if database is None:
                return Histories(None, [None] * len(shoppers))
            found: dict[str, bytes] = {}
            for first in range(0, len(shoppers), _MOST_AT_ONCE):
                asked = shoppers[first : first + _MOST_AT_ONCE]
                marks = ",".join("?" * len(asked))
                found |= database.execute(f"SELECT shopper, rows FROM histories WHERE shopper IN ({marks})", asked)
        except (sqlite3.Error, OSError) as error:
            self._opened = None
            raise StoreError(f"{self._path}: histories can't be read ({error}); fill the store again") from error
        rows = [from_bytes(found[shopper]) if shopper in found else None for shopper in shoppers]
        return Histories(self._as_of_day, rows)

    def _current(self) -> sqlite3.Connection | None:
        """Return a connection to the file that is there now; None where there is none."""
        try:
            inode = os.stat(self._path).st_ino  # noqa: PTH116  (asked at every reading: a Path costs twice as much)
        except FileNotFoundError:
            return None
        if self._opened is None or inode != self._inode:
            address = f"file:{quote(str(self._path))}?mode=ro&immutable=1"
            opened = sqlite3.connect(address, uri=True, check_same_thread=False)
            (as_of_day,) = opened.execute("SELECT as_of_day FROM filled").fetchone()
            if self._opened is not None:
                self._opened.close()
            self._opened, self._inode, self._as_of_day = opened, inode, as_of_day
        return self._opened


def filled_digest(path: Path) -> str | None:
    """Return the digest of what the file was filled from; None where there is no such file, or a damaged one."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            (digest,) = database.execute("SELECT digest FROM filled").fetchone()
    except (sqlite3.Error, TypeError):
        return None
    return str(digest)


def fill_file(path: Path, published: PublishedHistories) -> int:
    """Write the published histories to a file that takes the place of the present one whole; return how many shoppers.

    Raises:
        StoreError: it can't be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        n_shoppers = _write(draft, published)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: histories can't be written ({error}); make room, or give access") from error
    finally:
        draft.unlink(missing_ok=True)
    return n_shoppers


def _write(draft: Path, published: PublishedHistories) -> int:
    with closing(sqlite3.connect(draft, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=OFF")  # a draft that fails is thrown away
        database.execute("PRAGMA synchronous=OFF")
        database.execute("CREATE TABLE histories (shopper TEXT PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID")
        database.execute("CREATE TABLE filled (digest TEXT NOT NULL, as_of_day INTEGER NOT NULL)")
        database.execute("BEGIN")
        rows = ((shopper, to_bytes(one)) for shopper, one in published.histories())
        n_shoppers = database.executemany("INSERT INTO histories VALUES (?, ?)", rows).rowcount
        database.execute("INSERT INTO filled VALUES (?, ?)", (published.digest, published.as_of_day))
        database.execute("COMMIT")
    return max(n_shoppers, 0)
