"""A whole night whose candidate is the mean of several networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rl.commands import evaluate, register
from rl.figures.night import read_figures
from rl.policy import load_policy
from rl.policy.ensemble_network import EnsembleNetwork
from tests.rl.commands.conftest import SMALL, NightHome, made_up_night
from tests.rl.factories import make_pipeline

pytestmark = pytest.mark.xdist_group("nights")

CANDIDATES = [
    {
        "algorithm": "discrete_cql",
        "seeds": [1],
        "n_updates": 60,
        "hidden_units": [16],
        "target_update_interval": 20,
        "conservative_weight": 0.1,
        "n_checkpoints": 2,
        "ensemble": 3,
    },
]


@pytest.fixture(scope="module")
def ensemble_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    pipeline = make_pipeline("canonical", **{**SMALL, "candidates": CANDIDATES})
    night = made_up_night(tmp_path_factory.mktemp("ensemble") / "home", pipeline)
    night.command(evaluate)
    return night


def test_several_networks_are_one_candidate(ensemble_night: NightHome) -> None:
    """One name, one policy of three members, each kept after the same updates; no checkpoint is left."""
    (row,) = read_figures(ensemble_night.run.evaluation).candidates
    assert (row.name, row.value is not None) == ("discrete_cql-1", True)
    folder = ensemble_night.run.candidate("discrete_cql-1")
    for kept in (folder / "policy", folder / "checkpoints" / "000000030", folder / "checkpoints" / "000000060"):
        network = load_policy(kept).network
        assert isinstance(network, EnsembleNetwork)
        assert len(network.members) == 3
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["n_updates"], result["settings"]["ensemble"]) == (60, 3)
    assert list(folder.glob("checkpoint*.pt")) == []


def test_its_decisions_are_explained(ensemble_night: NightHome) -> None:
    """Its members' layers are all looked through."""
    explanation = read_figures(ensemble_night.run.evaluation).explanation
    assert explanation is not None
    assert (explanation.refusal, bool(explanation.features)) == (None, True)


def test_it_is_registered_with_all_its_members(ensemble_night: NightHome, tmp_path: Path) -> None:
    """The version's own policy is the one that was judged."""
    night = ensemble_night.copied_to(tmp_path / "home")
    result = night.command(register)
    assert result["is_new"]
    judged = read_figures(night.run.evaluation).selected.policy_version
    artifacts = [path.parent for path in night.home.rglob("policy.json") if "candidates" not in path.parts]
    saved = [load_policy(folder) for folder in artifacts]
    assert saved
    assert {one.version for one in saved} == {judged}
    assert all(isinstance(one.network, EnsembleNetwork) for one in saved)
