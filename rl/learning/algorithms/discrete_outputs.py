"""How a policy is made of what an algorithm over a set of actions has learned."""

from __future__ import annotations

from typing import Any, Literal

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.algorithms.output_spread import spread_in_training
from rl.learning.algorithms.served_layers import served_network
from rl.learning.replay.replay_columns import TrainingData
from rl.policy.network import Network


class DiscreteAlgorithm:
    """Base of the registry's entries over a set of actions."""

    action_space: Literal["discrete"] = "discrete"

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms on a batch, without an update."""
        terms: dict[str, torch.Tensor] = algorithm.impl.losses(batch)
        return terms


class ValueOutputs(DiscreteAlgorithm):
    """Outputs that are the first Q-function's values."""

    outputs: Literal["values"] = "values"

    def network(self, algorithm: Any) -> Network:
        """Return the network of the Q-function's layers."""
        function = algorithm.impl.q_function[0]
        return served_network(function.encoder, function._fc)

    def output_scale(self, network: Network, episodes: TrainingData) -> float:
        """Return the typical standard deviation of values between the available actions of a training row."""
        return spread_in_training(network, episodes)


class PolicyOutputs(DiscreteAlgorithm):
    """Outputs that are a learned policy's logits."""

    outputs: Literal["logits"] = "logits"
    # Name of the policy among the implementation's networks.
    policy_module = "policy"

    def network(self, algorithm: Any) -> Network:
        """Return the network of the policy's layers."""
        policy = getattr(algorithm.impl.modules, self.policy_module)
        return served_network(policy._encoder, policy._fc)

    def output_scale(self, network: Network, episodes: TrainingData) -> float:  # noqa: ARG002  (the protocol's)
        """Return 1: logits have no unit."""
        return 1.0
