"""Homes with a new MLflow store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rl.registry.database import ready_database


@pytest.fixture(scope="session")
def empty_store(new_database: Callable[[], Path]) -> Path:
    """An MLflow store without content. Copy it before changing anything."""
    return new_database()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose MLflow store is new."""
    ready_database(tmp_path / "home" / "mlflow.db")
    return tmp_path / "home"
