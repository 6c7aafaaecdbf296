from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from conf.specs.scenario import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import TrainingError
from rl.learning import training
from rl.learning.algorithms.behavior_cloning import FastCloning
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.learning.training_run import TrainingRun
from rl.learning.updates.optimizers import CosineRate
from rl.policy.action_probabilities import masked_softmax
from tests.rl.chain import ADVANCE, GAMMA, TAKE, all_states, chain_episodes, exact_value
from tests.rl.factories import make_logged_episodes

CHAIN_SETTINGS: dict[str, Any] = {
    "n_updates": 600,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "hidden_units": (32,),
}
CHAIN_PARAMETERS: dict[str, dict[str, Any]] = {
    "bc": {},
    "discrete_cql": {"conservative_weight": 0.1, "target_update_interval": 25},
}


@cache
def train_chain(algorithm: str, **values: Any) -> TrainedCandidate:
    """Trained once for all tests that look at it."""
    candidate = Candidate(algorithm=algorithm, seeds=(1,), **CHAIN_SETTINGS, **CHAIN_PARAMETERS[algorithm])
    episodes = chain_episodes(**values)
    return train_candidate(
        SeededCandidate(f"{algorithm}-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(GAMMA))
    )


def greedy(trained: TrainedCandidate) -> np.ndarray:
    features, mask = all_states()
    return masked_softmax(trained.network.forward(features).astype(np.float64), mask, 1e-3)


def test_q_learning_looks_ahead_where_cloning_and_greed_do_not() -> None:
    """In the chain, CQL finds the optimal policy (7.29); the clone and the greedy one-step choice earn 1."""
    one_step = np.eye(3)[[TAKE] * 4]
    assert exact_value(one_step) == 1.0
    assert exact_value(greedy(train_chain("bc"))) == pytest.approx(1.0)
    assert exact_value(greedy(train_chain("discrete_cql"))) == pytest.approx(10 * GAMMA**3)


def test_values_come_out_in_reward_units() -> None:
    """Outputs times the reward scale are the true values of advancing, within 15% (squared loss, small penalty)."""
    trained = train_chain("discrete_cql")
    values = trained.network.forward(all_states()[0])[:, ADVANCE] * trained.reward_scale
    assert np.allclose(values, [10 * GAMMA**3, 10 * GAMMA**2, 10 * GAMMA, 10], rtol=0.15)


def test_cutting_episodes_loses_nothing() -> None:
    """The same transitions, each cut off by a timeout, teach exactly the same."""
    whole, cut = train_chain("discrete_cql"), train_chain("discrete_cql", cut_every_step=True)
    before, after = whole.network.to_tensors(), cut.network.to_tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_curves_cover_training_and_validation() -> None:
    """Loss terms of both splits and the agreement with the log, from early on to the last update."""
    curve = train_chain("discrete_cql").curve
    names = {(point.split, point.metric) for point in curve}
    terms = {"loss", "td_loss", "conservative_loss"}
    assert names == {("train", term) for term in terms} | {("validation", term) for term in (*terms, "agreement")}
    assert min(point.update for point in curve) == 24
    assert max(point.update for point in curve) == 600
    losses = [point.value for point in curve if (point.split, point.metric) == ("train", "conservative_loss")]
    assert np.isfinite(losses).all()


def test_curve_of_fewer_updates_than_points() -> None:
    """A short training has a point per update."""
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=3, batch_size=4)
    episodes = make_logged_episodes()
    found = train_candidate(
        SeededCandidate("bc-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(0.9))
    )
    assert {point.update for point in found.curve} == {1, 2, 3}


def test_training_refuses_a_loss_that_is_not_finite() -> None:
    """The message names the update, and what to change."""
    candidate = Candidate(algorithm="discrete_cql", seeds=(1,), n_updates=50, batch_size=8, learning_rate=1e30)
    episodes = make_logged_episodes([2] * 20)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at update \d+ of 50; lower its learning_rate"):
        train_candidate(
            SeededCandidate("x-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(0.9))
        )


@pytest.mark.parametrize("n_updates", [1, 59])
def test_training_refuses_a_network_that_diverged_in_its_last_update(
    n_updates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loss has seen those weights yet, and the last update needn't be a point of the curve."""
    monkeypatch.setattr(CosineRate, "_set", _explode_at(n_updates - 1))
    candidate = Candidate(
        algorithm="discrete_cql",
        seeds=(1,),
        n_updates=n_updates,
        batch_size=8,
        learning_rate=1e20 if n_updates == 1 else 1e-3,
    )
    episodes = make_logged_episodes([2] * 20)
    with pytest.raises(TrainingError, match=rf"the validation loss is (nan|inf).* at update {n_updates} of"):
        train_candidate(
            SeededCandidate("x-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(0.9))
        )


def _explode_at(update: int) -> Callable[[CosineRate], None]:
    """The rate after so many updates is far too high."""

    def set_rate(schedule: CosineRate) -> None:
        if schedule._n_steps == update:
            schedule._optimizer.param_groups[0]["lr"] = 1e20

    return set_rate


@pytest.mark.parametrize("held_out", [True, False])
def test_training_keeps_no_weights_that_are_not_finite(held_out: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without validation episodes; the message names the array and what to change."""
    follow = FastCloning.follow

    def spoil(impl: Any, grad_step: int) -> None:
        follow(impl, grad_step)
        with torch.no_grad():
            impl.modules.imitator._fc.weight[0, 0] = torch.nan

    monkeypatch.setattr(FastCloning, "follow", spoil)
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=1, batch_size=8)
    episodes = make_logged_episodes([2] * 20)
    expected = "the validation loss is nan" if held_out else r"the weight 2\.weight is nan at update 1 of 1; lower its"
    with pytest.raises(TrainingError, match=expected):
        train_candidate(
            SeededCandidate("x-1", candidate, 1),
            episodes,
            episodes if held_out else None,
            TrainingSettings(DiscountFunction(0.9)),
        )


def test_training_refuses_no_data() -> None:
    """An empty split is an error, not an empty policy."""
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=1)
    empty = make_logged_episodes([])
    with pytest.raises(TrainingError, match="no transitions to learn from"):
        train_candidate(SeededCandidate("bc-1", candidate, 1), empty, empty, TrainingSettings(DiscountFunction(0.9)))


def test_out_of_memory_names_a_batch_size_to_try() -> None:
    """A batch that no machine holds is answered with half its size."""
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=1, batch_size=2**44, hidden_units=(4,))
    episodes = make_logged_episodes()
    with pytest.raises(TrainingError, match=f"out of memory with batch_size {2**44}; try batch_size {2**43}"):
        train_candidate(
            SeededCandidate("bc-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(0.9))
        )


def test_data_that_does_not_fit_is_not_blamed_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the replay can't be built, a smaller batch wouldn't help: the message names the setting that does."""

    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(training, "Replay", full)
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=1, batch_size=8)
    episodes = make_logged_episodes()
    with pytest.raises(TrainingError, match="bc-1: out of memory taking in 5 transitions; set NIGHTCART_TRAINING_MEM"):
        train_candidate(
            SeededCandidate("bc-1", candidate, 1), episodes, episodes, TrainingSettings(DiscountFunction(0.9))
        )


def test_training_lets_go_of_the_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once updates begin, next observations exist in the columns alone, where nobody else holds the episodes."""
    arrays: list[weakref.ref[Any]] = []

    def episodes() -> LoggedEpisodes:
        found = make_logged_episodes([2] * 20)
        arrays.append(weakref.ref(found.next_features))
        return found

    alive = _note_when_updates_begin(monkeypatch, lambda: sum(array() is not None for array in arrays))
    candidate = Candidate(algorithm="discrete_cql", seeds=(1,), n_updates=2, batch_size=8)
    train_candidate(
        SeededCandidate("x-1", candidate, 1), episodes(), episodes(), TrainingSettings(DiscountFunction(0.9))
    )
    assert (len(arrays), alive) == (2, [0])


def test_training_holds_the_data_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While updates run, NumPy holds at most 1.15 times the features and 32 bytes of record a row."""
    n_episodes, n_features = 4000, 64

    def episodes() -> LoggedEpisodes:
        features = np.random.default_rng(0).normal(size=(5 * n_episodes + 1, n_features)).astype(np.float32)
        return make_logged_episodes([5] * n_episodes, features=features[:-1].copy(), next_features=features[1:].copy())

    tracemalloc.start()
    held = _note_when_updates_begin(monkeypatch, lambda: tracemalloc.get_traced_memory()[0])
    candidate = Candidate(algorithm="discrete_cql", seeds=(1,), n_updates=2, batch_size=8)
    before = tracemalloc.get_traced_memory()[0]
    train_candidate(SeededCandidate("x-1", candidate, 1), episodes(), None, TrainingSettings(DiscountFunction(0.9)))
    tracemalloc.stop()
    assert held[0] - before < 1.15 * 5 * n_episodes * (4 * n_features + 32)


def _note_when_updates_begin(monkeypatch: pytest.MonkeyPatch, note: Callable[[], int]) -> list[int]:
    """What `note` gives at the first update goes into the list."""
    noted: list[int] = []
    finish = TrainingRun.finish

    def noting(run: TrainingRun, file: CheckpointFile | None = None) -> None:
        gc.collect()
        noted.append(note())
        finish(run, file)

    monkeypatch.setattr(TrainingRun, "finish", noting)
    return noted


def test_training_runs_on_the_threads_it_is_given() -> None:
    """Whatever the process ran on before."""
    before = torch.get_num_threads()
    candidate = Candidate(algorithm="bc", seeds=(1,), n_updates=1, batch_size=4)
    episodes = make_logged_episodes()
    for n_threads in (2, 1):
        settings = TrainingSettings(DiscountFunction(0.9), n_threads=n_threads)
        train_candidate(SeededCandidate("bc-1", candidate, 1), episodes, episodes, settings)
        assert torch.get_num_threads() == n_threads
    torch.set_num_threads(before)
