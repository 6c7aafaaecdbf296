"""Behavior cloning: d3rlpy's DiscreteBC with a masked imitator."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteBCConfig
from d3rlpy.algos.qlearning.bc import DiscreteBC
from d3rlpy.algos.qlearning.torch.bc_impl import DiscreteBCImpl
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.models.torch import DiscreteImitationLoss
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import Candidate
from rl.learning.algorithms.common_settings import built, one_network_settings
from rl.learning.algorithms.discrete_outputs import PolicyOutputs
from rl.learning.algorithms.masked_imitation import CLONING_PENALTY, imitation_terms
from rl.learning.networks.masked_networks import MaskedCategoricalPolicy, Observations
from rl.learning.updates.fast_update import FastUpdate, TakenOver


class BehaviorCloning(PolicyOutputs):
    """d3rlpy's DiscreteBC; of its logits, temperature 1 gives the behavior policy as learned."""

    policy_module = "imitator"

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = DiscreteBCConfig(**one_network_settings(candidate, gamma), beta=CLONING_PENALTY)
        return built(MaskedBC, config, candidate, device)


class FastCloning(FastUpdate, DiscreteBCImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Imitation loss over available actions."""

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        terms: dict[str, torch.Tensor] = asdict_without_copy(self.compute_imitator_grad(batch))
        self._modules.optim.apply()
        return terms

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        return asdict_without_copy(self.compute_loss(batch.observations, batch.actions))  # type: ignore[no-any-return]

    def compute_loss(self, obs_t: Observations, act_t: torch.Tensor) -> DiscreteImitationLoss:
        return imitation_terms(self._modules.imitator, obs_t, act_t, self._beta)


class MaskedBC(TakenOver, DiscreteBC):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteBC with a masked imitator."""

    impl_kind = FastCloning
    module_kinds = MappingProxyType({"imitator": MaskedCategoricalPolicy})
