"""Implicit Q-learning over a set of actions, which d3rlpy has for continuous ones only.

State values aim at an upper expectile of the values of logged actions, action values at reward and next state value, so
that no action is ever valued that wasn't logged; the policy imitates logged actions, the more the better they were.

Source: Kostrikov, Nair and Levine (2021), Offline Reinforcement Learning with Implicit Q-Learning, equations 5 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos.qlearning.base import QLearningAlgoBase, QLearningAlgoImplBase
from d3rlpy.algos.qlearning.torch.utility import DiscreteQFunctionMixin
from d3rlpy.base import LearnableConfig
from d3rlpy.constants import ActionSpace
from d3rlpy.models.builders import create_categorical_policy, create_discrete_q_function, create_value_function
from d3rlpy.models.encoders import EncoderFactory
from d3rlpy.models.torch import CategoricalPolicy, ValueFunction
from d3rlpy.optimizers import OptimizerFactory
from d3rlpy.torch_utility import Modules, TorchMiniBatch
from torch import nn

from conf.specs.candidate import Candidate
from rl.learning.algorithms.common_settings import actor_critic_settings, built
from rl.learning.algorithms.discrete_outputs import PolicyOutputs
from rl.learning.algorithms.shared_networks import SharedValueFunction
from rl.learning.networks.masked_networks import (
    MaskedCategoricalPolicy,
    MaskedQFunctionFactory,
    Observations,
)
from rl.learning.updates.fast_update import (
    FastUpdate,
    copy_weights,
    freeze_targets,
    move_weights,
    take_over,
    td_loss,
    values_of,
)
from rl.learning.updates.optimizers import FusedOptimizer


class DiscreteImplicitQLearning(PolicyOutputs):
    """Implicit Q-learning: its policy clones the better half of the log and never strays from logged actions."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return the algorithm, not yet built."""
        settings = actor_critic_settings(candidate, gamma)
        config = DiscreteIQLConfig(
            **settings,
            value_encoder_factory=settings["critic_encoder_factory"],
            q_func_factory=MaskedQFunctionFactory(loss=candidate.loss),
            tau=candidate.target_rate,
            expectile=candidate.expectile,
            weight_temp=candidate.inverse_temperature,
            max_weight=candidate.max_weight,
        )
        return built(DiscreteIQL, config, candidate, device)


@dataclass()
class DiscreteIQLConfig(LearnableConfig):  # type: ignore[misc]  # d3rlpy ships no types
    """Settings, named as in d3rlpy's IQLConfig."""

    actor_learning_rate: float = 3e-4
    critic_learning_rate: float = 3e-4
    actor_optim_factory: OptimizerFactory = None
    critic_optim_factory: OptimizerFactory = None
    actor_encoder_factory: EncoderFactory = None
    critic_encoder_factory: EncoderFactory = None
    value_encoder_factory: EncoderFactory = None
    q_func_factory: MaskedQFunctionFactory = None  # type: ignore[assignment]  # always given
    tau: float = 0.005
    n_critics: int = 2
    expectile: float = 0.7
    weight_temp: float = 3.0
    max_weight: float = 100.0

    @staticmethod
    def get_type() -> str:
        return "discrete_iql"


@dataclass(frozen=True)
class DiscreteIQLModules(Modules):  # type: ignore[misc]  # d3rlpy ships no types
    """Networks and optimizers."""

    policy: CategoricalPolicy
    q_funcs: nn.ModuleList
    targ_q_funcs: nn.ModuleList
    value_func: ValueFunction
    actor_optim: FusedOptimizer
    critic_optim: FusedOptimizer


class DiscreteIQLImpl(FastUpdate, DiscreteQFunctionMixin, QLearningAlgoImplBase):  # type: ignore[misc]  # no types
    """The update; critic before actor and targets last, as in d3rlpy's IQL."""

    def __init__(self, *, config: DiscreteIQLConfig, q_func_forwarder: Any, **given: Any) -> None:
        super().__init__(**given)
        self._config = config
        self._gamma = config.gamma
        self._q_func_forwarder = q_func_forwarder
        copy_weights(self._modules.targ_q_funcs, self._modules.q_funcs)
        freeze_targets(self._modules)

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        modules = self._modules
        modules.critic_optim.zero_grad()
        q_loss, v_loss = self._critic_losses(batch)
        torch.autograd.backward(q_loss + v_loss)
        modules.critic_optim.apply()
        modules.actor_optim.zero_grad()
        actor_loss = self._actor_loss(batch)
        torch.autograd.backward(actor_loss)
        modules.actor_optim.apply()
        move_weights(modules.targ_q_funcs, modules.q_funcs, self._config.tau)
        return _terms(q_loss.detach(), v_loss.detach(), actor_loss.detach())

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        return _terms(*self._critic_losses(batch), self._actor_loss(batch))

    def _critic_losses(self, batch: TorchMiniBatch) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            target = self._modules.value_func(batch.next_observations)
        gap = self._logged_values(batch) - self._modules.value_func(batch.observations)
        weight = (self._config.expectile - (gap.detach() < 0).float()).abs()
        return td_loss(self, batch, target), (weight * gap**2).mean()

    def _actor_loss(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            advantage = self._logged_values(batch) - self._modules.value_func(batch.observations)
            weight = (self._config.weight_temp * advantage).exp().clamp(max=self._config.max_weight)
        log_probabilities = self._modules.policy(batch.observations).logits
        loss: torch.Tensor = -(weight * log_probabilities.gather(1, batch.actions.view(-1, 1).long())).mean()
        return loss

    def _logged_values(self, batch: TorchMiniBatch) -> torch.Tensor:
        """Return the target networks' values of the logged actions, `(n, 1)`."""
        with torch.no_grad():
            return values_of(self._modules.targ_q_funcs, batch.observations, batch.actions.long())

    def inner_predict_best_action(self, x: Observations) -> torch.Tensor:
        best: torch.Tensor = self._modules.policy(x).logits.argmax(dim=1)
        return best

    def inner_sample_action(self, x: Observations) -> torch.Tensor:
        drawn: torch.Tensor = self._modules.policy(x).sample()
        return drawn

    @property
    def policy(self) -> CategoricalPolicy:
        return self._modules.policy

    @property
    def q_function(self) -> nn.ModuleList:
        functions: nn.ModuleList = self._modules.q_funcs
        return functions


class DiscreteIQL(QLearningAlgoBase):  # type: ignore[misc]  # d3rlpy ships no types
    """The algorithm, built as d3rlpy's others are."""

    compute_dtype: torch.dtype | None = None

    def inner_create_impl(self, observation_shape: Any, action_size: int) -> None:
        """Make the networks and optimizers."""
        config, place = self._config, {"device": self._device, "enable_ddp": self._enable_ddp}
        policy = create_categorical_policy(observation_shape, action_size, config.actor_encoder_factory, **place)
        (q_funcs, forwarder), (targets, _) = (
            create_discrete_q_function(
                observation_shape,
                action_size,
                config.critic_encoder_factory,
                config.q_func_factory,
                n_ensembles=config.n_critics,
                **place,
            )
            for _ in range(2)
        )
        value = create_value_function(observation_shape, config.value_encoder_factory, **place)
        take_over(policy, MaskedCategoricalPolicy)
        take_over(value, SharedValueFunction)
        critic_parts = [*q_funcs.named_modules(), *value.named_modules()]
        modules = DiscreteIQLModules(
            policy=policy,
            q_funcs=q_funcs,
            targ_q_funcs=targets,
            value_func=value,
            actor_optim=config.actor_optim_factory.create(policy.named_modules(), config.actor_learning_rate, False),
            critic_optim=config.critic_optim_factory.create(critic_parts, config.critic_learning_rate, False),
        )
        self._impl = DiscreteIQLImpl(
            config=config,
            q_func_forwarder=forwarder,
            observation_shape=observation_shape,
            action_size=action_size,
            modules=modules,
            device=self._device,
        )
        self._impl.compute_dtype = self.compute_dtype

    def get_action_type(self) -> ActionSpace:
        return ActionSpace.DISCRETE


def _terms(q_loss: torch.Tensor, v_loss: torch.Tensor, actor_loss: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"loss": q_loss + v_loss + actor_loss, "q_loss": q_loss, "v_loss": v_loss, "actor_loss": actor_loss}
