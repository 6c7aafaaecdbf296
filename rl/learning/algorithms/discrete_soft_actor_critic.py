"""Soft actor-critic over a set of actions: d3rlpy's DiscreteSAC on masked networks."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteSAC, DiscreteSACConfig
from d3rlpy.algos.qlearning.torch.sac_impl import DiscreteSACImpl
from d3rlpy.models.torch import get_parameter
from d3rlpy.torch_utility import TorchMiniBatch
from torch.distributions import Categorical

from conf.specs.candidate import Candidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.discrete_outputs import PolicyOutputs
from rl.learning.networks.masked_networks import MaskedCategoricalPolicy, MaskedQFunctionFactory, Observations
from rl.learning.updates.fast_update import FastUpdate, TakenOver, copy_weights, least_values, td_loss
from rl.learning.updates.optimizers import optimizer_factory

# d3rlpy's: the policy's entropy is steered to this share of the uniform choice's.
ENTROPY_SHARE = 0.98


class DiscreteSoftActorCritic(PolicyOutputs):
    """d3rlpy's DiscreteSAC. Not to be trusted where the log leaves actions untried: nothing keeps their values down."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = DiscreteSACConfig(
            **actor_critic_settings(candidate, gamma),
            temp_learning_rate=candidate.learning_rate,
            temp_optim_factory=optimizer_factory(candidate.n_updates),
            q_func_factory=MaskedQFunctionFactory(loss=candidate.loss),
            initial_temperature=candidate.initial_temperature,
            target_update_interval=candidate.target_update_interval,
        )
        return built(MaskedSAC, config, candidate, device)


class FastDiscreteSoftActorCritic(FastUpdate, DiscreteSACImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Values under the policy's own future, and a policy that trades value for entropy, over available actions."""

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        modules = self._modules
        critic = self.compute_critic_grad(batch)["loss"]
        modules.critic_optim.apply()
        modules.q_funcs.eval()
        actor = self.compute_actor_grad(batch)
        modules.actor_optim.apply()
        named = {"critic_loss": critic, "actor_loss": actor.pop("loss"), **actor}
        return {"loss": named["critic_loss"].detach() + named["actor_loss"].detach(), **named}

    def follow(self, grad_step: int) -> None:
        super().follow(grad_step)
        if grad_step % self._target_update_interval == 0:
            copy_weights(self._modules.targ_q_funcs, self._modules.q_funcs)

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        critic = self.compute_critic_loss(batch, self.compute_target(batch))
        actor = self._actor_loss(self._modules.policy(batch.observations), batch.observations)
        return {"loss": critic + actor, "critic_loss": critic, "actor_loss": actor}

    def compute_critic_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> torch.Tensor:
        return td_loss(self, batch, q_tpn)

    def compute_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            choice = self._modules.policy(batch.next_observations)
            values = least_values(self._modules.targ_q_funcs, batch.next_observations)
            return self._expected(choice, values - self._temperature * choice.logits)

    def compute_actor_loss(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        choice = self._modules.policy(batch.observations)
        terms = self._update_temperature(choice, batch.observations)
        return {**terms, "loss": self._actor_loss(choice, batch.observations)}

    def _actor_loss(self, choice: Categorical, observations: Observations) -> torch.Tensor:
        with torch.no_grad():
            values = least_values(self._modules.q_funcs, observations)
        return self._expected(choice, self._temperature * choice.logits - values).mean()

    def _update_temperature(self, choice: Categorical, observations: Observations) -> dict[str, torch.Tensor]:
        """Move the temperature towards a share of the entropy that available actions allow; return its terms.

        d3rlpy's own target is out of reach under a mask.
        """
        optimizer = self._modules.temp_optim
        optimizer.zero_grad()
        with torch.no_grad():
            most = observations[1].bool().sum(dim=1, keepdim=True).float().log()
            gap = self._expected(choice, choice.logits) + ENTROPY_SHARE * most
        loss = -(self._temperature * gap).mean()
        torch.autograd.backward(loss)
        optimizer.apply()
        return {"temp_loss": loss, "temp": self._temperature[0][0]}

    @staticmethod
    def _expected(choice: Categorical, amounts: torch.Tensor) -> torch.Tensor:
        """Return the policy's mean over actions, `(n, 1)`; an unavailable action counts with probability 0."""
        expected: torch.Tensor = (choice.probs * amounts).sum(dim=1, keepdim=True)
        return expected

    @property
    def _temperature(self) -> torch.Tensor:
        temperature: torch.Tensor = get_parameter(self._modules.log_temp).exp()
        return temperature


class MaskedSAC(TakenOver, DiscreteSAC):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteSAC with a masked policy and our update."""

    impl_kind = FastDiscreteSoftActorCritic
    module_kinds = MappingProxyType({"policy": MaskedCategoricalPolicy})
