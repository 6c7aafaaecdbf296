from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy import StochasticPolicy, load_policy
from rl.policy.aligned_policy import AlignedPolicy
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import DenseNetwork
from rl.policy.network_kinds import NETWORKS, network_from
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary

N_FEATURES = 3


def constant(outputs: list[float]) -> DenseNetwork:
    """A network whose outputs don't depend on the features."""
    bias = np.array(outputs, dtype=np.float32)
    return DenseNetwork((np.zeros((len(outputs), N_FEATURES), dtype=np.float32),), (bias,))


def filtered(shares: list[float], flexibility: float = 0.3) -> FilteredNetwork:
    """Values 0, 1, 2, ...; the imitator holds actions for likely in these shares."""
    values = constant([float(i) for i in range(len(shares))])
    return FilteredNetwork(values, constant(list(np.log(shares))), flexibility)


def features(n: int = 1) -> np.ndarray:
    return np.zeros((n, N_FEATURES), dtype=np.float32)


def test_unlikely_actions_are_not_considered() -> None:
    """At .3, an action half as likely as the likeliest is considered, one a fifth as likely isn't."""
    found = filtered([0.5, 0.25, 0.1]).considered(features(), np.ones((1, 3), dtype=bool))
    assert found.tolist() == [[True, True, False]]


def test_likeliest_is_the_likeliest_available() -> None:
    """Where the favourite is out of stock, the threshold is taken from those that aren't."""
    network = filtered([0.9, 0.05, 0.04])
    mask = np.array([[True, True, True], [False, True, True], [False, False, True], [False, False, False]])
    assert network.considered(features(4), mask).tolist() == [
        [True, False, False],
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


def test_network_is_read_back_from_its_tensors() -> None:
    """Values, imitator and threshold, to the last bit."""
    network = filtered([0.5, 0.25, 0.25], flexibility=0.7)
    again = network_from("filtered", network.to_tensors())
    assert isinstance(again, FilteredNetwork)
    assert again.flexibility == 0.7
    assert all(np.array_equal(a, again.to_tensors()[name]) for name, a in network.to_tensors().items())


@pytest.mark.parametrize("flexibility", [0.0, 1.0, float("nan")])
def test_flexibility_is_a_share(flexibility: float) -> None:
    """A threshold that lets all or none through is a mistake."""
    with pytest.raises(PolicyError, match="between 0 and 1"):
        filtered([0.5, 0.5], flexibility=flexibility)


def test_networks_of_different_shapes_are_refused() -> None:
    """An imitator of other actions isn't one."""
    with pytest.raises(PolicyError, match="expected the same"):
        FilteredNetwork(constant([0.0, 1.0]), constant([0.0]), 0.5)


def test_unknown_kind_is_answered_with_a_known_one() -> None:
    """A file from a later version says which kind it needs."""
    with pytest.raises(PolicyError, match="no network kind 'filterd'; did you mean 'filtered'"):
        network_from("filterd", {})
    assert set(NETWORKS) >= {"dense", "filtered"}


def filtered_policy(*keys: str) -> StochasticPolicy:
    """A policy that prefers later actions, and finds the last too unlikely."""
    policy = make_policy(*keys)
    shape = (policy.n_actions, policy.encoder.n_features)
    logits = np.zeros(policy.n_actions, dtype=np.float32)
    logits[-1] = -10.0
    values, imitator = (
        DenseNetwork((np.zeros(shape, np.float32),), (bias,))
        for bias in (np.arange(len(logits), dtype=np.float32), logits)
    )
    return replace(policy, network=FilteredNetwork(values, imitator, 0.3))


def test_policy_gives_unlikely_actions_the_exploration_floor_alone(tmp_path: Path) -> None:
    """Before exploration, a filtered action has probability 0, whatever its value; so it has after saving."""
    policy = filtered_policy("a", "b", "c")
    inputs, mask = policy.encode(make_observations()), np.ones((4, 3), dtype=bool)
    found = policy.probabilities(inputs, mask)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found[:, 2], policy.exploration_floor / 3)
    assert (found[:, 1] > found[:, 0]).all()
    policy.save(tmp_path)
    again = load_policy(tmp_path)
    assert again.version == policy.version
    assert np.array_equal(again.probabilities(inputs, mask), found)


def test_policy_of_unlikely_actions_alone_still_chooses() -> None:
    """Where only the unlikely action is available, it is the likeliest."""
    policy = filtered_policy("a", "b", "c")
    mask = np.array([[False, False, True]])
    assert policy.probabilities(policy.encode(make_observations(1)), mask).tolist() == [[0.0, 0.0, 1.0]]


def test_aligned_policy_filters_among_the_actions_it_knows() -> None:
    """Under a newer vocabulary, what the older policy wouldn't consider still isn't."""
    policy = filtered_policy("a", "b", "c")
    inputs, mask = policy.encode(make_observations()), np.ones((4, 3), dtype=bool)
    found = AlignedPolicy(policy, make_vocabulary("c", "b", "a")).probabilities(inputs, mask)
    assert np.allclose(found, policy.probabilities(inputs, mask)[:, ::-1])
