"""Dumps of PostgreSQL databases, on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import DatabaseCopyError
from conf.postgres_dump import dump_postgres, holds_tables, restore_postgres
from tests.postgres import ask, needs_postgres, own_database

ROWS = "SELECT n, what FROM seen ORDER BY n"


@needs_postgres
def test_a_dump_restores_into_an_empty_database(tmp_path: Path) -> None:
    """Tables, rows, sequences and types; the dump is its owner's alone."""
    dump = tmp_path / "a.dump"
    with own_database() as address, own_database() as other:
        assert not holds_tables(address)
        ask(address, "CREATE TYPE kind AS ENUM ('a', 'b'); CREATE TABLE seen (n SERIAL PRIMARY KEY, what kind)")
        ask(address, "INSERT INTO seen (what) VALUES ('a'), ('b')")
        dump_postgres(address.replace("postgresql:", "postgresql+psycopg:"), dump)
        assert dump.stat().st_mode & 0o777 == 0o600
        assert restore_postgres(dump, other, set_aside=False) is None
        ask(other, "INSERT INTO seen (what) VALUES ('a')")
        assert ask(other, ROWS) == ["1|a", "2|b", "3|a"]


@needs_postgres
def test_a_restore_sets_aside_what_is_there_only_when_asked(tmp_path: Path) -> None:
    """Refused otherwise; what was there stays under a name of its own, and no later dump holds it."""
    dump, again = tmp_path / "a.dump", tmp_path / "b.dump"
    with own_database() as address, own_database() as third:
        ask(address, "CREATE TABLE seen (n INTEGER, what TEXT); INSERT INTO seen VALUES (1, 'then')")
        dump_postgres(address, dump)
        ask(address, "UPDATE seen SET what = 'now'")
        with pytest.raises(DatabaseCopyError, match="holds tables, expected an empty database"):
            restore_postgres(dump, address, set_aside=False)
        assert ask(address, ROWS) == ["1|now"]
        aside = restore_postgres(dump, address, set_aside=True)
        assert ask(address, ROWS) == ["1|then"]
        assert ask(address, f"SELECT what FROM {aside}.seen") == ["now"]
        dump_postgres(address, again)
        restore_postgres(again, third, set_aside=False)
        assert ask(third, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before%'") == []


@needs_postgres
def test_a_restore_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """One transaction, the renaming too."""
    broken = tmp_path / "broken.dump"
    with own_database() as address:
        ask(address, "CREATE TABLE seen (n INTEGER, what TEXT); INSERT INTO seen VALUES (1, 'here')")
        dump_postgres(address, broken)
        broken.write_bytes(broken.read_bytes()[:-40])
        with pytest.raises(DatabaseCopyError):
            restore_postgres(broken, address, set_aside=True)
        assert ask(address, ROWS) == ["1|here"]


@needs_postgres
def test_what_went_wrong_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseCopyError, match=r"me:\*\*\*@127\.0\.0\.1:1/x: pg_dump failed") as caught:
        dump_postgres("postgresql://me:secret-word@127.0.0.1:1/x", tmp_path / "a.dump")
    assert "secret-word" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseCopyError, match="pg_dump isn't installed; install PostgreSQL's client programs"):
        dump_postgres("postgresql://me@127.0.0.1/x", tmp_path / "a.dump")
