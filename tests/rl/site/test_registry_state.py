"""The champion is told by the home's own records, also where MLflow can't be asked; aliases moved by hand are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.settings import Settings
from rl.registry.approvals import write_down
from rl.registry.store import CHAMPION, open_store
from rl.site.left_files import LeftFiles
from rl.site.registry_state import read_models
from tests.frozen_home.unpacked_home import unpack_home
from tests.rl.site.conftest import SCENARIO, Home

MODEL = f"{SCENARIO}-policy"


@pytest.fixture
def frozen(tmp_path: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(unpack_home(tmp_path))})


def test_a_home_without_a_registry_gets_none(home: Home) -> None:
    """A page that is looked at begins no registry."""
    home.folder.mkdir()
    before = sorted(home.folder.iterdir())
    found = read_models(home.settings, [SCENARIO], left := LeftFiles())[SCENARIO]
    assert (found.champion, found.waiting, found.is_seen, left.problems) == (None, None, False, [])
    assert sorted(home.folder.iterdir()) == before


def test_an_earlier_releases_champion_and_waiting_version_are_told(frozen: Settings) -> None:
    """That release wrote no record of approvals: its promotion.json tells of the night."""
    found = read_models(frozen, [SCENARIO], left := LeftFiles())[SCENARIO]
    assert (found.champion, found.is_seen, found.moved, left.problems) == (1, True, "", [])
    assert found.launch is not None
    assert str(found.launch.night) == "2026-03-14"
    assert found.waiting is not None
    assert (found.waiting.version, str(found.waiting.night), found.waiting.stale) == (2, "2026-03-15", "")


def test_an_alias_moved_by_hand_is_told_and_not_followed(frozen: Settings) -> None:
    with open_store(frozen) as client:
        client.set_registered_model_alias(MODEL, CHAMPION, "2")
    found = read_models(frozen, [SCENARIO], LeftFiles())[SCENARIO]
    assert found.champion == 1
    assert "alias champion is on version 2" in found.moved


def test_a_lost_registry_is_a_problem_and_the_records_speak(frozen: Settings) -> None:
    """The home remembers by its own record that there was a version, so the gap isn't a new home."""
    write_down(frozen, MODEL, "promote", 1, replaced=None, who="ann", why="it earns more")
    assert frozen.mlflow_database is not None
    frozen.mlflow_database.unlink()
    found = read_models(frozen, [SCENARIO], left := LeftFiles())[SCENARIO]
    assert (found.champion, found.is_seen) == (1, False)
    assert found.launch is not None
    assert found.launch.who == "ann"
    assert "what waits isn't known" in left.problems[0]
    assert not frozen.mlflow_database.exists()


def test_a_record_that_was_edited_is_a_problem(home: Home) -> None:
    home.write(home.folder / "approvals.json", "[{}]")
    read_models(home.settings, [SCENARIO], left := LeftFiles())
    assert any("approvals.json" in one for one in left.problems)
