"""The same algorithms as d3rlpy has them, on unmasked observations, and discrete IQL written out."""

from __future__ import annotations

from typing import Any

import torch
from d3rlpy import algos
from d3rlpy.models.encoders import VectorEncoderFactory
from d3rlpy.models.q_functions import MeanQFunctionFactory
from d3rlpy.torch_utility import TorchMiniBatch
from torch import nn

from rl.learning.updates.optimizers import FusedAdamWFactory
from tests.rl.learning.learning_batches import ACTION_SIZE, N_ACTIONS, N_FEATURES

STOCK_CONFIGS: dict[str, Any] = {
    "bc": algos.DiscreteBCConfig,
    "discrete_cql": algos.DiscreteCQLConfig,
    "discrete_bcq": algos.DiscreteBCQConfig,
    "double_dqn": algos.DoubleDQNConfig,
    "nfq": algos.NFQConfig,
    "discrete_sac": algos.DiscreteSACConfig,
    "cql": algos.CQLConfig,
    "iql": algos.IQLConfig,
    "td3_plus_bc": algos.TD3PlusBCConfig,
    "awac": algos.AWACConfig,
}


def stock_twin(algorithm: str, ours: Any) -> Any:
    """d3rlpy's own algorithm with the settings and the weights of ours."""
    config_kind = STOCK_CONFIGS[algorithm]
    settings = {
        name: _as_stock(value) for name, value in vars(ours.config).items() if name in config_kind.__dataclass_fields__
    }
    twin = config_kind(**settings).create(device="cpu")
    is_discrete = ours.impl.action_size == N_ACTIONS
    twin.create_impl((N_FEATURES,), N_ACTIONS if is_discrete else ACTION_SIZE)
    for name, module in twin.impl.modules.get_torch_modules().items():
        source = getattr(ours.impl.modules, name)
        for target, weight in zip(module.parameters(), source.parameters(), strict=True):
            target.data.copy_(weight.data)
    return twin


def _as_stock(value: Any) -> Any:
    if hasattr(value, "hidden_units"):
        return VectorEncoderFactory(hidden_units=list(value.hidden_units))
    if value.__class__.__name__ == "MaskedQFunctionFactory":
        return MeanQFunctionFactory()
    return value


def unmasked(batch: TorchMiniBatch) -> TorchMiniBatch:
    """The batch with observations as d3rlpy's own networks take them."""
    values = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    values |= {name: values[name][0] for name in ("observations", "next_observations")}
    return TorchMiniBatch(**values)


class PlainDiscreteIQL:
    """Kostrikov et al. (2021), equations 5 to 7, step by step on plain layers, with the weights of ours."""

    def __init__(self, ours: Any) -> None:
        modules, self._config = ours.impl.modules, ours.config
        self.critics = [_plain(function._encoder, function._fc) for function in modules.q_funcs]
        self.targets = [_plain(function._encoder, function._fc) for function in modules.targ_q_funcs]
        self.value = _plain(modules.value_func._encoder, modules.value_func._fc)
        self.policy = _plain(modules.policy._encoder, modules.policy._fc)
        critic = [("", module) for module in (*self.critics, self.value)]
        self._critic_optimizer, self._actor_optimizer = (
            FusedAdamWFactory(lr_scheduler_factory=self._config.actor_optim_factory.lr_scheduler_factory).create(
                parts, lr=self._config.actor_learning_rate, compiled=False
            )
            for parts in (critic, [("", self.policy)])
        )

    def update(self, batch: TorchMiniBatch) -> dict[str, float]:
        x, following = batch.observations[0], batch.next_observations[0]
        with torch.no_grad():
            goal = batch.rewards + self._config.gamma * (1 - batch.terminals) * self.value(following)
        q_loss = torch.stack(
            [nn.functional.huber_loss(critic(x).gather(1, batch.actions), goal) for critic in self.critics]
        ).sum()
        gap = self._logged(batch) - self.value(x)
        tau = self._config.expectile
        v_loss = torch.where(gap > 0, tau * gap**2, (1 - tau) * gap**2).mean()
        self._step(self._critic_optimizer, q_loss + v_loss)
        with torch.no_grad():
            weight = torch.exp(self._config.weight_temp * (self._logged(batch) - self.value(x)))
            weight = weight.minimum(torch.tensor(self._config.max_weight))
        actor_loss = (
            weight[:, 0] * nn.functional.cross_entropy(self.policy(x), batch.actions[:, 0], reduction="none")
        ).mean()
        self._step(self._actor_optimizer, actor_loss)
        for target, critic in zip(self.targets, self.critics, strict=True):
            for old, new in zip(target.parameters(), critic.parameters(), strict=True):
                old.data = (1 - self._config.tau) * old.data + self._config.tau * new.data
        return {"q_loss": q_loss.item(), "v_loss": v_loss.item(), "actor_loss": actor_loss.item()}

    def named_weights(self) -> dict[str, list[torch.Tensor]]:
        """Parameters by the name that the network has in ours."""
        parts = {
            "q_funcs": self.critics,
            "targ_q_funcs": self.targets,
            "value_func": [self.value],
            "policy": [self.policy],
        }
        return {name: [weight for one in found for weight in one.parameters()] for name, found in parts.items()}

    def _logged(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            return torch.stack(
                [target(batch.observations[0]).gather(1, batch.actions) for target in self.targets]
            ).amin(0)

    @staticmethod
    def _step(optimizer: Any, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def _plain(encoder: nn.Module, head: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in [module for part in (encoder, head) for module in part.modules() if isinstance(module, nn.Linear)]:
        layer = nn.Linear(source.in_features, source.out_features)
        layer.load_state_dict(source.state_dict())
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
