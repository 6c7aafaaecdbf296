"""TD3 held near the log's actions: d3rlpy's TD3+BC."""

from __future__ import annotations

from typing import Any, Literal

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import TD3PlusBC, TD3PlusBCConfig
from d3rlpy.algos.qlearning.torch.td3_plus_bc_impl import TD3PlusBCImpl
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import ContinuousCandidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.continuous_update import (
    DETERMINISTIC_KINDS,
    ContinuousOutputs,
    FastActorCritic,
    with_sum,
)
from rl.learning.updates.fast_update import TakenOver, move_weights


class TD3WithCloning(ContinuousOutputs):
    """d3rlpy's TD3PlusBC; its policy always does the same."""

    outputs: Literal["mean"] = "mean"

    def create(self, candidate: ContinuousCandidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = TD3PlusBCConfig(
            **actor_critic_settings(candidate, gamma),
            tau=candidate.target_rate,
            alpha=candidate.value_weight,
            update_actor_interval=candidate.actor_interval,
        )
        return built(FastTD3PlusBC, config, candidate, device)


class FastTD3PlusBCImpl(FastActorCritic, TD3PlusBCImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """TD3+BC, whose actor and targets move at intervals."""

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:
        terms = self.learn_critic(batch)
        if grad_step % self._update_actor_interval == 0:
            terms |= self.learn_actor(batch)
            self.update_critic_target()
            self.update_actor_target()
        return with_sum(terms)

    def update_actor_target(self) -> None:
        move_weights(self._modules.targ_policy, self._modules.policy, self._tau)


class FastTD3PlusBC(TakenOver, TD3PlusBC):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's TD3PlusBC with our update."""

    impl_kind = FastTD3PlusBCImpl
    module_kinds = DETERMINISTIC_KINDS
