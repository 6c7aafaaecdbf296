"""Homes whose registry holds an approved policy; making one takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rl.serving.served_home import promote


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 is champion; not to be changed."""
    home = tmp_path_factory.mktemp("served") / "home"
    home.mkdir()
    promote(home, 0)
    return home


@pytest.fixture
def home(tmp_path: Path, first_home: Path) -> Path:
    """A home of its own, whose champion is version 1."""
    return Path(shutil.copytree(first_home, tmp_path / "home"))
