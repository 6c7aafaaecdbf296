from __future__ import annotations

import numpy as np
import torch
from d3rlpy.models.torch import DiscreteMeanQFunctionForwarder

from rl.learning.networks.masked_networks import (
    UNAVAILABLE,
    FeaturesEncoderFactory,
    MaskedCategoricalPolicy,
    MaskedQFunction,
    MaskedQFunctionFactory,
    MaskedQFunctionForwarder,
)

N_FEATURES, N_ACTIONS = 5, 4
MASK = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]])


def made() -> tuple[MaskedQFunction, MaskedQFunctionForwarder]:
    torch.manual_seed(0)
    encoder = FeaturesEncoderFactory(hidden_units=(8, 6)).create(((N_FEATURES,), (N_ACTIONS,)))
    function, forwarder = MaskedQFunctionFactory().create_discrete(encoder, 6, N_ACTIONS)
    return function, forwarder


def observations() -> list[torch.Tensor]:
    return [torch.randn(2, N_FEATURES, generator=torch.Generator().manual_seed(1)), MASK]


def test_q_function_masks_its_values() -> None:
    """Values of unavailable actions are one finite constant, the others aren't touched."""
    function, _ = made()
    x = observations()
    values = function(x).q_value
    open_values = function([x[0], torch.ones_like(MASK)]).q_value
    assert (values[MASK == 0] == UNAVAILABLE).all()
    assert torch.equal(values[MASK == 1], open_values[MASK == 1])


def test_masked_actions_get_no_gradient() -> None:
    """Pushing a masked action's value up or down moves no weight of its output."""
    function, forwarder = made()
    torch.autograd.backward(forwarder.compute_expected_q(observations()).logsumexp(dim=1).sum())
    gradient = function._fc.bias.grad
    assert torch.isfinite(gradient).all()
    only_first = made()[0]
    x = observations()
    only_first([x[0][:1], x[1][:1]]).q_value.logsumexp(dim=1).sum().backward()
    assert only_first._fc.bias.grad[2:].tolist() == [0.0, 0.0]


def test_logsumexp_runs_over_available_actions_alone() -> None:
    """What the conservative term sees is what NumPy computes over the available actions."""
    function, forwarder = made()
    x = observations()
    found = forwarder.compute_expected_q(x).logsumexp(dim=1).detach().numpy()
    open_values = function([x[0], torch.ones_like(MASK)]).q_value.detach().numpy()
    expected = [np.log(np.exp(row[mask]).sum()) for row, mask in zip(open_values, MASK.numpy() == 1, strict=True)]
    assert np.allclose(found, expected, atol=1e-6)


def error(forwarder: DiscreteMeanQFunctionForwarder, x: list[torch.Tensor]) -> torch.Tensor:
    found: torch.Tensor = forwarder.compute_error(
        observations=x,
        actions=torch.tensor([[1], [3]]),
        rewards=torch.tensor([[20.0], [0.0]]),
        target=torch.tensor([[1.0], [UNAVAILABLE]]),
        terminals=torch.tensor([[0.0], [1.0]]),
        gamma=0.5,
    )
    return found


def test_errors_are_half_squares() -> None:
    """A large error counts by its square (a Huber loss would count it by its size), a terminal ignores its target."""
    function, forwarder = made()
    x = observations()
    values = function(x).q_value.detach().numpy()
    expected = 0.5 * np.mean([(20.5 - values[0, 1]) ** 2, values[1, 3] ** 2])
    assert np.isclose(error(forwarder, x).item(), expected)


def test_huber_errors_are_those_of_d3rlpy() -> None:
    """The other choice of loss is d3rlpy's own, large errors and small."""
    torch.manual_seed(0)
    encoder = FeaturesEncoderFactory(hidden_units=(8, 6)).create(((N_FEATURES,), (N_ACTIONS,)))
    function, forwarder = MaskedQFunctionFactory(loss="huber").create_discrete(encoder, 6, N_ACTIONS)
    own = DiscreteMeanQFunctionForwarder(function, N_ACTIONS)
    assert torch.allclose(error(forwarder, observations()), error(own, observations()))


def test_categorical_policy_gives_masked_actions_no_probability() -> None:
    """Unavailable actions have probability 0 exactly."""
    encoder = FeaturesEncoderFactory(hidden_units=(6,)).create(((N_FEATURES,), (N_ACTIONS,)))
    probabilities = MaskedCategoricalPolicy(encoder, 6, N_ACTIONS)(observations()).probs
    assert (probabilities[MASK == 0] == 0).all()
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(2))
