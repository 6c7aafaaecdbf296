"""MLflow's database of an earlier release becomes this one's, and the copy of it as it was stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

from conf.errors import DatabaseCopyError
from conf.paths import services_record
from conf.settings import Settings
from rl.errors import RegistryChanged, RegistryError
from rl.registry import upgrade
from rl.registry.store import experiment_id, open_store
from rl.registry.upgrade import upgrade_registry
from tests.postgres import ask, needs_postgres, own_database

EARLIER = "534353b11cbc"  # MLflow's schema of some years ago
A_RUN = (
    "INSERT INTO runs (run_uuid, name, user_id, status, start_time, lifecycle_stage, experiment_id, artifact_uri) "
    "VALUES ('seen', 'seen', 'me', 'FINISHED', 1, 'active', 7, '/a')"
)
AN_EXPERIMENT = "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'nightcart/old', 'active')"


def make_earlier(address: str) -> None:
    """Make the database as an earlier MLflow made it."""
    engine = create_engine(address)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(address)
        config.attributes["connection"] = connection
        command.upgrade(config, EARLIER)
    engine.dispose()


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("earlier") / "mlflow.db"
    make_earlier(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        database.execute(AN_EXPERIMENT)
        database.execute(A_RUN)
        database.commit()
    return path.read_bytes()


@pytest.fixture
def settings(tmp_path: Path, earlier: bytes) -> Settings:
    (tmp_path / "mlflow.db").write_bytes(earlier)
    return Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})


def test_runs_outlive_the_upgrade(settings: Settings, earlier: bytes) -> None:
    """Refused before, opened after; the copy is the database as it was, and a repeat has nothing to do."""
    with pytest.raises(RegistryChanged, match="make migrate"), open_store(settings):
        pass
    copy = upgrade_registry(settings)
    assert copy.parent == settings.home and EARLIER in copy.name
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (EARLIER,)
    with open_store(settings) as client:
        assert client.get_run("seen").info.experiment_id == "7"
    assert upgrade_registry(settings) is None


def test_an_upgrade_that_fails_changes_nothing(
    settings: Settings, earlier: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor leaves a draft that a later opening would trip over."""

    def fail(address: str) -> None:
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as database:
            database.execute("DROP TABLE runs")
        raise OSError("disk full")

    monkeypatch.setattr(upgrade, "_upgrade", fail)
    with pytest.raises(OSError, match="disk full"):
        upgrade_registry(settings)
    assert (settings.home / "mlflow.db").read_bytes() == earlier
    assert list(settings.home.glob("*draft*")) == []


def test_no_copy_no_upgrade(settings: Settings, earlier: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Path) -> None:
        raise DatabaseCopyError("no")

    monkeypatch.setattr(upgrade, "copy_sqlite", fail)
    with pytest.raises(DatabaseCopyError):
        upgrade_registry(settings)
    assert (settings.home / "mlflow.db").read_bytes() == earlier


def test_services_that_are_up_are_not_pulled_the_database_from_under(settings: Settings, earlier: bytes) -> None:
    services_record(settings.home).parent.mkdir()
    services_record(settings.home).write_text("{}")
    with pytest.raises(RegistryError, match="stop them by `make down`"):
        upgrade_registry(settings)
    assert (settings.home / "mlflow.db").read_bytes() == earlier


def test_a_later_schema_is_left_alone(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.home / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'from2099'")
        database.commit()
    with pytest.raises(RegistryChanged, match="schema from2099, which this release's MLflow doesn't know"):
        upgrade_registry(settings)


def test_a_home_without_a_registry_gets_none(tmp_path: Path) -> None:
    """The next night makes it; a server elsewhere is upgraded there."""
    assert upgrade_registry(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})) is None
    given = {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_MLFLOW_URI": "http://127.0.0.1:1"}
    assert upgrade_registry(Settings.from_environment(given)) is None
    assert list(tmp_path.iterdir()) == []


@needs_postgres
def test_nothing_lands_in_the_checkout(tmp_path: Path) -> None:
    """Not even what others put into MLflow's own experiment."""
    with own_database() as address:
        settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_MLFLOW_URI": address})
        with open_store(settings) as client:
            experiment_id(client, settings, "recommendation")
            places = [one.artifact_location for one in client.search_experiments()]
        assert len(places) == 2
        assert all(place.startswith((tmp_path / "mlartifacts").as_uri()) for place in places)


@needs_postgres
def test_postgresql_is_upgraded_after_a_dump(tmp_path: Path) -> None:
    with own_database() as address:
        make_earlier(address)
        ask(address, AN_EXPERIMENT)
        ask(address, A_RUN)
        settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_MLFLOW_URI": address})
        with pytest.raises(RegistryChanged, match="make migrate"), open_store(settings) as client:
            client.search_experiments()
        copy = upgrade_registry(settings)
        assert copy.suffix == ".dump" and copy.read_bytes().startswith(b"PGDMP")
        with open_store(settings) as client:
            assert client.get_run("seen").info.experiment_id == "7"
        assert upgrade_registry(settings) is None
