"""MLflow's SQLite database: killed while it is made, found half made, locked, damaged."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.event
from sqlalchemy.engine import Engine

from conf.settings import Settings
from rl.errors import RegistryChanged, RegistryError
from rl.registry import database
from rl.registry.database import check_pages, ready_database
from rl.registry.store import open_store
from tests.killing import run_in_child

# What is tested here is the making itself.
pytestmark = pytest.mark.usefixtures("databases_by_mlflow")


def make_killed_at(path: Path, statement: int) -> None:
    """The making of a database in a child process ends by SIGKILL before the statement of that number."""
    n_done = 0

    def count(*_: Any) -> None:
        nonlocal n_done
        n_done += 1
        if n_done == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        sqlalchemy.event.listen(Engine, "before_cursor_execute", count)
        ready_database(path)

    assert run_in_child(run) == signal.SIGKILL


def draft_of(path: Path) -> Path:
    (draft,) = (one for one in path.parent.glob(f"{path.name}.draft-*") if one.name.rpartition("-")[2].isdecimal())
    return draft


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as opened:
        return {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}


@pytest.fixture(scope="module")
def half_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a kill in the middle of MLflow's migrations leaves."""
    path = tmp_path_factory.mktemp("half") / "mlflow.db"
    make_killed_at(path, 400)
    return draft_of(path)


@pytest.mark.parametrize("statement", [1, 60, 250])
def test_a_kill_while_the_database_is_made_leaves_none(tmp_path: Path, statement: int) -> None:
    """There is nothing half made at any moment, and the next start makes it and sweeps the draft."""
    path = tmp_path / "mlflow.db"
    make_killed_at(path, statement)
    assert not path.exists()
    ready_database(path)
    assert {"runs", "model_versions"} <= tables(path)
    assert [one.name for one in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_half_made_database_that_holds_nothing_is_kept_aside(tmp_path: Path, half_made: Path) -> None:
    """MLflow alone would end in `table _alembic_tmp_params already exists`, at every start."""
    path = tmp_path / "mlflow.db"
    shutil.copy(half_made, path)
    with open_store(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})) as client:
        assert [one.name for one in client.search_experiments()] == ["Default"]
    (aside,) = tmp_path.glob("mlflow.db.half-made-*")
    assert tables(aside) == tables(half_made)


def test_a_half_made_database_that_holds_runs_is_left_alone(tmp_path: Path, half_made: Path) -> None:
    """Brought up to date only half-way: one line that says how to go on, and no byte is changed."""
    path = tmp_path / "mlflow.db"
    shutil.copy(half_made, path)
    with sqlite3.connect(path) as opened:
        opened.execute("INSERT INTO runs (run_uuid) VALUES ('a')")
    before = path.read_bytes()
    with pytest.raises(RegistryChanged, match=r"it holds 1 runs and versions.*make migrate") as raised:
        ready_database(path)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*half-made*"))


def test_a_whole_database_is_left_alone(home: Path) -> None:
    """Nothing is written to it."""
    before = (home / "mlflow.db").read_bytes()
    ready_database(home / "mlflow.db")
    assert (home / "mlflow.db").read_bytes() == before


def test_an_empty_file_is_no_database(tmp_path: Path) -> None:
    """A file without a byte has nothing to keep."""
    (tmp_path / "mlflow.db").touch()
    ready_database(tmp_path / "mlflow.db")
    assert "runs" in tables(tmp_path / "mlflow.db")
    assert not list(tmp_path.glob("*half-made*"))


def test_a_locked_database_is_one_line_that_names_who(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while of waiting, which is said, the message names the process that has the file open."""
    monkeypatch.setattr(database, "SECONDS_TO_WAIT", 0.1)
    monkeypatch.setattr(database, "_SECONDS_OF_SILENCE", 0.1)
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        holder = sqlite3.connect(home / "mlflow.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        with (
            pytest.raises(RegistryError, match=rf"is locked by process {child} .*; wait for it or end it"),
            open_store(Settings.from_environment({"NIGHTCART_HOME": str(home)})),
        ):
            pass
    finally:
        os.write(done[1], b"x")
        os.waitpid(child, 0)


def test_a_damaged_database_is_one_line_and_stays_as_it_is(home: Path) -> None:
    """Text in place of the file, or noise in its pages: what to do is said, and nothing is overwritten."""
    path = home / "mlflow.db"
    whole = path.read_bytes()
    path.write_bytes(b"not a database at all" * 100)
    with (
        pytest.raises(RegistryChanged, match=r"is damaged \(file is not a database\); put a backup"),
        open_store(Settings.from_environment({"NIGHTCART_HOME": str(home)})),
    ):
        pass
    assert path.read_bytes().startswith(b"not a database")
    path.write_bytes(whole[:8192] + bytes(range(256)) * 64 + whole[8192 + 256 * 64 :])
    with pytest.raises(RegistryError, match="is damaged"):
        check_pages(path)
