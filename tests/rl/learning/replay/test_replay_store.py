from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import ROW_FIELDS, LoggedEpisodes
from rl.errors import TrainingError
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.batches import GatheredBatches, PrefetchedBatches, batches_of
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_store import write_store
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.training import TrainingSettings, train_candidate
from tests.rl.chain import chain_episodes
from tests.rl.factories import make_logged_episodes
from tests.rl.ope.tabular_mdp import small_mdp

MEMORY = 1 << 20


def test_store_serves_what_memory_serves(tmp_path: Path) -> None:
    """Batches from files of several parts, with different sets each, are the log's, bit for bit."""
    mdp = small_mdp()
    policy = mdp.random_policy(1)
    parts = [mdp.log(policy, n_episodes=40, seed=seed, max_steps=3) for seed in range(3)]
    flipped = [
        make_logged_episodes(
            [3],
            3,
            features=np.ones((3, 4), dtype=np.float32),
            next_features=np.zeros((3, 4), dtype=np.float32),
            action=np.zeros(3, dtype=np.int64),
            availability=np.array([[True, False, True]]),
        )
    ]
    replay = Replay(write_store(tmp_path / "store", [*parts, *flipped], memory_bytes=MEMORY), reward_scale=0.7)
    first = 0
    for part in [*parts, *flipped]:
        rows = np.arange(part.n_transitions)
        ours, expected = replay.batch(rows + first), Replay(part, reward_scale=0.7).batch(rows)
        first += part.n_transitions
        for found, wanted in zip(
            [*ours.observations, *ours.next_observations, ours.actions, ours.rewards, ours.terminals],
            [
                *expected.observations,
                *expected.next_observations,
                expected.actions,
                expected.rewards,
                expected.terminals,
            ],
            strict=True,
        ):
            assert np.array_equal(found.numpy(), wanted.numpy())
    assert replay.n_transitions == first


def test_store_refuses_empty_data(tmp_path: Path) -> None:
    """There is nothing to learn from no transitions."""
    with pytest.raises(TrainingError, match="no transitions"):
        write_store(tmp_path / "store", [make_logged_episodes([])], memory_bytes=MEMORY)


def test_training_from_files_is_training_from_memory(tmp_path: Path) -> None:
    """The same candidate and seed end in the same weights, curves and scale, wherever the log is."""
    whole = chain_episodes(300)
    parts = [_episodes(whole, 0, 120), _episodes(whole, 120, 300)]
    candidate = Candidate(algorithm="discrete_cql", seeds=(3,), n_updates=40, batch_size=32, hidden_units=(16,))
    seeded = SeededCandidate("discrete_cql-3", candidate, 3)
    stored = write_store(tmp_path / "store", parts, memory_bytes=MEMORY)
    from_memory, from_files = (
        train_candidate(seeded, training, parts[0], TrainingSettings(DiscountFunction(0.9)))
        for training in (whole, stored)
    )
    ours, expected = from_files.network.to_tensors(), from_memory.network.to_tensors()
    assert all(np.array_equal(ours[name], expected[name]) for name in expected)
    assert [point.value for point in from_files.curve] == [point.value for point in from_memory.curve]
    assert from_files.output_scale == from_memory.output_scale


def test_prefetched_batches_are_the_gathered_ones(tmp_path: Path) -> None:
    """Threads that gather ahead change neither which batch comes next nor where the order stands."""
    replay = Replay(write_store(tmp_path / "store", [chain_episodes(100)], memory_bytes=MEMORY))
    ahead = batches_of(replay, ShuffledRows(replay.n_transitions, 16, seed=1))
    plain = GatheredBatches(replay, ShuffledRows(replay.n_transitions, 16, seed=1))
    assert isinstance(ahead, PrefetchedBatches)
    for _ in range(30):
        assert ahead.state() == plain.state()
        assert np.array_equal(ahead.next().observations[0].numpy(), plain.next().observations[0].numpy())


def test_prefetched_batches_go_on_from_a_state(tmp_path: Path) -> None:
    """What was gathered ahead of a loaded state is dropped."""
    replay = Replay(write_store(tmp_path / "store", [chain_episodes(100)], memory_bytes=MEMORY))
    left, taken_up = (PrefetchedBatches(replay, ShuffledRows(replay.n_transitions, 16, seed=s)) for s in (1, 2))
    left.next()
    taken_up.next()
    taken_up.load_state(left.state())
    for _ in range(5):
        assert np.array_equal(taken_up.next().rewards.numpy(), left.next().rewards.numpy())


def _episodes(whole: LoggedEpisodes, first: int, end: int) -> LoggedEpisodes:
    """Episodes first to end."""
    rows = slice(whole.offsets[first], whole.offsets[end])
    return replace(
        whole,
        **{name: getattr(whole, name)[rows] for name in ROW_FIELDS},
        metrics={name: values[rows] for name, values in whole.metrics.items()},
        offsets=whole.offsets[first : end + 1] - whole.offsets[first],
        unit=whole.unit[first:end],
        start_time=whole.start_time[first:end],
    )
