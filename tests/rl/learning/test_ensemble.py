"""Candidates of several networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.learning.algorithms.output_spread import spread_in_training
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.ensemble import networks_of
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import KeptNetwork, TrainingRun
from rl.policy.ensemble_network import EnsembleNetwork
from tests.rl.chain import chain_episodes

N_UPDATES, N_NETWORKS, SEED = 30, 3, 5


@cache
def episodes() -> LoggedEpisodes:
    return chain_episodes(60)


def seeded(n_networks: int, seed: int = SEED, algorithm: str = "discrete_cql") -> SeededCandidate:
    candidate = Candidate(
        algorithm=algorithm,
        seeds=(seed,),
        n_updates=N_UPDATES,
        batch_size=16,
        hidden_units=(8,),
        n_checkpoints=2,
        ensemble=n_networks,
    )
    return SeededCandidate(f"{algorithm}-{seed}", candidate, seed)


def train(one: SeededCandidate, **values: Any) -> TrainedCandidate:
    settings = TrainingSettings(DiscountFunction(0.9), **values)
    return train_candidate(one, episodes(), episodes(), settings)


def bits(kept: KeptNetwork) -> tuple[int, float, dict[str, bytes]]:
    tensors = {name: array.tobytes() for name, array in kept.network.to_tensors().items()}
    return kept.update, kept.output_scale, tensors


def outcome(trained: TrainedCandidate) -> tuple[Any, ...]:
    """Every bit that training gives, but for seconds."""
    return [bits(kept) for kept in trained.kept], [asdict(point) | {"seconds": 0} for point in trained.curve]


@pytest.mark.parametrize("algorithm", ["discrete_cql", "bc"])
def test_kept_networks_are_those_of_candidates_trained_alone(algorithm: str) -> None:
    """The same bits as three candidates of the same seeds, those kept after the same updates joined in one network."""
    ensemble = train(seeded(N_NETWORKS, algorithm=algorithm))
    alone = [train(seeded(1, one.seed, algorithm)) for one in networks_of(seeded(N_NETWORKS))]
    assert [kept.update for kept in ensemble.kept] == [15, 30]
    for place, kept in enumerate(ensemble.kept):
        expected = EnsembleNetwork(tuple(one.kept[place].network for one in alone))
        assert bits(kept)[2] == bits(KeptNetwork(0, expected, 1.0))[2]
        outputs = np.mean([one.kept[place].network.forward(episodes().features) for one in alone], axis=0)
        assert np.allclose(kept.network.forward(episodes().features), outputs, atol=1e-5)


def test_outputs_are_scaled_by_the_spread_of_the_mean() -> None:
    """Members disagree, so that their mean spreads less: at a temperature it is as decided as any candidate."""
    ensemble = train(seeded(N_NETWORKS))
    assert ensemble.output_scale == spread_in_training(ensemble.network, episodes())
    alone = [train(seeded(1, one.seed)).output_scale for one in networks_of(seeded(N_NETWORKS))]
    assert ensemble.output_scale < float(np.sqrt(np.mean(np.square(alone))))


def test_a_training_repeats_itself_and_candidates_share_no_network() -> None:
    """The first network has the candidate's own seed; neighbouring candidates' networks are all others."""
    assert outcome(train(seeded(N_NETWORKS))) == outcome(train(seeded(N_NETWORKS)))
    seeds = [one.seed for seed in (SEED, SEED + 1) for one in networks_of(seeded(N_NETWORKS, seed))]
    assert (seeds[0], seeds[N_NETWORKS]) == (SEED, SEED + 1)
    assert len(set(seeds)) == 2 * N_NETWORKS
    assert networks_of(seeded(1)) == (seeded(1),)


def test_curves_are_means_and_the_criterion_is_of_the_mean() -> None:
    """One point for each of a network's; each kept mean is looked at, no member by itself."""
    looked_at: list[KeptNetwork] = []

    def criterion(kept: KeptNetwork) -> float:
        looked_at.append(kept)
        return 2.0

    found = train(seeded(N_NETWORKS), criterion=criterion)
    curves = [train(seeded(1, one.seed)).curve for one in networks_of(seeded(N_NETWORKS))]
    n_points = len(curves[0])
    expected = np.mean([[point.value for point in curve] for curve in curves], axis=0)
    assert [point.value for point in found.curve[:n_points]] == pytest.approx(expected)
    assert [(p.update, p.metric, p.value) for p in found.curve[n_points:]] == [
        (15, "gain_in_standard_errors", 2.0),
        (30, "gain_in_standard_errors", 2.0),
    ]
    assert [bits(kept) for kept in looked_at] == [bits(kept) for kept in found.kept]


class Killed(BaseException):
    """Ends a run as a kill does: nothing is tidied up."""


def counting(steps: list[int], at: int | None = None) -> Callable[[TrainingRun], None]:
    """In place of `TrainingRun.step`: counts updates, and kills the run before one of them."""
    step = TrainingRun.step

    def counted(run: TrainingRun) -> None:
        if len(steps) == at:
            raise Killed
        steps.append(1)
        step(run)

    return counted


@pytest.mark.parametrize("at", [1, N_UPDATES, N_UPDATES + 7, 3 * N_UPDATES - 1])
def test_a_killed_training_goes_on_with_the_network_it_was_at(at: int, tmp_path: Path) -> None:
    """Those that were done aren't trained again, and the bits are those of a run that never stopped."""
    expected, file = outcome(train(seeded(N_NETWORKS))), CheckpointFile(tmp_path / "checkpoint.pt", "this", 0.0)
    before: list[int] = []
    after: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRun, "step", counting(before, at))
        with pytest.raises(Killed):
            train(seeded(N_NETWORKS), checkpoint=file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingRun, "step", counting(after))
        assert outcome(train(seeded(N_NETWORKS), checkpoint=file)) == expected
    assert len(after) == N_NETWORKS * N_UPDATES - at
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_no_network_takes_up_another_ones_state(tmp_path: Path) -> None:
    """A file in another network's place is of another run."""
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this")
    file.of_network(1).write({"first": 1})
    assert file.of_network(0).path == file.path
    file.of_network(1).path.rename(file.of_network(2).path)
    assert file.of_network(2).read() is None
