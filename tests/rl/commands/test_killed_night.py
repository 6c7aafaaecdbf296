"""A night killed with SIGKILL between any two of its steps can simply be run again: one dataset, one version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rl.commands import prepare, register, train
from rl.registry.store import aliases, open_store
from tests.killing import FILE_STEPS, kill_until_through
from tests.rl.commands.conftest import NightHome

pytestmark = pytest.mark.xdist_group("nights")

MODEL = "recommendation-policy"
REGISTRY_STEPS = [
    *FILE_STEPS,
    *(
        (MlflowClient, name)
        for name in (
            "create_experiment",
            "create_run",
            "log_batch",
            "log_artifact",
            "log_artifacts",
            "create_registered_model",
            "create_model_version",
            "set_registered_model_alias",
            "set_tag",
            "set_terminated",
        )
    ),
]


def trained(night: NightHome) -> dict[str, str]:
    """Digest of the prepared dataset, and version of each candidate's policy."""
    prepared = night.command(prepare)
    versions = {name: night.command(train, candidate=name)["policy_version"] for name in prepared["candidates"]}
    return {"dataset": prepared["dataset_digest"], **versions}


def test_killed_training_gives_the_same_policies(
    logged_night: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each file that prepare and train leave, then run again: same digest, same policies."""
    night = logged_night.copied_to(tmp_path / "home")
    before = trained(night)
    n_kills = kill_until_through(lambda: trained(night), steps_before_kills=range(1, 40), monkeypatch=monkeypatch)
    assert n_kills >= 6
    assert trained(night) == before


def test_killed_registration_makes_one_version(
    logged_night: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each third step in MLflow: one version, one parent run, whole children, challenger as it should."""
    night = logged_night.copied_to(tmp_path / "home")
    n_kills = kill_until_through(
        lambda: night.command(register),
        steps_before_kills=range(1, 120, 3),
        steps=REGISTRY_STEPS,
        monkeypatch=monkeypatch,
    )
    result = night.command(register)
    assert n_kills >= 6
    assert json.loads(night.run.registration.read_text(encoding="utf-8")) == result
    with open_store(night.settings) as client:
        (version,) = client.search_model_versions(f"name = '{MODEL}'")
        assert aliases(client, MODEL) == {"challenger": int(version.version)}
        runs = client.search_runs([client.get_run(result["run_id"]).info.experiment_id])
        assert {run.info.status for run in runs} == {"FINISHED"}
        assert sorted(run.data.tags.get("nightcart.role", "") for run in runs) == ["candidate", "candidate", "night"]
