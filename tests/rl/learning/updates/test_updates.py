from __future__ import annotations

import pytest
import torch

from rl.learning.learner import Learner, make_learner
from rl.learning.replay.batches import GatheredBatches
from rl.learning.replay.replay import Replay
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.updates.captured_call import N_WARMUPS
from rl.learning.updates.updates import BatchUpdates, RowUpdates, updates_of
from tests.rl.chain import chain_episodes
from tests.rl.learning.learning_batches import DISCRETE, make_candidate
from tests.rl.learning.plain_recorder import PlainRecorder

SIZE = 16


def make(algorithm: str, *, is_captured: bool) -> tuple[Learner, Replay, ShuffledRows]:
    """A learner of the chain, its replay and an order of its rows."""
    torch.manual_seed(0)
    replay = Replay(chain_episodes(60))
    learner = make_learner(
        make_candidate(algorithm), observation_shape=replay.observation_shape, action_size=replay.n_actions, gamma=0.9
    )
    recorder = PlainRecorder() if is_captured else None
    return Learner(learner.algorithm, recorder=recorder), replay, ShuffledRows(replay.n_transitions, SIZE, seed=3)


def by_batch(algorithm: str) -> tuple[Learner, BatchUpdates]:
    learner, replay, order = make(algorithm, is_captured=False)
    return learner, BatchUpdates(learner, GatheredBatches(replay, order))


def by_row(algorithm: str, *, is_captured: bool = True) -> tuple[Learner, RowUpdates]:
    learner, replay, order = make(algorithm, is_captured=is_captured)
    return learner, RowUpdates(learner, replay, order)


@pytest.mark.parametrize("is_captured", [True, False])
@pytest.mark.parametrize("algorithm", DISCRETE)
def test_updates_by_row_are_those_by_batch(algorithm: str, is_captured: bool) -> None:
    """Every term, every weight and the sums, to the last bit."""
    (first, batches), (second, rows) = by_batch(algorithm), by_row(algorithm, is_captured=is_captured)
    for _ in range(N_WARMUPS + 4):
        terms, others = batches.next(), rows.next()
        assert {name: float(value) for name, value in terms.items()} == {n: float(v) for n, v in others.items()}
    for name, part in first.state()["parts"].items():
        for key, value in part.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, second.state()["parts"][name][key]), name
    assert first.take_sums() == second.take_sums()


def test_updates_by_row_go_on_where_they_were() -> None:
    """The next rows after loading are those that would have followed."""
    _, whole = by_row("bc")
    learner, begun = by_row("bc")
    for _ in range(5):
        whole.next(), begun.next()
    state, place = learner.state(), begun.state()
    other, resumed = by_row("bc")
    other.load_state(state)
    resumed.load_state(place)
    for _ in range(5):
        assert float(whole.next()["loss"]) == float(resumed.next()["loss"])


def test_updates_on_a_processor_are_by_batch() -> None:
    """There is no graph that could gather rows."""
    learner, replay, order = make("bc", is_captured=False)
    assert isinstance(updates_of(learner, replay, order), BatchUpdates)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_updates_on_a_gpu_are_by_row(device: str) -> None:
    """Where the data is there too, however the device is named."""
    learner, _, order = make("bc", is_captured=False)
    assert isinstance(updates_of(learner, Replay(chain_episodes(60), device=device), order), RowUpdates)
