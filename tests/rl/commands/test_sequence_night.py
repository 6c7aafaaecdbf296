"""Whole nights whose candidates read sequences, keep networks on the way, and stop early."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.commands import evaluate, register
from rl.figures.night import read_figures
from rl.policy import load_policy
from tests.rl.commands.conftest import SMALL, NightHome, made_up_night
from tests.rl.factories import make_pipeline

pytestmark = pytest.mark.xdist_group("nights")

CANDIDATES = [
    {"algorithm": "bc", "seeds": [1], "n_updates": 60, "hidden_units": [16]},
    {
        "algorithm": "discrete_cql",
        "seeds": [1],
        "n_updates": 150,
        "hidden_units": [32],
        "target_update_interval": 50,
        "conservative_weight": 0.1,
        "n_checkpoints": 3,
        "encoder": {"kind": "gru", "history_length": 5, "embedding_size": 8, "width": 16, "is_output_tied": True},
    },
]


@pytest.fixture(scope="module")
def sequence_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    pipeline = make_pipeline("canonical", **{**SMALL, "candidates": CANDIDATES})
    night = made_up_night(tmp_path_factory.mktemp("sequence") / "home", pipeline)
    night.command(evaluate)
    return night


def test_a_night_with_a_sequence_candidate_is_evaluated(sequence_night: NightHome) -> None:
    """Dense and sequence candidates are valued on the same episodes, and the explanation is there or says why not."""
    result = read_figures(sequence_night.run.evaluation)
    assert {row.name for row in result.candidates} == {"bc-1", "discrete_cql-1"}
    assert all(row.value is not None for row in result.candidates)
    explanation = result.explanation
    assert explanation is not None
    assert explanation.refusal is not None or explanation.features


def test_the_chosen_network_is_one_of_those_kept(sequence_night: NightHome) -> None:
    """Three networks of the CQL candidate are kept; the page says after how many updates the one in use was."""
    rows = {row.name: row for row in read_figures(sequence_night.run.evaluation).candidates}
    assert rows["discrete_cql-1"].update in (50, 100, 150)
    assert (rows["bc-1"].update, rows["bc-1"].n_updates) == (60, 60)
    folder = sequence_night.run.candidate("discrete_cql-1")
    kept = sorted(int(path.name) for path in (folder / "checkpoints").iterdir())
    assert kept == [50, 100, 150]
    assert load_policy(folder / "checkpoints" / "000000150").version == load_policy(folder / "policy").version
    assert not (folder / "checkpoint.pt").exists()


def test_a_night_with_a_sequence_candidate_is_registered(sequence_night: NightHome, tmp_path: Path) -> None:
    """Whichever policy was selected becomes a version with its page."""
    night = sequence_night.copied_to(tmp_path / "home")
    assert night.command(register)["is_new"]
    assert night.run.page.exists()
