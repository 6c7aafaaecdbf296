"""Killed training runs go on where they left off, to the same bits."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.candidate import Candidate
from rl.candidates import SeededCandidate
from rl.errors import TrainingError
from rl.learning.checkpoint import CheckpointFile
from rl.learning.row_order import ShuffledRows
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import KeptNetwork, TrainingRun
from tests.rl.chain import chain_episodes
from tests.rl.factories import make_logged_episodes

N_UPDATES = 60
OWN: dict[str, dict[str, Any]] = {
    "discrete_cql": {"target_update_interval": 7}, "discrete_sac": {"target_update_interval": 7}, "discrete_iql": {},
    "bc": {},
}  # fmt: skip


class Killed(BaseException):
    """Ends a run between two updates, as a kill does: nothing is tidied up."""


def train(algorithm: str, file: CheckpointFile | None = None, **values: Any) -> TrainedCandidate:
    candidate = Candidate(
        algorithm=algorithm, seeds=(3,), n_updates=N_UPDATES, batch_size=16, hidden_units=(8,), n_checkpoints=3,
        **OWN[algorithm], **values,
    )  # fmt: skip
    episodes = chain_episodes()
    return train_candidate(
        SeededCandidate(f"{algorithm}-3", candidate, 3), episodes, episodes,
        TrainingSettings(0.9, checkpoint=file, criterion=size_of_weights),
    )  # fmt: skip


def size_of_weights(kept: KeptNetwork) -> float:
    """Something that every network has."""
    return float(sum(np.abs(array.astype(np.float64)).sum() for array in kept.network.to_tensors().values()))


def outcome(trained: TrainedCandidate) -> tuple[Any, ...]:
    """Every bit that training gives, but for seconds."""
    networks = [(k.update, k.output_scale, {n: a.tobytes() for n, a in k.network.to_tensors().items()})
                for k in trained.kept]  # fmt: skip
    points = [{**asdict(point), "seconds": 0} for point in trained.curve]
    return networks, points, trained.n_updates, trained.stopped_early


def killed_after(monkeypatch: pytest.MonkeyPatch, n_updates: int) -> None:
    """The next run ends after its so-manieth update."""
    step, done = TrainingRun.step, [0]

    def counted(run: TrainingRun) -> None:
        if done[0] == n_updates:
            raise Killed
        done[0] += 1
        step(run)

    monkeypatch.setattr(TrainingRun, "step", counted)


@pytest.mark.parametrize("algorithm", list(OWN))
def test_training_killed_at_ten_random_points_ends_with_the_same_bits(algorithm: str, tmp_path: Path) -> None:
    """Whenever it is killed, and with checkpoints that lag behind: networks, curves and scales are the same."""
    expected = outcome(train(algorithm))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run", every_seconds=0.0)
    generator = np.random.default_rng(11)
    for n_updates in generator.integers(0, N_UPDATES, size=10):
        file.remove()
        with pytest.MonkeyPatch.context() as patch:
            killed_after(patch, int(n_updates))
            with pytest.raises(Killed):
                train(algorithm, file)
        assert file.path.exists() is bool(n_updates)
        assert outcome(train(algorithm, file)) == expected


def test_training_survives_kill_after_kill(tmp_path: Path) -> None:
    """Runs that each do a few updates come to the same end together."""
    expected = outcome(train("discrete_cql"))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run", every_seconds=0.0)
    for _ in range(5):
        with pytest.MonkeyPatch.context() as patch:
            killed_after(patch, 9)
            with pytest.raises(Killed):
                train("discrete_cql", file)
    assert outcome(train("discrete_cql", file)) == expected


def test_training_survives_sigkill(tmp_path: Path) -> None:
    """A process that is really killed, in the middle of writing too, leaves what the next one goes on from."""
    expected = outcome(train("discrete_cql"))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run", every_seconds=0.0)
    for place in ("before the draft is whole", "after it took its place"):
        pid = os.fork()
        if pid == 0:
            _kill_in_write(place, after=20)
            train("discrete_cql", file)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert outcome(train("discrete_cql", file)) == expected


def _kill_in_write(place: str, *, after: int) -> None:
    replace, n_written = Path.replace, [0]

    def killing(self: Path, target: Path) -> Path:
        n_written[0] += 1
        if n_written[0] == after and place.startswith("before"):
            self.write_bytes(self.read_bytes()[:100])
            os.kill(os.getpid(), signal.SIGKILL)
        found = replace(self, target)
        if n_written[0] == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    Path.replace = killing  # type: ignore[method-assign,assignment]  # in a child that is killed


@pytest.mark.parametrize("damage", ["torn", "foreign", "not a checkpoint"])
def test_checkpoints_that_are_no_use_are_not_used(damage: str, tmp_path: Path) -> None:
    """A torn file, another run's, or some other file: the run starts anew and comes to the same end."""
    expected = outcome(train("bc"))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run", every_seconds=0.0)
    with pytest.MonkeyPatch.context() as patch:
        killed_after(patch, 30)
        with pytest.raises(Killed):
            train("bc", file)
    if damage == "torn":
        file.path.write_bytes(file.path.read_bytes()[:-200])
    elif damage == "not a checkpoint":
        file.path.write_bytes(b"something else")
    else:
        file = CheckpointFile(file.path, "another run", every_seconds=0.0)
    assert file.read() is None
    assert outcome(train("bc", file)) == expected


def test_training_stops_when_no_network_is_better(tmp_path: Path) -> None:
    """With patience 1 and a criterion that only falls, it stops after the second kept network, and says so."""
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=40, batch_size=8, n_checkpoints=4, patience=1)
    episodes = make_logged_episodes([2] * 10)
    settings = TrainingSettings(0.9, criterion=lambda kept: -float(kept.update))
    found = train_candidate(SeededCandidate("bc-1", candidate, 1), episodes, episodes, settings)
    assert [kept.update for kept in found.kept] == [10, 20]
    assert (found.n_updates, found.stopped_early) == (20, True)
    rising = TrainingSettings(0.9, criterion=lambda kept: float(kept.update))
    whole = train_candidate(SeededCandidate("bc-1", candidate, 1), episodes, episodes, rising)
    assert [kept.update for kept in whole.kept] == [10, 20, 30, 40]
    assert not whole.stopped_early


def test_a_state_of_other_data_is_refused() -> None:
    """Rows of another number would be other batches."""
    with pytest.raises(TrainingError, match="row order"):
        ShuffledRows(10, 4, 0).load_state(ShuffledRows(11, 4, 0).state())
