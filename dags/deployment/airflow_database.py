"""Airflow's database, made or brought up to date on first use; copied before it is brought up to date."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from conf.database_address import SQLITE, is_postgres, sqlite_file, without_password
from conf.errors import NightcartError
from conf.postgres_dump import dump_postgres, holds_tables
from conf.sqlite_copy import copy_sqlite


class DatabaseError(NightcartError):
    """Airflow's database can't be made or brought up to date."""


def make_database(environment: Mapping[str, str], log: Path) -> None:
    """Make the database, at the installed Airflow's version, with a pool no larger than the executor.

    A task is queued only where a pool has a free slot, and its token lives from then on: in a pool of Airflow's own
    128 slots it expires while the task waits for a worker. With as many slots as workers it waits as *scheduled*.
    Only one process at a time works on the database. Before another Airflow's tables are changed they are copied
    beside the home's own files (`airflow/before-VERSION-TIME.db` or `.dump`).

    Raises:
        DatabaseError: Airflow couldn't; its output is in the log.
        DatabaseCopyError: the database can't be copied first; it is left as it is.
    """
    home = Path(environment["AIRFLOW_HOME"])
    done = home / "database.made"
    slots = environment["AIRFLOW__CORE__PARALLELISM"]
    address = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    migrated_for = f"{version('apache-airflow-core')} {without_password(_database(address))}"
    made_for = f"{migrated_for} pool of {slots}"
    with (home / "database.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = done.read_text(encoding="utf-8") if done.exists() else ""
        if before == made_for and _is_there(address):
            return
        if not before.startswith(f"{migrated_for} "):
            _copy(address, home)
        log.parent.mkdir(parents=True, exist_ok=True)
        for arguments in (["db", "migrate"], ["pools", "set", "default_pool", slots, "as many as tasks run at once"]):
            command = [sys.executable, "-m", "airflow", *arguments]
            with log.open("a") as output:
                ended = subprocess.run(command, env=dict(environment), stdout=output, stderr=output, check=False)
            if ended.returncode:
                raise DatabaseError(f"Airflow's database in {home} can't be made; its output is in {log}")
        done.write_text(made_for, encoding="utf-8")


def _database(address: str) -> str:
    """Return which database the address names: a SQLite file's without how long to wait for it, and the like."""
    return address.partition("?")[0] if address.startswith(SQLITE) else address


def _is_there(address: str) -> bool:
    """Return False where the database was a SQLite file that is gone; other databases are their keepers' matter."""
    path = sqlite_file(address)
    return path is None or path.exists()


def _copy(address: str, home: Path) -> None:
    """Copy the database where there is one that holds anything: what follows can't be undone."""
    out = home / f"before-{version('apache-airflow-core')}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    path = sqlite_file(address)
    if path is not None:
        if path.exists() and path.stat().st_size:
            copy_sqlite(path, out.with_name(f"{out.name}.db"))
    elif is_postgres(address) and holds_tables(address):
        dump_postgres(address, out.with_name(f"{out.name}.dump"))
