from __future__ import annotations

import numpy as np

from rl.learning.replay.replay_columns import CLOSING, ROW_BELOW, columns_of, has_own_closing
from tests.rl.chain import chain_episodes
from tests.rl.factories import make_logged_episodes


def test_columns_store_a_next_observation_only_where_no_row_has_it() -> None:
    """Within an episode the row below is the next observation; ends keep their own."""
    features = np.arange(5, dtype=np.float32)[:, None]
    following = np.array([1, 9, 3, 4, 8], dtype=np.float32)[:, None]  # 9 closes the first episode, 8 the second
    columns = columns_of(make_logged_episodes([2, 3], features=features, next_features=following))
    assert columns.closings[:, 0].tolist() == [9.0, 8.0]
    assert columns.records[:, CLOSING].tolist() == [ROW_BELOW, 0, ROW_BELOW, ROW_BELOW, 1]


def test_columns_compare_instead_of_assuming() -> None:
    """A next observation that isn't the row below, in the middle of an episode, is kept."""
    features = np.arange(3, dtype=np.float32)[:, None]
    following = np.array([1.5, 2, 3], dtype=np.float32)[:, None]
    columns = columns_of(make_logged_episodes([3], features=features, next_features=following))
    assert columns.closings[:, 0].tolist() == [1.5, 3.0]


def test_columns_compare_bits() -> None:
    """-0 isn't 0, and a NaN is the NaN below; so it is for widths that are no multiple of 64 bits."""
    for width in (1, 2, 3):
        features = np.zeros((4, width), dtype=np.float32)
        features[2] = np.nan
        following = np.array([[-0.0], [np.nan], [0.0], [0.0]], dtype=np.float32).repeat(width, axis=1)
        assert has_own_closing(features, following).tolist() == [True, False, False, True]


def test_columns_find_differences_in_every_block() -> None:
    """Rows are compared in blocks; the row at a block's edge is compared with the first of the next."""
    features = np.random.default_rng(1).normal(size=(5000, 4)).astype(np.float32)
    following = np.concatenate([features[1:], features[:1]])
    following[[2046, 2047, 2048, 4095, 4998], 3] += 1
    assert np.flatnonzero(has_own_closing(features, following)).tolist() == [2046, 2047, 2048, 4095, 4998, 4999]


def test_columns_share_features_and_keep_rewards_whole() -> None:
    """Features aren't copied; rewards keep all 64 bits."""
    episodes = chain_episodes(20)
    columns = columns_of(episodes)
    assert np.shares_memory(columns.features, episodes.features)
    assert np.array_equal(columns.reward, episodes.reward)
