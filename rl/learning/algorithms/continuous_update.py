"""The update that all algorithms over continuous actions share."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos.qlearning.torch.ddpg_impl import DDPGBaseImpl
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.algorithms.shared_networks import (
    SharedContinuousQFunction,
    SharedDeterministicPolicy,
    SharedNormalPolicy,
)
from rl.learning.updates.fast_update import FastUpdate, move_weights

GAUSSIAN_KINDS = MappingProxyType(
    {"policy": SharedNormalPolicy, "q_funcs": SharedContinuousQFunction, "targ_q_funcs": SharedContinuousQFunction}
)
DETERMINISTIC_KINDS = MappingProxyType(
    {
        "policy": SharedDeterministicPolicy,
        "targ_policy": SharedDeterministicPolicy,
        "q_funcs": SharedContinuousQFunction,
        "targ_q_funcs": SharedContinuousQFunction,
    }
)


class FastActorCritic(FastUpdate, DDPGBaseImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Critic, then actor, then targets; optimizers of temperatures step inside d3rlpy's losses."""

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        terms = self.learn_critic(batch) | self.learn_actor(batch)
        self.update_critic_target()
        return with_sum(terms)

    def learn_critic(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Do the critic's step and return its loss terms."""
        terms: dict[str, torch.Tensor] = asdict_without_copy(self.compute_critic_grad(batch))
        self._modules.critic_optim.step()
        return terms

    def learn_actor(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Do the actor's step and return its loss terms."""
        self._modules.q_funcs.eval()
        terms: dict[str, torch.Tensor] = asdict_without_copy(self.compute_actor_grad(batch))
        self._modules.actor_optim.step()
        return terms

    def follow(self, grad_step: int) -> None:
        """Do nothing: learning rates moved with their optimizers' steps, of which the actor may do fewer."""

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        modules = self._modules
        still = {name: None for name in ("temp_optim", "alpha_optim") if hasattr(modules, name)}
        self._modules = replace(modules, **still)  # d3rlpy steps these while it computes losses
        try:
            with torch.random.fork_rng(devices=[]):
                critic = self.compute_critic_loss(batch, self.compute_target(batch))
                actor = self.compute_actor_loss(batch, self._modules.policy(batch.observations))
        finally:
            self._modules = modules
        return with_sum(asdict_without_copy(critic) | asdict_without_copy(actor))

    def update_critic_target(self) -> None:
        move_weights(self._modules.targ_q_funcs, self._modules.q_funcs, self._tau)


def with_sum(terms: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the terms with `loss` added: the sum of what critic and actor are trained on."""
    trained = [terms[name].detach() for name in ("critic_loss", "actor_loss") if name in terms]
    return {"loss": torch.stack(trained).sum(), **terms}


class ContinuousOutputs:
    """Base of the entries whose policy is a Gaussian."""

    action_space: Any = "continuous"
    outputs: Any = "gaussian"

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms on a batch, without an update."""
        terms: dict[str, torch.Tensor] = algorithm.impl.losses(batch)
        return terms
