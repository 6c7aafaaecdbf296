"""Shares of actions under log and policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.night.action_shares import action_shares
from tests.rl.factories import make_logged_episodes


@dataclass(frozen=True)
class Always:
    """Always the same action."""

    action: int
    version: str = "always"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return np.tile(np.eye(mask.shape[1])[self.action], (len(features), 1))


def test_shares_count_the_log_and_average_the_policy() -> None:
    """Six rows of three actions in turn against a policy that takes one: a third each, and one whole."""
    shares = action_shares(Always(2), make_logged_episodes((2, 4), n_actions=3))
    assert shares.logged == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert shares.policy == pytest.approx([0, 0, 1])
    assert shares.distance == pytest.approx(2 / 3)


def test_most_frequent_takes_either_side() -> None:
    """An action that only the policy takes stands beside those of the log."""
    shares = action_shares(Always(3), make_logged_episodes((2, 4), n_actions=4, action=np.array([0, 0, 0, 0, 1, 1])))
    assert [name for name, _, _ in shares.most_frequent(["a", "b", "c", "d"], 2)] == ["d", "a"]
