from __future__ import annotations

from dataclasses import replace
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import d3rlpy
import numpy as np
import pytest
import torch

from rl.errors import TrainingError
from rl.learning.networks.masked_networks import FeaturesEncoderFactory
from rl.learning.replay import replay as replay_module
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_columns import NEXT_SET, columns_of
from tests.rl.chain import chain_episodes
from tests.rl.factories import make_logged_episodes


def all_rows(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int64)


def test_replay_holds_every_reward_of_cut_episodes() -> None:
    """The rewards of the replay sum to those of the log, where every episode is cut by a timeout."""
    episodes = chain_episodes(200, cut_every_step=True)
    assert episodes.timeout.sum() > 100
    batch = Replay(episodes).batch(all_rows(episodes.n_transitions))
    assert float(batch.rewards.sum()) == episodes.reward.sum() > 0
    assert len(batch.rewards) == episodes.n_transitions


def test_replay_is_terminal_only_where_nothing_follows() -> None:
    """A timeout isn't a terminal: the learner looks on from its next observation."""
    episodes = make_logged_episodes(
        [2, 1], terminal=np.array([False, False, True]), timeout=np.array([False, True, False])
    )
    batch = Replay(episodes).batch(all_rows(3))
    assert batch.terminals[:, 0].tolist() == [0.0, 0.0, 1.0]
    assert batch.next_observations[0][:, 0].tolist() == [1.0, 2.0, 3.0]


def test_replay_batch_gathers_rows_with_their_masks() -> None:
    """A batch holds the asked rows in order, each with the set in force now and next."""
    sets = np.array([[True, True, True], [True, False, True]])
    episodes = make_logged_episodes(
        [4],
        action=np.array([0, 2, 2, 0]),
        availability=sets,
        mask_index=np.array([0, 1, 0, 1]),
        next_mask_index=np.array([1, 0, 1, 1]),
        reward=np.array([1.0, 2.0, 3.0, 4.0]),
    )
    batch = Replay(episodes, reward_scale=2.0).batch(np.array([3, 1]))
    assert batch.observations[0][:, 0].tolist() == [3.0, 1.0]
    assert batch.observations[1].tolist() == sets[[1, 1]].tolist()
    assert batch.next_observations[1].tolist() == sets[[1, 0]].tolist()
    assert batch.actions[:, 0].tolist() == [0, 2]
    assert batch.rewards[:, 0].tolist() == [2.0, 1.0]


def test_replay_shows_its_only_set_in_every_row() -> None:
    """One availability set, and what is the same for all rows, aren't copied."""
    episodes = make_logged_episodes([3], action=np.array([0, 2, 0]), availability=np.array([[True, False, True]]))
    one = Replay(episodes).batch(all_rows(3))
    assert one.observations[1].tolist() == one.next_observations[1].tolist() == [[True, False, True]] * 3
    assert [one.observations[1].stride(0), one.intervals.stride(0)] == [0, 0]
    assert one.intervals.tolist() == [[1.0]] * 3
    assert one.next_actions.tolist() == one.returns_to_go.tolist() == [[0.0]] * 3


def test_replay_takes_action_size_from_the_vocabulary() -> None:
    """An action that was never logged still has its place."""
    episodes = make_logged_episodes([3], 7, action=np.zeros(3, dtype=np.int64))
    assert Replay(episodes).n_actions == 7
    assert Replay(episodes).observation_shape == ((1,), (7,))


def test_replay_masks_what_is_never_chosen_at_next_observations() -> None:
    """The target's maximum leaves out an action that is never served, unless nothing else is available."""
    sets = np.array([[True, True, True], [False, False, True]])
    episodes = make_logged_episodes([2], action=np.array([2, 2]), availability=sets, next_mask_index=np.array([0, 1]))
    batch = Replay(episodes, never_chosen=2).batch(all_rows(2))
    assert batch.observations[1].tolist() == [[True, True, True]] * 2
    assert batch.next_observations[1].tolist() == [[True, True, False], [False, False, True]]


def test_replay_refuses_empty_data() -> None:
    """There is nothing to learn from no transitions."""
    with pytest.raises(TrainingError, match="no transitions"):
        Replay(make_logged_episodes([]))


def test_replay_refuses_a_next_observation_without_actions() -> None:
    """A value can't be looked up where nothing can be done, unless nothing follows; stored columns may say anything."""
    sets = np.array([[True, True, True], [False, False, False]])
    values: dict[str, Any] = {"availability": sets, "action": np.zeros(2, dtype=np.int64)}
    sound = columns_of(make_logged_episodes([2], **values, next_mask_index=np.array([0, 1])))
    Replay(sound)
    records = sound.records.copy()
    records[:, NEXT_SET] = [1, 0]
    with pytest.raises(TrainingError, match="1 next observations have no available action, such as row 0"):
        Replay(replace(sound, records=records))


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_replay_serves_the_log_bit_for_bit(scale: float) -> None:
    """What is stored once, or scaled as it is gathered, comes out as if every column had been copied as it is."""
    episodes = chain_episodes(300, cut_every_step=False)
    rows = np.random.default_rng(0).permutation(episodes.n_transitions)
    batch = Replay(episodes, reward_scale=scale).batch(rows)
    assert np.array_equal(batch.observations[0].numpy(), episodes.features[rows])
    assert np.array_equal(batch.next_observations[0].numpy(), episodes.next_features[rows])
    assert np.array_equal(batch.observations[1].numpy(), episodes.mask(rows))
    assert np.array_equal(batch.next_observations[1].numpy(), episodes.next_mask(rows))
    assert np.array_equal(batch.rewards[:, 0].numpy(), (episodes.reward[rows] / scale).astype(np.float32))
    assert np.array_equal(batch.actions[:, 0].numpy(), episodes.action[rows])
    assert np.array_equal(batch.terminals[:, 0].numpy(), episodes.terminal[rows].astype(np.float32))


def test_replay_trains_what_d3rlpy_trains() -> None:
    """A batch is taken by an update of d3rlpy's own."""
    algorithm = d3rlpy.algos.DiscreteCQLConfig(batch_size=4, encoder_factory=FeaturesEncoderFactory((8,))).create()
    replay = Replay(chain_episodes(50))
    algorithm.create_impl(replay.observation_shape, replay.n_actions)
    losses = algorithm.impl.update(replay.batch(np.arange(4)), 1)
    assert np.isfinite(losses["loss"])


@pytest.mark.parametrize(("share", "place"), [(1.2, "cpu"), (1.3, "meta")])
def test_replay_leaves_a_fifth_of_a_device_free(share: float, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks come after the data: where free memory is 1.2 times the data, it stays where it is, at 1.3 it moves."""
    columns = columns_of(chain_episodes(50))
    monkeypatch.setattr(replay_module, "free_bytes", lambda _: share * columns.n_bytes)
    replay = Replay(columns, device="meta")
    assert replay.is_on_device is (place == "meta")


def test_replay_on_a_processor_asks_for_no_room() -> None:
    """The data lies there already."""
    assert replay_module.free_bytes("cpu") == np.inf


@pytest.mark.parametrize(
    ("found", "named", "is_same"),
    [("cuda:0", "cuda", True), ("cuda:0", "cuda:0", True), ("cuda:0", "cuda:1", False), ("cpu", "cuda", False)],
)
def test_device_is_known_by_any_name(found: str, named: str, is_same: bool) -> None:
    """A device without a number is any of its kind."""
    assert replay_module.is_there(torch.device(found), named) is is_same
