"""What a policy prefers at an observation, and by how much: its first choice against the runner-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.policy import StochasticPolicy
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.ensemble_network import EnsembleNetwork
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import DenseNetwork, Network

MarginFunction = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

_Layers = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Preferences:
    """First and second choice at the observations that leave a choice.

    Attributes:
        rows: places among the observations asked about, ascending, `(m,)`; those with one action only are left out.
        chosen: action of the highest output among the available, `(m,)`.
        runner_up: action of the second highest, `(m,)`.
        margin: logarithm of the odds of the first against the second, before exploration, at least 0, `(m,)`.
    """

    rows: IntArray
    chosen: IntArray
    runner_up: IntArray
    margin: FloatArray

    @property
    def n(self) -> int:
        return len(self.rows)


def preferences(policy: StochasticPolicy, features: FeatureArray, mask: BoolArray) -> Preferences:
    """Return the first and second choice of the policy at each observation.

    Args:
        policy: whose choices are looked at.
        features: encoded observations, `(n, n_features)`.
        mask: True where the action is available, `(n, n_actions)`.
    """
    choosable = policy.considered(features, mask)
    rows = np.flatnonzero(choosable.sum(axis=1) >= 2)
    outputs = np.where(choosable[rows], policy.outputs(features[rows]), -np.inf)
    # A stable sort: among equal outputs the action of the lower index is the first choice, on every machine.
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :2].reshape(len(rows), 2)
    first, second = (np.take_along_axis(outputs, order[:, [place]], axis=1)[:, 0] for place in (0, 1))
    return Preferences(rows, order[:, 0], order[:, 1], (first - second) / log_odds_scale(policy))


def margins_between(
    policy: StochasticPolicy, features: FeatureArray, chosen: IntArray, runner_up: IntArray
) -> FloatArray:
    """Return the log odds of each row's first action against its second, whatever the policy prefers, `(n,)`."""
    outputs, rows = policy.outputs(features), np.arange(len(features))
    return np.asarray((outputs[rows, chosen] - outputs[rows, runner_up]) / log_odds_scale(policy))


def log_odds_scale(policy: StochasticPolicy) -> float:
    """Return the number that differences of the network's outputs are divided by to become log odds."""
    return policy.output_scale * policy.temperature


def margin_function(policy: StochasticPolicy) -> MarginFunction:
    """Return `margins_between` in torch's double precision, to take gradients of."""
    members, scale = _members(policy.network), log_odds_scale(policy)
    charges = torch.from_numpy(np.zeros(policy.n_actions) if policy.prices is None else policy.prices.charges)

    def margins(features: torch.Tensor, chosen: torch.Tensor, runner_up: torch.Tensor) -> torch.Tensor:
        between = torch.stack([_between(layers, features, chosen, runner_up) for layers in members]).mean(dim=0)
        return (between - (charges[chosen] - charges[runner_up])) / scale

    return margins


def _between(layers: _Layers, features: torch.Tensor, chosen: torch.Tensor, runner_up: torch.Tensor) -> torch.Tensor:
    """Return the output of each row's first action less that of its second, `(n,)`."""
    hidden = features
    for weight, bias in layers[:-1]:
        hidden = torch.relu(hidden @ weight.T + bias)
    weight, bias = layers[-1]
    # The two actions' rows alone: all other outputs would be computed for nothing.
    return (hidden * (weight[chosen] - weight[runner_up])).sum(dim=1) + bias[chosen] - bias[runner_up]


def _members(network: Network) -> list[_Layers]:
    """Return the layers of each network that outputs are the mean of."""
    if isinstance(network, EnsembleNetwork):
        return [_layers(member) for member in network.members]
    return [_layers(network)]


def _layers(network: Network) -> _Layers:
    valued = network.values if isinstance(network, FilteredNetwork) else network
    dense = valued.as_dense() if isinstance(valued, AttributeNetwork) else valued
    if not isinstance(dense, DenseNetwork):
        raise EvaluationError(f"a network of kind {network.kind} can't be explained by its layers; expected dense ones")
    return [
        (torch.from_numpy(weight.astype(np.float64)), torch.from_numpy(bias.astype(np.float64)))
        for weight, bias in zip(dense.weights, dense.biases, strict=True)
    ]
