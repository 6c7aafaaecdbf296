"""Batch-constrained Q-learning: d3rlpy's DiscreteBCQ on masked networks."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any, Literal

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteBCQ, DiscreteBCQConfig
from d3rlpy.algos.qlearning.torch.bcq_impl import DiscreteBCQImpl, DiscreteBCQLoss
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import Candidate
from rl.learning.algorithms.common_settings import built, value_settings
from rl.learning.algorithms.discrete_outputs import DiscreteAlgorithm
from rl.learning.algorithms.masked_imitation import CLONING_PENALTY, imitation_terms
from rl.learning.algorithms.output_spread import spread_in_training
from rl.learning.algorithms.served_layers import served_layers
from rl.learning.algorithms.value_update import FastDoubleQLearning
from rl.learning.networks.masked_networks import MaskedCategoricalPolicy, Observations
from rl.learning.replay.replay_columns import TrainingData
from rl.learning.updates.fast_update import TakenOver, expected_values, td_loss
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.network import Network


class BatchConstrainedQLearning(DiscreteAlgorithm):
    """d3rlpy's DiscreteBCQ: values, chosen among actions that an imitator finds likely enough."""

    outputs: Literal["filtered values"] = "filtered values"

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = DiscreteBCQConfig(
            **value_settings(candidate, gamma),
            target_update_interval=candidate.target_update_interval,
            action_flexibility=candidate.action_flexibility,
            beta=CLONING_PENALTY,
        )
        return built(MaskedBCQ, config, candidate, device)

    def network(self, algorithm: Any) -> FilteredNetwork:
        """Return the network of values and imitator, with the threshold."""
        function, imitator = algorithm.impl.q_function[0], algorithm.impl.modules.imitator
        return FilteredNetwork(
            values=served_layers(function.encoder, function._fc),
            imitator=served_layers(imitator._encoder, imitator._fc),
            flexibility=float(algorithm.config.action_flexibility),
        )

    def output_scale(self, network: Network, episodes: TrainingData) -> float:
        """Return the typical standard deviation of values between the available actions of a training row."""
        return spread_in_training(network, episodes)


class FastBatchConstrained(FastDoubleQLearning, DiscreteBCQImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Double Q-learning whose target chooses among likely, available actions, and the imitation loss."""

    def compute_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> DiscreteBCQLoss:
        error = td_loss(self, batch, q_tpn)
        imitator_loss = imitation_terms(self._modules.imitator, batch.observations, batch.actions, self._beta).loss
        return DiscreteBCQLoss(loss=error + imitator_loss, td_loss=error, imitator_loss=imitator_loss)

    def inner_predict_best_action(self, x: Observations) -> torch.Tensor:
        """Return the likely, available action of the highest value.

        d3rlpy multiplies values, shifted by the least of them, by a mask; shifted by the mask's constant, they would
        be the same number to `float32`.
        """
        logits = self._modules.imitator(x).logits
        is_likely = logits - logits.amax(dim=1, keepdim=True) > math.log(self._action_flexibility)
        values = expected_values(self._modules.q_funcs, x)
        return torch.where(is_likely & x[1].bool(), values, -torch.inf).argmax(dim=1)


class MaskedBCQ(TakenOver, DiscreteBCQ):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteBCQ with a masked imitator and our update."""

    impl_kind = FastBatchConstrained
    module_kinds = MappingProxyType({"imitator": MaskedCategoricalPolicy})
