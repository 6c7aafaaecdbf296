"""Airflow in a temporary home, for the tests of the DAGs.

These tests run in the Airflow environment (`make test` does it); elsewhere none of them is collected.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("airflow") else ["test_*.py"]

if not collect_ignore_glob:
    # Airflow reads its configuration when it is first imported, which is before any fixture runs.
    from conf.settings import Settings
    from dags.deployment.airflow_database import make_database
    from dags.deployment.airflow_environment import airflow_environment

    HOME = Path(tempfile.mkdtemp(prefix="nightcart-dags-"))
    os.environ["NIGHTCART_HOME"] = str(HOME)
    os.environ.update(airflow_environment(Settings.from_environment()))

    def pytest_unconfigure() -> None:
        """Nothing is left behind."""
        shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Iterator[Path]:
    """Home of the tests' Airflow, with its database made."""
    make_database(os.environ, HOME / "logs" / "database.log")
    yield HOME
