"""Copies of SQLite databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conf.errors import DatabaseCopyError
from conf.sqlite_copy import copy_sqlite, is_sqlite


def test_copy_holds_what_was_committed(tmp_path: Path) -> None:
    """Also what only stands in the log beside a database that others have open; not what they are writing."""
    path, out = tmp_path / "a b.db", tmp_path / "copies" / "a.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE seen (n INTEGER)")
        writer.execute("INSERT INTO seen VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO seen VALUES (2)")
        assert Path(f"{path}-wal").stat().st_size
        copy_sqlite(path, out)
    assert [one.name for one in out.parent.iterdir()] == ["a.db"]
    assert out.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(out)) as copy:
        assert copy.execute("SELECT n FROM seen").fetchall() == [(1,)]


def test_a_damaged_database_is_not_copied(tmp_path: Path) -> None:
    """Nothing is left that could be taken for a copy."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE seen (n INTEGER)")
        database.executemany("INSERT INTO seen VALUES (?)", [(n,) for n in range(9999)])
        database.commit()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(DatabaseCopyError, match=r"a\.db: the database"):
        copy_sqlite(path, tmp_path / "copy.db")
    assert [one.name for one in tmp_path.iterdir()] == ["a.db"]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseCopyError, match="can't be copied"):
        copy_sqlite(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_databases_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("SQLite")
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "real")) as database:
        database.execute("CREATE TABLE seen (n INTEGER)")
    assert [name for name in ("text.db", "empty.db", "real") if is_sqlite(tmp_path / name)] == ["real"]
