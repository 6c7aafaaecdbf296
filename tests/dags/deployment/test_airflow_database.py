"""Airflow's database as a new home gets it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from conf.settings import Settings
from dags.deployment.airflow_database import make_database
from dags.deployment.airflow_environment import airflow_environment


def test_database_has_as_many_slots_as_tasks_run_at_once(tmp_path: Path) -> None:
    """Nothing is queued beyond what runs, also after the number has changed."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    for slots in ("1", "3"):
        given = {"AIRFLOW__CORE__PARALLELISM": slots}
        make_database(airflow_environment(settings, given=given), tmp_path / "database.log")
        with sqlite3.connect(tmp_path / "airflow" / "airflow.db") as database:
            assert database.execute("SELECT pool, slots FROM slot_pool").fetchall() == [("default_pool", int(slots))]
