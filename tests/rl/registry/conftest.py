"""Homes with a new MLflow store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conf.settings import Settings
from rl.registry.store import open_store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without content; making one takes seconds."""
    home = tmp_path_factory.mktemp("store")
    with open_store(Settings.from_environment({"NIGHTCART_HOME": str(home)})) as client:
        client.search_experiments()
    return home / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, empty_store: Path) -> Path:
    """A home whose MLflow store is new."""
    (tmp_path / "home").mkdir()
    shutil.copy(empty_store, tmp_path / "home" / "mlflow.db")
    return tmp_path / "home"
