"""A trial's data leave the home whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, forgotten, source_runs
from conf.settings import Settings
from rl.commands import forget, register
from rl.errors import ForgettingError
from tests.killing import kill_until_through
from tests.rl.commands.conftest import NightHome

FILES = {
    "lake/trial/raw/delivery_date=2026-01-05/v=a/events/log.csv": 100,
    "lake/trial/raw/_pointers/delivery_date=2026-01-05.json": 10,
    "lake/trial/events/v=b/part.parquet": 2_000,
    "lake/trial/transitions/recommendation/spec=c/part.parquet": 300,
    "lake/trial/_lock": 0,
    "lake/other/events/v=b/part.parquet": 7,
    "runs/trial/recommendation/2026-01-05/ingest.json": 50,
    "runs/other/recommendation/2026-01-05/ingest.json": 5,
    "shops/other/shop.json": 3,
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a trial source and another one."""
    for name, size in FILES.items():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return tmp_path / "home"


def _forget(home: Path, source: str = "trial", *, is_confirmed: bool = True, is_forced: bool = False) -> dict[str, Any]:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    return forget.run(settings=settings, source=source, is_confirmed=is_confirmed, is_forced=is_forced)


def _files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def test_all_of_a_source_is_removed_and_counted(home: Path) -> None:
    """By table, in files and bytes; other sources keep everything."""
    assert _forget(home) == {
        "source": "trial",
        "removed": {
            "raw": {"files": 2, "bytes": 110},
            "events": {"files": 1, "bytes": 2_000},
            "transitions": {"files": 1, "bytes": 300},
            "runs": {"files": 1, "bytes": 50},
        },
        "bytes": 2_460,
    }
    assert {name for name in _files(home) if not name.endswith("key")} == {
        name for name in FILES if "trial" not in name
    }
    with pytest.raises(ForgettingError, match=r"no data of source 'trail'; known: other"):
        _forget(home, "trail")


def test_nothing_is_removed_unless_confirmed(home: Path) -> None:
    """What would go is said; an empty name is no source, and no way to the whole lake."""
    before = _files(home)
    with pytest.raises(ForgettingError, match=r"YES=1 removes of trial: .*events \(1 files, 2,000 bytes\)"):
        _forget(home, is_confirmed=False)
    for name in ("", ".", "..", "nobody", "other/events"):
        with pytest.raises(ForgettingError, match=r"no data of source|is no name"):
            _forget(home, name)
    assert _files(home) - before <= {"pseudonym.key"}


def test_killed_midway_the_same_command_finishes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each move and removal; afterwards nothing is left, in sight or out of it."""
    steps = ((Path, "rename"), (shutil, "rmtree"))
    n_kills = kill_until_through(
        lambda: _forget(home), steps_before_kills=[1, 2, 3, 2], monkeypatch=monkeypatch, steps=steps
    )
    assert n_kills >= 3
    lake = Lake(home / "lake", "trial")
    for folder in (lake.folder, source_runs(home, "trial")):
        assert not folder.exists()
        assert not forgotten(folder).exists()
    assert (home / "lake" / "other" / "events" / "v=b" / "part.parquet").exists()


def test_half_removed_data_beside_new_ones_all_go(home: Path) -> None:
    """Someone delivered again after a kill."""
    lake = Lake(home / "lake", "trial")
    shutil.copytree(lake.folder, forgotten(lake.folder))
    assert _forget(home)["bytes"] == 2_460 + 2_410
    assert not lake.folder.exists()
    assert not forgotten(lake.folder).exists()


@pytest.mark.xdist_group("nights")
def test_source_of_a_waiting_version_stays_unless_forced(logged_night: NightHome, tmp_path: Path) -> None:
    """A version that waits for approval was learned from it; the message names it."""
    night = logged_night.copied_to(tmp_path / "home")
    version = night.command(register)["version"]
    source = night.pipeline.source.name
    before = _files(night.home)
    with pytest.raises(ForgettingError, match=rf"recommendation-policy version {version} waits for approval"):
        _forget(night.home, source)
    assert before <= _files(night.home)
    assert _forget(night.home, source, is_forced=True)["removed"]["runs"]["files"] > 0
    assert not source_runs(night.home, source).exists()
