"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.settings import Settings


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay with one worker, and so do the lakes its fixtures build, unless it names a group."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public logs; tests that need it are skipped where it is absent."""
    folder = os.environ.get("NIGHTCART_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("NIGHTCART_REAL_DATA names no folder with the public logs")
    return Path(folder)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One Spark session for each test process, as the jobs start it."""
    from jobs.spark.session import start_spark  # noqa: PLC0415  (the Airflow environment has no full pyspark)

    home = tmp_path_factory.mktemp("spark_home")
    session = start_spark(Settings.from_environment({"NIGHTCART_HOME": str(home)}), "nightcart-tests")
    yield session
    session.stop()
