"""Airflow's database, made or brought up to date on first use."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from conf.errors import NightcartError


class DatabaseError(NightcartError):
    """Airflow's database can't be made or brought up to date."""


def make_database(environment: Mapping[str, str], log: Path) -> None:
    """Make the database, at the installed Airflow's version, with a pool no larger than the executor.

    A task is queued only where a pool has a free slot, and its token lives from then on: in a pool of Airflow's own
    128 slots it expires while the task waits for a worker. With as many slots as workers it waits as *scheduled*.
    Only one process at a time works on the database.

    Raises:
        DatabaseError: Airflow couldn't; its output is in the log.
    """
    home = Path(environment["AIRFLOW_HOME"])
    done = home / "database.made"
    slots = environment["AIRFLOW__CORE__PARALLELISM"]
    address = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    made_for = f"{version('apache-airflow-core')} {address} pool of {slots}"
    with (home / "database.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text(encoding="utf-8") == made_for and _is_there(environment):
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        for arguments in (["db", "migrate"], ["pools", "set", "default_pool", slots, "as many as tasks run at once"]):
            command = [sys.executable, "-m", "airflow", *arguments]
            with log.open("a") as output:
                ended = subprocess.run(command, env=dict(environment), stdout=output, stderr=output, check=False)
            if ended.returncode:
                raise DatabaseError(f"Airflow's database in {home} can't be made; its output is in {log}")
        done.write_text(made_for, encoding="utf-8")


def _is_there(environment: Mapping[str, str]) -> bool:
    """Return False where the database was a SQLite file that is gone; other databases are their keepers' matter."""
    address = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    return not address.startswith("sqlite:///") or Path(address.removeprefix("sqlite:///")).exists()
