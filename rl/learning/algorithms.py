"""The algorithms a candidate may name: d3rlpy's, with masks. A new one is a class and an entry in `ALGORITHMS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
import torch
from d3rlpy.algos import DiscreteBCConfig, DiscreteCQLConfig
from d3rlpy.algos.qlearning.bc import DiscreteBC
from d3rlpy.algos.qlearning.torch.bc_impl import DiscreteBCImpl, DiscreteBCModules
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.models.torch import DiscreteImitationLoss
from d3rlpy.torch_utility import TorchMiniBatch

from conf.scenario import Candidate
from rl.learning.masked_networks import (
    FeaturesEncoderFactory,
    MaskedCategoricalPolicy,
    MaskedQFunctionFactory,
    Observations,
    dense_layers,
)
from rl.learning.optimizers import optimizer_factory
from rl.logged_episodes import FeatureArray, FloatArray, LoggedEpisodes
from rl.policy.network import DenseNetwork

# d3rlpy's penalty on squared log-probabilities pulls the clone towards the uniform policy; a touch of it keeps rare
# actions from running off to minus infinity.
CLONING_PENALTY = 1e-3

# Rows that typical spreads of values are taken from.
SPREAD_ROWS = 20_000


class Algorithm(Protocol):
    """What training needs to know of an algorithm."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        ...

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Loss terms on a batch, without an update."""
        ...

    def network(self, algorithm: Any) -> DenseNetwork:
        """The network that the policy is made of: outputs before any mask."""
        ...

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:
        """What the policy divides outputs by, so that temperatures mean the same in any unit."""
        ...


class BehaviorCloning:
    """d3rlpy's DiscreteBC; its outputs are logits, of which temperature 1 gives the behavior policy as learned."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        config = MaskedBCConfig(
            batch_size=candidate.batch_size,
            gamma=gamma,
            learning_rate=candidate.learning_rate,
            optim_factory=optimizer_factory(candidate.n_updates, candidate.learning_rate),
            encoder_factory=FeaturesEncoderFactory(hidden_units=candidate.hidden_units),
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
        return _network(dense_layers(imitator._encoder, imitator._fc))

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:  # noqa: ARG002  (the protocol's)
        """1: logits have no unit."""
        return 1.0


class ConservativeQLearning:
    """d3rlpy's DiscreteCQL; its outputs are values in units of the training reward's scale."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        config = DiscreteCQLConfig(
            batch_size=candidate.batch_size,
            gamma=gamma,
            learning_rate=candidate.learning_rate,
            optim_factory=optimizer_factory(candidate.n_updates, candidate.learning_rate),
            encoder_factory=FeaturesEncoderFactory(hidden_units=candidate.hidden_units),
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
        return _network(dense_layers(function.encoder, function._fc))

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:
        """Typical standard deviation of values between the available actions of a training row."""
        rows = np.linspace(0, episodes.n_transitions - 1, min(SPREAD_ROWS, episodes.n_transitions)).astype(np.int64)
        return typical_spread(network.forward(episodes.features[rows]), episodes.mask(rows))


ALGORITHMS: dict[str, Algorithm] = {"bc": BehaviorCloning(), "discrete_cql": ConservativeQLearning()}


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


def typical_spread(outputs: FeatureArray, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Root mean square, over rows, of the standard deviation of outputs between available actions; 1 where it is 0."""
    values: FloatArray = outputs.astype(np.float64)
    n = mask.sum(axis=1, keepdims=True)
    mean = np.where(mask, values, 0.0).sum(axis=1, keepdims=True) / n
    variance = (np.where(mask, values - mean, 0.0) ** 2).sum(axis=1) / n[:, 0]
    spread = float(np.sqrt(variance.mean()))
    return spread if spread > 1e-9 else 1.0


def _network(layers: list[torch.nn.Linear]) -> DenseNetwork:
    arrays = [
        (layer.weight.detach().cpu().numpy().copy(), layer.bias.detach().cpu().numpy().copy()) for layer in layers
    ]
    return DenseNetwork(tuple(weight for weight, _ in arrays), tuple(bias for _, bias in arrays))
