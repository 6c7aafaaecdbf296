"""Conservative Q-learning: d3rlpy's DiscreteCQL on masked Q-functions."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteCQLConfig
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from conf.scenario import Candidate
from rl.learning.algorithms.dense_export import dense_network
from rl.learning.algorithms.encoder_choice import encoder_factory
from rl.learning.algorithms.output_spread import spread_in_training
from rl.learning.masked_networks import MaskedQFunctionFactory, dense_layers
from rl.learning.optimizers import optimizer_factory
from rl.logged_episodes import LoggedEpisodes
from rl.policy.network import DenseNetwork


class ConservativeQLearning:
    """d3rlpy's DiscreteCQL; its outputs are values in units of the training reward's scale."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        config = DiscreteCQLConfig(
            batch_size=candidate.batch_size,
            gamma=gamma,
            learning_rate=candidate.learning_rate,
            optim_factory=optimizer_factory(candidate.n_updates, candidate.learning_rate),
            encoder_factory=encoder_factory(candidate),
            q_func_factory=MaskedQFunctionFactory(),
            target_update_interval=candidate.target_update_interval,
            alpha=candidate.conservative_weight,
        )
        return config.create(device=device)

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Loss terms on a batch, without an update."""
        terms: dict[str, torch.Tensor] = asdict_without_copy(
            algorithm.impl.compute_loss(batch, algorithm.impl.compute_target(batch))
        )
        return terms

    def network(self, algorithm: Any) -> DenseNetwork:
        """The Q-function's layers."""
        function = algorithm.impl.q_function[0]
        return dense_network(dense_layers(function.encoder, function._fc))

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:
        """Typical standard deviation of values between the available actions of a training row."""
        return spread_in_training(network, episodes)
