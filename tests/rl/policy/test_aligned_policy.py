from __future__ import annotations

import numpy as np
import pytest

from rl.policy.aligned_policy import AlignedPolicy
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary


def test_same_vocabulary_gives_the_same_probabilities() -> None:
    """Alignment changes nothing where there is nothing to align."""
    policy = make_policy()
    features, mask = policy.encode(make_observations()), np.ones((4, 3), dtype=bool)
    aligned = AlignedPolicy(policy, policy.vocabulary)
    assert np.allclose(aligned.probabilities(features, mask), policy.probabilities(features, mask))
    assert aligned.version == policy.version


def test_actions_are_mapped_by_key() -> None:
    """Another order of the same actions moves probabilities with their actions."""
    policy = make_policy("a", "b", "c")
    features, mask = policy.encode(make_observations()), np.ones((4, 3), dtype=bool)
    found = AlignedPolicy(policy, make_vocabulary("c", "a", "b")).probabilities(features, mask)
    assert np.allclose(found, policy.probabilities(features, mask)[:, [2, 0, 1]])


def test_unknown_actions_get_the_floor_alone() -> None:
    """An action that the older policy never knew has the exploration floor's share."""
    policy = make_policy("a", "b", "c", exploration_floor=0.2)
    features, mask = policy.encode(make_observations()), np.ones((4, 4), dtype=bool)
    found = AlignedPolicy(policy, make_vocabulary("a", "b", "c", "new")).probabilities(features, mask)
    assert found[:, 3] == pytest.approx(0.2 / 4)
    assert np.allclose(found.sum(axis=1), 1)


def test_only_unknown_actions_are_equally_likely() -> None:
    """Where it knows none of the available actions, the older policy has no preference."""
    policy = make_policy("a", "b", "c")
    features = policy.encode(make_observations(1))
    mask = np.array([[False, True, True]])
    found = AlignedPolicy(policy, make_vocabulary("a", "new", "newer")).probabilities(features, mask)
    assert np.allclose(found, [[0, 0.5, 0.5]])
