"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from conf.settings import Settings
from tests.shared_builds import MLFLOW_DATABASE, built_once, copy_database
from tests.spark_plans import INTERPRETED, as_in_a_night

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.e2e.simulated_lake import BuiltLake


# How long a busy machine takes to make an example says nothing about the code.
settings.register_profile("nightcart", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nightcart")

MAKE_DATABASE = "rl.registry.database.make_database"
MakeDatabase = Callable[[Path], None]

# Groups that take longest begin first, so that what is left for the end is short and both workers end together.
LONGEST_FIRST = ["spark e2e", "spark jobs", "nights", "tests/jobs/test_main.py", "coverage", "frozen_home"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay with one worker, and so do the lakes its fixtures build, unless it names a group.

    Files that need Spark are two groups, the jobs' own and those that share the simulated lake: two processes get
    through them together, and a third session would cost a start, and all its code compiled again.
    """
    on_spark = {_file_of(item) for item in items if "spark" in getattr(item, "fixturenames", ())}
    groups = {}
    for item in items:
        named = item.get_closest_marker("xdist_group")
        if named is None:
            group = _group_on_spark(item) if _file_of(item) in on_spark else _file_of(item)
            item.add_marker(pytest.mark.xdist_group(group))
        else:
            group = named.args[0]
        groups[item] = LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)
    items.sort(key=groups.__getitem__)


def _group_on_spark(item: pytest.Item) -> str:
    return "spark jobs" if item.nodeid.startswith("tests/jobs/") else "spark e2e"


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public logs; tests that need it are skipped where it is absent."""
    folder = os.environ.get("NIGHTCART_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("NIGHTCART_REAL_DATA names no folder with the public logs")
    return Path(folder)


@pytest.fixture(scope="session")
def make_by_mlflow() -> MakeDatabase:
    """MLflow's own making of a database."""
    from rl.registry.database import make_database  # noqa: PLC0415  (tests of conf need nothing of rl)

    return make_database


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory, make_by_mlflow: MakeDatabase) -> Callable[[], Path]:
    """Gives the MLflow database without content that this run makes once. Copy it before changing anything."""

    def build(folder: Path) -> None:
        folder.mkdir()
        make_by_mlflow(folder / MLFLOW_DATABASE)

    return lambda: built_once(tmp_path_factory, "mlflow", build) / MLFLOW_DATABASE


@pytest.fixture(scope="session", autouse=True)
def copied_databases(new_database: Callable[[], Path]) -> Iterator[None]:
    """A home's MLflow database is a copy of the run's one: MLflow's dozens of migrations take more than a second.

    Processes that tests start make their own, and so does whoever asks for `databases_by_mlflow`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MAKE_DATABASE, lambda path: copy_database(new_database(), path))
        yield


@pytest.fixture(scope="module")
def databases_by_mlflow(make_by_mlflow: MakeDatabase) -> Iterator[None]:
    """MLflow itself makes the databases of this process while the module runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MAKE_DATABASE, make_by_mlflow)
        yield


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One Spark session for each test process, as the jobs start it, except that it interprets plans.

    Over a handful of rows, compiling them would take longer than running them: `compiled_plans` asks for it.
    """
    from jobs.spark.session import start_spark  # noqa: PLC0415  (the Airflow environment has no full pyspark)

    home = tmp_path_factory.mktemp("spark_home")
    session = start_spark(Settings.from_environment({"NIGHTCART_HOME": str(home)}), "nightcart-tests")
    for name, value in INTERPRETED.items():
        session.conf.set(name, value)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def compiled_plans(spark: SparkSession) -> Iterator[None]:
    """Spark compiles plans while the module runs, as in a night."""
    with as_in_a_night(spark):
        yield


@pytest.fixture(scope="session")
def small_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> BuiltLake:
    """The simulated shop's lake that several modules read. Copy it before changing anything."""
    from tests.e2e.simulated_lake import build_small_lake  # noqa: PLC0415  (few tests need what it imports)

    return build_small_lake(spark, tmp_path_factory.mktemp("small_lake") / "home")
