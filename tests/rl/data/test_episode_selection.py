"""Parts of a log: taken out and joined again they are the log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.episode_selection import join_episodes, take_episodes
from rl.data.logged_episodes import ROW_FIELDS, LoggedEpisodes
from rl.errors import DatasetError
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp()


def log(n: int = 40) -> LoggedEpisodes:
    found = MDP.log(MDP.random_policy(1), n_episodes=n, seed=1, n_units=10)
    return replace(found, metrics={"clicks": np.arange(found.n_transitions, dtype=np.float64)})


def test_parts_joined_in_order_are_the_log() -> None:
    """Every row and every episode, once."""
    whole, first = log(), np.arange(40) < 15
    joined = join_episodes([take_episodes(whole, first), take_episodes(whole, ~first)])
    for name in (*ROW_FIELDS, "offsets", "unit", "start_time", "availability"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    np.testing.assert_array_equal(joined.metrics["clicks"], whole.metrics["clicks"])


def test_rows_keep_their_availability_where_parts_number_sets_differently() -> None:
    """A split numbers the sets that it holds; joined, each row still has its own, and what is lumped there."""
    whole = log()
    flipped = replace(
        whole,
        availability=whole.availability[::-1],
        mask_index=3 - whole.mask_index,
        next_mask_index=3 - whole.next_mask_index,
        lumped=np.array([4, 3, 2, 1]),
    )
    joined = join_episodes([replace(whole, lumped=np.array([1, 2, 3, 4])), flipped])
    np.testing.assert_array_equal(joined.mask(), np.concatenate([whole.mask()] * 2))
    np.testing.assert_array_equal(joined.next_mask(), np.concatenate([whole.next_mask()] * 2))
    assert joined.lumped is not None
    np.testing.assert_array_equal(joined.lumped[joined.mask_index], np.tile(whole.mask_index + 1, 2))


def test_parts_that_do_not_belong_together_are_refused() -> None:
    """Other metrics, or no parts at all."""
    with pytest.raises(DatasetError, match="differ"):
        join_episodes([log(), replace(log(), metrics={})])
    with pytest.raises(DatasetError, match="no episodes to join"):
        join_episodes([])
