"""Behavior cloning: d3rlpy's DiscreteBC with a masked imitator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteBCConfig
from d3rlpy.algos.qlearning.bc import DiscreteBC
from d3rlpy.algos.qlearning.torch.bc_impl import DiscreteBCImpl, DiscreteBCModules
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.models.torch import DiscreteImitationLoss
from d3rlpy.torch_utility import TorchMiniBatch

from conf.scenario import Candidate
from rl.learning.algorithms.dense_export import dense_network
from rl.learning.algorithms.encoder_choice import encoder_factory
from rl.learning.masked_networks import MaskedCategoricalPolicy, Observations, dense_layers
from rl.learning.optimizers import optimizer_factory
from rl.logged_episodes import LoggedEpisodes
from rl.policy.network import DenseNetwork

# d3rlpy's penalty on squared log-probabilities pulls the clone towards the uniform policy; a touch of it keeps rare
# actions from running off to minus infinity.
CLONING_PENALTY = 1e-3


class BehaviorCloning:
    """d3rlpy's DiscreteBC; its outputs are logits, of which temperature 1 gives the behavior policy as learned."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        config = MaskedBCConfig(
            batch_size=candidate.batch_size,
            gamma=gamma,
            learning_rate=candidate.learning_rate,
            optim_factory=optimizer_factory(candidate.n_updates, candidate.learning_rate),
            encoder_factory=encoder_factory(candidate),
            beta=CLONING_PENALTY,
        )
        return config.create(device=device)

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Loss terms on a batch, without an update."""
        terms: dict[str, torch.Tensor] = asdict_without_copy(
            algorithm.impl.compute_loss(batch.observations, batch.actions)
        )
        return terms

    def network(self, algorithm: Any) -> DenseNetwork:
        """The imitator's layers."""
        imitator = algorithm.impl.modules.imitator
        return dense_network(dense_layers(imitator._encoder, imitator._fc))

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:  # noqa: ARG002  (the protocol's)
        """1: logits have no unit."""
        return 1.0


@dataclass()
class MaskedBCConfig(DiscreteBCConfig):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's config of behavior cloning, for observations with a mask."""

    def create(self, device: Any = False, enable_ddp: bool = False) -> MaskedBC:
        return MaskedBC(self, device, enable_ddp)

    @staticmethod
    def get_type() -> str:
        return "masked_discrete_bc"


class MaskedBC(DiscreteBC):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteBC with a masked imitator."""

    def inner_create_impl(self, observation_shape: Any, action_size: int) -> None:
        """As d3rlpy builds it, but for the imitator and the loss."""
        encoder = self._config.encoder_factory.create(observation_shape)
        imitator = MaskedCategoricalPolicy(encoder, self._config.encoder_factory.hidden_units[-1], action_size)
        imitator.to(self._device)
        optim = self._config.optim_factory.create(
            imitator.named_modules(), lr=self._config.learning_rate, compiled=self.compiled
        )
        self._impl = MaskedBCImpl(
            observation_shape=observation_shape,
            action_size=action_size,
            modules=DiscreteBCModules(optim=optim, imitator=imitator),
            beta=self._config.beta,
            compiled=self.compiled,
            device=self._device,
        )


class MaskedBCImpl(DiscreteBCImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Imitation loss over available actions."""

    def compute_loss(self, obs_t: Observations, act_t: torch.Tensor) -> DiscreteImitationLoss:
        """Cross-entropy, and the penalty on squared log-probabilities of available actions.

        d3rlpy's own penalty would square the mask's constant as well, 1e18 for each action out of stock.
        """
        log_probabilities = self._modules.imitator(obs_t).logits
        imitation = -log_probabilities.gather(1, act_t.view(-1, 1).long()).mean()
        is_available = obs_t[1].bool()
        squared = torch.where(is_available, log_probabilities, 0.0) ** 2
        penalty = self._beta * squared.sum() / is_available.sum()
        return DiscreteImitationLoss(loss=imitation + penalty, imitation_loss=imitation, regularization_loss=penalty)
