"""Airflow's database as a new home gets it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conf.errors import DatabaseCopyError
from conf.settings import Settings
from dags.deployment.airflow_database import make_database
from dags.deployment.airflow_environment import airflow_environment
from tests.postgres import ask, needs_postgres, own_database


def test_database_has_as_many_slots_as_tasks_run_at_once(tmp_path: Path) -> None:
    """Nothing is queued beyond what runs, also after the number has changed."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    for slots in ("1", "3"):
        given = {"AIRFLOW__CORE__PARALLELISM": slots}
        make_database(airflow_environment(settings, given=given), tmp_path / "database.log")
        with sqlite3.connect(tmp_path / "airflow" / "airflow.db") as database:
            assert database.execute("SELECT pool, slots FROM slot_pool").fetchall() == [("default_pool", int(slots))]


def test_database_is_copied_before_another_airflow_changes_it(tmp_path: Path) -> None:
    """With all that was in it; a new database and another number of slots need no copy."""
    environment = airflow_environment(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), given={})
    home, log = tmp_path / "airflow", tmp_path / "database.log"
    make_database(environment, log)
    make_database(environment | {"AIRFLOW__CORE__PARALLELISM": "7"}, log)
    assert list(home.glob("before-*")) == []
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("UPDATE slot_pool SET description = 'by an earlier release'")
        database.commit()
    done = home / "database.made"
    done.write_text(f"3.0.0 {done.read_text().partition(' ')[2]}")
    make_database(environment, log)
    (copy,) = home.glob("before-*.db")
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT description FROM slot_pool").fetchall() == [("by an earlier release",)]


def test_how_long_to_wait_for_a_database_is_no_part_of_its_name(tmp_path: Path) -> None:
    """A home of a release that didn't say is neither copied nor migrated again, and one that is gone is made anew."""
    environment = airflow_environment(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), given={})
    home, log, name = tmp_path / "airflow", tmp_path / "database.log", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert "?" in environment[name]
    make_database(environment | {name: environment[name].partition("?")[0]}, log)
    written = log.read_text()
    make_database(environment, log)
    assert (list(home.glob("before-*")), log.read_text()) == ([], written)
    (home / "airflow.db").unlink()
    make_database(environment, log)
    assert (home / "airflow.db").stat().st_size


def test_a_database_that_cannot_be_copied_is_left_as_it_is(tmp_path: Path) -> None:
    """No migration begins without the copy to go back to."""
    environment = airflow_environment(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), given={})
    path = tmp_path / "airflow" / "airflow.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseCopyError, match=r"airflow\.db: the database can't be copied"):
        make_database(environment, tmp_path / "database.log")
    assert path.read_bytes() == b"no database" * 100
    assert not (tmp_path / "database.log").exists()


@needs_postgres
def test_airflow_works_on_postgresql(tmp_path: Path) -> None:
    """Its tables are made there, with as many slots; a dump is made before another Airflow changes them."""
    with own_database() as address:
        named = address.replace("postgres@", "postgres:pw@")
        settings = Settings.from_environment(
            {
                "NIGHTCART_HOME": str(tmp_path),
                "NIGHTCART_AIRFLOW_DATABASE": named,
            }
        )
        environment = {**os.environ, **airflow_environment(settings, given={"AIRFLOW__CORE__PARALLELISM": "3"})}
        make_database(environment, tmp_path / "database.log")
        assert ask(address, "SELECT pool, slots FROM slot_pool") == ["default_pool|3"]
        home = tmp_path / "airflow"
        assert not (home / "airflow.db").exists()
        assert ":pw@" not in (home / "database.made").read_text()
        (home / "database.made").unlink()
        make_database(environment, tmp_path / "database.log")
        assert [path.suffix for path in home.glob("before-*")] == [".dump"]
