"""Advantage-weighted cloning of continuous actions: d3rlpy's AWAC."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.algos import AWAC, AWACConfig
from d3rlpy.algos.qlearning.torch.awac_impl import AWACImpl

from conf.specs.candidate import ContinuousCandidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.continuous_update import GAUSSIAN_KINDS, ContinuousOutputs, FastActorCritic
from rl.learning.updates.fast_update import TakenOver


class AdvantageWeightedActorCritic(ContinuousOutputs):
    """The entry of d3rlpy's AWAC in the registry."""

    def create(self, candidate: ContinuousCandidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = AWACConfig(
            **actor_critic_settings(candidate, gamma),
            tau=candidate.target_rate,
            lam=candidate.advantage_temperature,
        )
        return built(FastAWAC, config, candidate, device)


class FastAWACImpl(FastActorCritic, AWACImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """AWAC with our update."""


class FastAWAC(TakenOver, AWAC):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's AWAC with our update."""

    impl_kind = FastAWACImpl
    module_kinds = GAUSSIAN_KINDS
