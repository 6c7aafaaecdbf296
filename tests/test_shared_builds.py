"""Builds that the tests of a run share are built once, whole or not at all."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.killing import run_in_child
from tests.shared_builds import built_once, copy_database


def rows_of(path: Path) -> dict[str, list[str]]:
    """Every row of every table of a database, but for the times at which they were written."""
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: sorted(
                str({name: row[name] for name in row.keys() if "time" not in name})  # noqa: SIM118  (rows are no dicts)
                for row in database.execute(f"SELECT * FROM {table}")
            )
            for table in tables
        }


def test_a_build_is_made_once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    """Another process of the run, too, is given what the first one built."""
    name = request.node.name
    tmp_path_factory.getbasetemp()  # which the two have in common, as workers have the run's

    def build(folder: Path) -> None:
        folder.mkdir()
        (folder / "built").write_text(str(os.getpid()))

    assert run_in_child(lambda: built_once(tmp_path_factory, name, build)) == 0
    shared = built_once(tmp_path_factory, name, build)
    assert (shared / "built").read_text() != str(os.getpid())


def test_a_killed_build_is_made_anew(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    """Nobody is given what a killed process, or a build that failed, left half done."""
    name = request.node.name

    def build(folder: Path, end: Callable[[], object] = lambda: None) -> None:
        folder.mkdir()
        (folder / "first").touch()
        end()
        (folder / "second").touch()

    def be_killed() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    killed = run_in_child(lambda: built_once(tmp_path_factory, name, lambda folder: build(folder, be_killed)))
    assert killed == signal.SIGKILL
    with pytest.raises(ZeroDivisionError):
        built_once(tmp_path_factory, name, lambda folder: build(folder, lambda: 1 / 0))
    shared = built_once(tmp_path_factory, name, build)
    assert sorted(path.name for path in shared.iterdir()) == ["first", "second"]


def test_a_copied_database_is_one_made_there(
    tmp_path: Path, new_database: Callable[[], Path], make_by_mlflow: MakeDatabase
) -> None:
    """Row by row, the place of artifacts among them; nothing else is left, and a database that is there stays."""
    path = tmp_path / "mlflow.db"
    make_by_mlflow(path)
    expected = rows_of(path)
    path.unlink()
    copy_database(new_database(), path)
    assert rows_of(path) == expected
    assert any(str(tmp_path) in row for row in expected["experiments"])
    before = path.read_bytes()
    copy_database(new_database(), path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["mlflow.db"]
