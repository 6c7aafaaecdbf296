"""Conservative Q-learning over continuous actions: d3rlpy's CQL."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import CQL, CQLConfig
from d3rlpy.algos.qlearning.torch.cql_impl import CQLImpl
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import ContinuousCandidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.continuous_update import GAUSSIAN_KINDS, ContinuousOutputs, FastActorCritic
from rl.learning.updates.fast_update import TakenOver
from rl.learning.updates.optimizers import optimizer_factory


class ContinuousConservativeQLearning(ContinuousOutputs):
    """The entry of d3rlpy's continuous CQL in the registry."""

    def create(self, candidate: ContinuousCandidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = CQLConfig(
            **actor_critic_settings(candidate, gamma),
            temp_learning_rate=candidate.learning_rate,
            temp_optim_factory=optimizer_factory(candidate.n_updates),
            alpha_learning_rate=candidate.learning_rate,
            alpha_optim_factory=optimizer_factory(candidate.n_updates),
            tau=candidate.target_rate,
            conservative_weight=candidate.conservative_weight,
            n_action_samples=candidate.n_action_samples,
        )
        return built(FastCQL, config, candidate, device)


class FastCQLImpl(FastActorCritic, CQLImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """CQL whose policy is asked once about each observation."""

    def _compute_deterministic_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        # With its graph, the answer serves the conservative term too.
        with torch.enable_grad():
            action = self._modules.policy(batch.next_observations).squashed_mu.detach()
        target: torch.Tensor = self._targ_q_func_forwarder.compute_target(
            batch.next_observations, action, reduction="min"
        )
        return target


class FastCQL(TakenOver, CQL):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's CQL with our update."""

    impl_kind = FastCQLImpl
    module_kinds = GAUSSIAN_KINDS
