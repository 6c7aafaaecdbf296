"""Killed training runs go on where they left off, to the same bits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import TrainingError
from rl.learning import training_run
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import KeptNetwork, TrainingRun
from rl.learning.updates.optimizers import FusedOptimizer
from tests.killing import run_in_child
from tests.rl.chain import chain_episodes
from tests.rl.factories import make_logged_episodes
from tests.rl.learning.learning_batches import DISCRETE

N_UPDATES = 60
# Updates between two checkpoints, where a test doesn't want one after each: a resumed run repeats some.
SPARSE = 7
every_algorithm = pytest.mark.parametrize("algorithm", DISCRETE)


class Killed(BaseException):
    """Ends a run as a kill does: nothing is tidied up."""


class SparseTimer:
    """In place of a timer: due after so many updates."""

    def __init__(self, every_seconds: float) -> None:  # noqa: ARG002  (the timer's)
        self._n_asked = 0

    def is_due(self) -> bool:
        self._n_asked += 1
        return self._n_asked % SPARSE == 0


@pytest.fixture
def sparse_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs write a checkpoint after every seventh update alone."""
    monkeypatch.setattr(training_run, "Timer", SparseTimer)


@cache
def episodes() -> LoggedEpisodes:
    return chain_episodes(100)


def train(algorithm: str, file: CheckpointFile | None = None) -> TrainedCandidate:
    own = (
        {"target_update_interval": 7} if "target_update_interval" in Candidate.algorithms[algorithm].parameters else {}
    )
    candidate = Candidate.model_validate(
        {
            "algorithm": algorithm,
            "seeds": (3,),
            "n_updates": N_UPDATES,
            "batch_size": 16,
            "hidden_units": (8,),
            "n_checkpoints": 3,
            **own,
        }
    )
    return train_candidate(
        SeededCandidate(f"{algorithm}-3", candidate, 3),
        episodes(),
        episodes(),
        TrainingSettings(DiscountFunction(0.9), checkpoint=file, criterion=size_of_weights),
    )


def size_of_weights(kept: KeptNetwork) -> float:
    """Something that every network has."""
    return float(sum(np.abs(array.astype(np.float64)).sum() for array in kept.network.to_tensors().values()))


def outcome(trained: TrainedCandidate) -> tuple[Any, ...]:
    """Every bit that training gives, but for seconds."""
    networks = [
        (k.update, k.output_scale, {n: a.tobytes() for n, a in k.network.to_tensors().items()}) for k in trained.kept
    ]
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


@contextmanager
def killed_in_update(at_step: int) -> Iterator[list[int]]:
    """A run ends inside an update, before the optimizers' step of that number; steps done and begun are counted."""
    apply, begun = FusedOptimizer.apply, [0]

    def counted(optimizer: FusedOptimizer) -> None:
        begun[0] += 1
        if begun[0] == at_step:
            raise Killed
        apply(optimizer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FusedOptimizer, "apply", counted)
        yield begun


@every_algorithm
@pytest.mark.usefixtures("sparse_checkpoints")
def test_training_killed_at_ten_random_points_ends_with_the_same_bits(algorithm: str, tmp_path: Path) -> None:
    """Inside any update, with checkpoints that lag behind: networks, curves and scales are the same."""
    with killed_in_update(0) as whole:
        expected = outcome(train(algorithm))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run")
    per_update, generator = whole[0] // N_UPDATES, np.random.default_rng(11)
    for point in generator.integers(1, whole[0] + 1, size=10):
        file.remove()
        with killed_in_update(int(point)), pytest.raises(Killed):
            train(algorithm, file)
        n_saved = (int(point) - 1) // per_update // SPARSE * SPARSE
        assert file.path.exists() is bool(n_saved)
        with killed_in_update(0) as rest:
            assert outcome(train(algorithm, file)) == expected
        assert rest[0] == whole[0] - n_saved * per_update


@every_algorithm
@pytest.mark.usefixtures("sparse_checkpoints")
def test_training_survives_sigkill_at_any_moment(algorithm: str, tmp_path: Path) -> None:
    """A process is killed for real before one of its function calls, then a process that goes on from there too."""
    expected = outcome(train(algorithm))
    file = CheckpointFile(tmp_path / "checkpoint.pt", "this run")
    n_calls = calls_in_training(algorithm)
    ended_by = []
    for share in np.random.default_rng([5, len(algorithm)]).uniform(0.05, 0.95, size=2):

        def killed_run(number: int = int(share * n_calls)) -> None:
            with counted_calls(number):
                train(algorithm, file)

        ended_by.append(run_in_child(killed_run))
    # The second has fewer updates left to do: it may get through.
    assert ended_by[0] == signal.SIGKILL
    assert outcome(train(algorithm, file)) == expected


def calls_in_training(algorithm: str) -> int:
    """Function calls, of Python and of C, in a whole run."""
    with counted_calls(0) as n_calls:
        train(algorithm)
    return n_calls[0]


@contextmanager
def counted_calls(kill_before: int) -> Iterator[list[int]]:
    """Counts this thread's function calls; the process is killed before the one of that number."""
    n_calls = [0]

    def count(_: object, event: str, __: object) -> None:
        if event in ("call", "c_call"):
            n_calls[0] += 1
            if n_calls[0] == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield n_calls
    finally:
        sys.setprofile(before)


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
    log = make_logged_episodes([2] * 10)
    settings = TrainingSettings(DiscountFunction(0.9), criterion=lambda kept: -float(kept.update))
    found = train_candidate(SeededCandidate("bc-1", candidate, 1), log, log, settings)
    assert [kept.update for kept in found.kept] == [10, 20]
    assert (found.n_updates, found.stopped_early) == (20, True)
    rising = TrainingSettings(DiscountFunction(0.9), criterion=lambda kept: float(kept.update))
    whole = train_candidate(SeededCandidate("bc-1", candidate, 1), log, log, rising)
    assert [kept.update for kept in whole.kept] == [10, 20, 30, 40]
    assert not whole.stopped_early


def test_a_state_of_other_data_is_refused() -> None:
    """Rows of another number would be other batches."""
    with pytest.raises(TrainingError, match="row order"):
        ShuffledRows(10, 4, 0).load_state(ShuffledRows(11, 4, 0).state())
