"""Implicit Q-learning over continuous actions: d3rlpy's IQL."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.algos import IQL, IQLConfig
from d3rlpy.algos.qlearning.torch.iql_impl import IQLImpl

from conf.specs.candidate import ContinuousCandidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.continuous_update import GAUSSIAN_KINDS, ContinuousOutputs, FastActorCritic
from rl.learning.algorithms.encoder_choice import encoder_factory
from rl.learning.algorithms.shared_networks import SharedValueFunction
from rl.learning.updates.fast_update import TakenOver


class ContinuousImplicitQLearning(ContinuousOutputs):
    """The entry of d3rlpy's continuous IQL in the registry."""

    def create(self, candidate: ContinuousCandidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = IQLConfig(
            **actor_critic_settings(candidate, gamma),
            value_encoder_factory=encoder_factory(candidate),
            tau=candidate.target_rate,
            expectile=candidate.expectile,
            weight_temp=candidate.inverse_temperature,
            max_weight=candidate.max_weight,
        )
        return built(FastIQL, config, candidate, device)


class FastIQLImpl(FastActorCritic, IQLImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """IQL with our update."""


class FastIQL(TakenOver, IQL):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's IQL with our update."""

    impl_kind = FastIQLImpl
    module_kinds = MappingProxyType({**GAUSSIAN_KINDS, "value_func": SharedValueFunction})
