"""Models leave MLflow's artifacts once their versions can't be promoted, and nothing else of the entry does."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Run
from rl.commands import vacuum
from rl.data.pinned_versions import PinnedVersions
from rl.registry.database import ready_database
from rl.registry.store import open_store
from rl.registry.versions import RegisteredVersion, load_version
from rl.upkeep.needed_nights import known_nights
from rl.upkeep.unneeded_models import REMOVED, remove_models, unneeded_models
from tests.rl.registry.test_decided import approve_version, reject
from tests.rl.registry.test_registry import FIRST, MODEL, key, record, register, settings_at

LONG_AGO = time.time() - 90 * 24 * 3600


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 was champion and 2 is; 3 was rejected by a person, 4 and 5 by the gate, 6 waits, 7 is the last night's.

    All nights are long past but 5, which is young. Of version 8 this home knows no night.
    """
    home = tmp_path / "home"
    ready_database(home / "mlflow.db")
    night(home, 0, "behavior")
    approve_version(home, 1)
    night(home, 1, "1")
    approve_version(home, 2, run_date=FIRST + timedelta(days=1))
    night(home, 2, "2")
    reject(home, 3)
    night(home, 3, "2", verdict="reject")
    night(home, 4, "2", verdict="abstain", is_old=False)
    night(home, 5, "2")
    night(home, 6, "2", verdict="reject")
    night(home, 7, "2", verdict="reject", is_known=False)
    return home


def night(
    home: Path, n: int, in_force: str, *, verdict: str = "promote", is_old: bool = True, is_known: bool = True
) -> None:
    day = FIRST + timedelta(days=n)
    version = register(home, key(date=day), record(champion_in_force=in_force, horizon=day, verdict=verdict))
    if not is_known:
        return
    run = Run(home, "shop", "recommendation", day)
    run.dataset.mkdir(parents=True)
    PinnedVersions({}, {}, {}).write(run.dataset)
    run.registration.write_text(json.dumps({"model": MODEL, "version": version.version}))
    if is_old:
        for path in (run.dataset / "versions.json", run.registration):
            os.utime(path, (LONG_AGO, LONG_AGO))


def versions(home: Path) -> dict[int, RegisteredVersion]:
    with open_store(settings_at(home)) as client:
        return {n: found for n in range(1, 9) if (found := load_version(client, MODEL, n)) is not None}


def model(version: RegisteredVersion) -> Path:
    return Path(version.model_uri.removeprefix("file://"))


def clean(home: Path, *, is_confirmed: bool) -> dict[str, Any]:
    settings = settings_at(home)
    settings.lake.mkdir(exist_ok=True)
    return vacuum.run(settings=settings, is_confirmed=is_confirmed, keep_days=30)


def test_only_models_that_cannot_be_promoted_go(home: Path) -> None:
    """A person's and the gate's rejected ones; the dry run names the same and removes nothing."""
    found = versions(home)
    others = {path for path in (home / "mlartifacts").rglob("*") if "policy" not in path.parts}
    told = clean(home, is_confirmed=False)["found"]["models"]
    assert told["paths"] == 2
    assert told["bytes"] > 0
    assert all(model(one).is_dir() for one in found.values())
    assert clean(home, is_confirmed=True)["found"]["models"] == told
    assert [n for n, one in found.items() if not model(one).exists()] == [3, 4]
    assert all(path.exists() for path in others), "a run's own files went"
    assert clean(home, is_confirmed=True)["found"]["models"] == {"paths": 0, "bytes": 0}


def test_the_entry_says_that_its_model_is_gone(home: Path) -> None:
    """Nobody wonders at MLflow's own message about a file that isn't there; other entries are as they were."""
    clean(home, is_confirmed=True)
    name = REMOVED.removeprefix("nightcart.")
    told = {n: one.tags.get(name) for n, one in versions(home).items()}
    assert [n for n, one in told.items() if one is not None] == [3, 4]
    assert "a vacuum removed the model; figures and page stay" in str(told[3])


def test_what_was_approved_meanwhile_stays(home: Path) -> None:
    """Found, then named by a hand in MLflow, before it was removed."""
    settings = settings_at(home)
    nights = known_nights(settings, keep_days=30)
    found = [one.folder for one in unneeded_models(settings, nights)]
    with open_store(settings) as client:
        client.set_registered_model_alias(MODEL, "mine", "4")
    assert remove_models(settings, nights, found) == [model(versions(home)[3])]


@pytest.mark.parametrize("elsewhere", ["s3://bucket/models", "/srv/other"])
def test_models_elsewhere_are_not_touched(home: Path, elsewhere: str) -> None:
    """In a bucket, or in another folder than the settings name."""
    settings = settings_at(home)
    moved = type(settings).from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_MLFLOW_ARTIFACTS": elsewhere})
    assert unneeded_models(settings, known_nights(settings, keep_days=30))
    assert unneeded_models(moved, known_nights(moved, keep_days=30)) == []
