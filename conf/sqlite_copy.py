"""A SQLite database copied while others work on it: as it stood at one moment."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from conf.errors import DatabaseCopyError

COMPANIONS = ("-journal", "-wal", "-shm")
_HEADER = b"SQLite format 3\0"


def is_sqlite(path: Path) -> bool:
    """Return whether the file is a SQLite database, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def copy_sqlite(path: Path, out: Path) -> None:
    """Copy the database by SQLite's own online backup; the copy appears whole, and readable by its owner alone.

    Raises:
        DatabaseCopyError: the database is damaged or can't be opened.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, whatever the original keeps beside it
            (problem,) = target.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise DatabaseCopyError(f"{path}: the database is damaged ({problem}); put a backup of it in its place")
        draft.replace(out)
    except sqlite3.Error as error:
        raise DatabaseCopyError(f"{path}: the database can't be copied ({error})") from error
    finally:
        for ending in ("", *COMPANIONS):
            Path(f"{draft}{ending}").unlink(missing_ok=True)
