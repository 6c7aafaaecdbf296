from __future__ import annotations

import numpy as np
import torch

from rl.learning.replay.observation_table import SplitTable, joined_table, observation_table
from rl.learning.replay.replay_columns import CLOSING, columns_of
from tests.rl.chain import chain_episodes


def test_tables_give_the_same_pairs() -> None:
    """The table for a GPU, where closings lie behind the rows, and the one for a processor agree with the log."""
    episodes = chain_episodes(100)
    columns = columns_of(episodes)
    rows = torch.from_numpy(np.random.default_rng(2).permutation(columns.n_transitions))
    closing = torch.from_numpy(columns.records)[:, CLOSING].index_select(0, rows)
    split = observation_table(columns, "cpu")
    joined = joined_table(torch.from_numpy(columns.features), torch.from_numpy(columns.closings), "cpu")
    assert isinstance(split, SplitTable)
    for now, following in (split.pairs(rows, closing), joined.pairs(rows, closing)):
        assert np.array_equal(now.numpy(), episodes.features[rows.numpy()])
        assert np.array_equal(following.numpy(), episodes.next_features[rows.numpy()])
