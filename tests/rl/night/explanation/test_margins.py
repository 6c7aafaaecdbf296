"""First and second choice of a policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rl.night.explanation.margins import margin_function, margins_between, preferences
from rl.policy.action_probabilities import masked_softmax
from rl.policy.ensemble_network import EnsembleNetwork
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import DenseNetwork
from tests.rl.night.explanation.planted import planted_decisions


def test_preferences_are_the_two_likeliest_available_actions() -> None:
    """Chosen and runner-up are the first two of the probabilities, and never out of stock."""
    policy, features, mask = planted_decisions(200)
    found = preferences(policy, features, mask)
    order = np.argsort(-policy.probabilities(features, mask), axis=1)
    np.testing.assert_array_equal(found.chosen, order[found.rows, 0])
    np.testing.assert_array_equal(found.runner_up, order[found.rows, 1])
    assert mask[found.rows, found.runner_up].all()


def test_margin_is_the_logarithm_of_the_odds_before_exploration() -> None:
    """exp(margin) is the softmax probability of the first over that of the second."""
    policy, features, mask = planted_decisions(50)
    found = preferences(policy, features, mask)
    softmax = masked_softmax(policy.outputs(features) / policy.output_scale, mask, policy.temperature)
    odds = softmax[found.rows, found.chosen] / softmax[found.rows, found.runner_up]
    np.testing.assert_allclose(np.exp(found.margin), odds, rtol=1e-5)  # the network computes in float32


def test_preferences_leave_out_observations_without_a_choice() -> None:
    """An observation with one action only has no runner-up."""
    policy, features, mask = planted_decisions(5)
    mask[2] = [False, True, False, False]
    assert preferences(policy, features, mask).rows.tolist() == [0, 1, 3, 4]


def test_preferences_break_ties_by_the_lower_index() -> None:
    """Equal outputs give the same choice everywhere."""
    policy, features, mask = planted_decisions(1)
    network = policy.network
    assert isinstance(network, DenseNetwork)
    constant = np.zeros_like(network.weights[1])
    tied = DenseNetwork((network.weights[0], constant), (network.biases[0], constant[:, 0]))
    found = preferences(replace(policy, network=tied), features, np.ones_like(mask))
    assert (found.chosen[0], found.runner_up[0], found.margin[0]) == (0, 1, 0.0)


def test_margin_function_agrees_with_the_policy() -> None:
    """Torch's double precision and NumPy's single precision compute the same margins."""
    policy, features, mask = planted_decisions(100)
    found = preferences(policy, features, mask)
    expected = margins_between(policy, features, found.chosen, found.runner_up)
    margins = margin_function(policy)(
        torch.from_numpy(features.astype(np.float64)), torch.from_numpy(found.chosen), torch.from_numpy(found.runner_up)
    )
    assert margins.numpy() == pytest.approx(expected, abs=1e-4)


def test_margins_of_several_networks_are_those_of_their_mean() -> None:
    """Gradients go through every member; at a price, charges are taken off once."""
    policy, features, mask = planted_decisions(60)
    dense = policy.network
    assert isinstance(dense, DenseNetwork)
    members = (dense, DenseNetwork(dense.weights, tuple(-2 * bias for bias in dense.biases)))
    several = replace(policy, network=EnsembleNetwork(members))
    found = preferences(several, features, mask)
    inputs = torch.from_numpy(features.astype(np.float64)).requires_grad_()
    margins = margin_function(several)(inputs, torch.from_numpy(found.chosen), torch.from_numpy(found.runner_up))
    expected = margins_between(several, features, found.chosen, found.runner_up)
    assert margins.detach().numpy() == pytest.approx(expected, abs=1e-4)
    margins.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert inputs.grad is not None
    each = []
    for member in members:
        own = torch.from_numpy(features.astype(np.float64)).requires_grad_()
        alone = margin_function(replace(policy, network=member))
        alone(own, torch.from_numpy(found.chosen), torch.from_numpy(found.runner_up)).sum().backward()
        assert own.grad is not None
        each.append(own.grad.numpy())
    assert inputs.grad.numpy() == pytest.approx(np.mean(each, axis=0))


def test_preferences_are_among_what_the_policy_considers() -> None:
    """An action that a filter rules out is neither first choice nor runner-up; margins are those of the values."""
    policy, features, mask = planted_decisions(20)
    values = policy.network
    assert isinstance(values, DenseNetwork)
    logits = np.zeros(values.n_outputs, dtype=np.float32)
    logits[0] = -10.0
    imitator = DenseNetwork((np.zeros((values.n_outputs, values.n_inputs), np.float32),), (logits,))
    filtered = replace(policy, network=FilteredNetwork(values, imitator, 0.5))
    everything = np.ones_like(mask)
    found = preferences(filtered, features, everything)
    without = everything.copy()
    without[:, 0] = False
    expected = preferences(policy, features, without)
    assert found.chosen.tolist() == expected.chosen.tolist()
    assert found.runner_up.tolist() == expected.runner_up.tolist()
    inputs = (
        torch.from_numpy(features.astype(np.float64)),
        torch.from_numpy(found.chosen),
        torch.from_numpy(found.runner_up),
    )
    assert np.allclose(margin_function(filtered)(*inputs).numpy(), found.margin, atol=1e-5)
