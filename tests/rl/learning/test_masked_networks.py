from __future__ import annotations

import numpy as np
import torch

from rl.learning.masked_networks import (
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


def error(forwarder: MaskedQFunctionForwarder, x: list[torch.Tensor]) -> torch.Tensor:
    return forwarder.compute_error(
        observations=x, actions=torch.tensor([[1], [3]]), rewards=torch.tensor([[20.0], [0.0]]),
        target=torch.tensor([[1.0], [UNAVAILABLE]]), terminals=torch.tensor([[0.0], [1.0]]), gamma=0.5,
    )  # fmt: skip


def test_errors_are_half_squares() -> None:
    """A large error counts by its square (a Huber loss would count it by its size), a terminal ignores its target."""
    function, forwarder = made()
    x = observations()
    values = function(x).q_value.detach().numpy()
    expected = 0.5 * np.mean([(20.5 - values[0, 1]) ** 2, values[1, 3] ** 2])
    assert np.isclose(error(forwarder, x).item(), expected)


def test_values_left_over_serve_the_same_observations_once() -> None:
    """The conservative term reuses the TD error's values, with their graph."""
    _, forwarder = made()
    x = observations()
    error(forwarder, x)
    assert forwarder._left is not None
    left = forwarder._left[2]
    assert forwarder.compute_expected_q(x) is left
    assert forwarder.compute_expected_q(x) is not left


def test_values_left_over_are_not_used_after_an_update() -> None:
    """Once weights have changed, values are computed again."""
    function, forwarder = made()
    x = observations()
    error(forwarder, x)
    with torch.no_grad():
        function._fc.weight.add_(1.0)
    assert torch.equal(forwarder.compute_expected_q(x), function(x).q_value)


def test_values_left_over_are_not_used_for_other_observations() -> None:
    """Equal shapes aren't the same observations."""
    function, forwarder = made()
    x, other = observations(), [torch.zeros(2, N_FEATURES), MASK]
    error(forwarder, x)
    assert torch.equal(forwarder.compute_expected_q(other), function(other).q_value)


def test_categorical_policy_gives_masked_actions_no_probability() -> None:
    """Unavailable actions have probability 0 exactly."""
    encoder = FeaturesEncoderFactory(hidden_units=(6,)).create(((N_FEATURES,), (N_ACTIONS,)))
    probabilities = MaskedCategoricalPolicy(encoder, 6, N_ACTIONS)(observations()).probs
    assert (probabilities[MASK == 0] == 0).all()
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(2))
