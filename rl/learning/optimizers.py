"""The optimizer all candidates are trained with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.optimizers.lr_schedulers import LRSchedulerFactory
from d3rlpy.optimizers.optimizers import OptimizerFactory, OptimizerWrapper
from torch import nn

from rl.learning.forward_scope import current_scope

# The learning rate ends at this share of where it began.
_LAST_SHARE = 0.01


class FusedOptimizer(OptimizerWrapper):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's wrapper; gradients are dropped rather than filled with zeros, and stale forward passes forgotten."""

    def zero_grad(self) -> None:
        for parameter in self._params:
            parameter.grad = None

    def step(self) -> None:
        """The weights are updated, and the rate of the next update is set."""
        self.apply()
        self.advance()

    def apply(self) -> None:
        """The weights are updated; nothing here depends on the update's number, so that a graph may hold it."""
        if self._clip_grad_norm:
            nn.utils.clip_grad_norm_(self._params, max_norm=self._clip_grad_norm)
        self._optim.step()
        if (scope := current_scope()) is not None:
            scope.forget(self._params)

    def advance(self) -> None:
        """The rate of the next update is set."""
        if self._lr_scheduler:
            self._lr_scheduler.step()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from there, with rates in the tensors they were in.

        torch would put the loaded tensors in their place: on the device of the checkpoint, not that of the weights, and
        not those that a captured graph reads.
        """
        rates = [group["lr"] for group in self._optim.param_groups]
        super().load_state_dict(state_dict)
        for group, rate in zip(self._optim.param_groups, rates, strict=True):
            loaded = float(group["lr"])
            group["lr"] = rate.fill_(loaded) if isinstance(rate, torch.Tensor) else loaded


class CosineRate:
    """Learning rate along a cosine, from its beginning to a hundredth, so the last weights aren't the last batch's.

    Source: Loshchilov and Hutter (2017), SGDR, equation 5, without restarts. torch's own scheduler multiplies rates up
    step by step and costs as much as a small network's optimizer step; this one writes the formula's value, on a GPU
    into the tensor that a captured graph reads.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, n_updates: int) -> None:
        self._optimizer = optimizer
        self._n_updates = n_updates
        self._first = [float(group["lr"]) for group in optimizer.param_groups]
        self._n_steps = 0

    def step(self) -> None:
        """The rate of the next update is set."""
        self._n_steps += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        return {"n_steps": self._n_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._n_steps = int(state["n_steps"])
        self._set()

    def _set(self) -> None:
        share = (1 + math.cos(math.pi * self._n_steps / self._n_updates)) / 2
        for group, first in zip(self._optimizer.param_groups, self._first, strict=True):
            rate = first * (_LAST_SHARE + (1 - _LAST_SHARE) * share)
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


@dataclass()
class CosineRateFactory(LRSchedulerFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes a `CosineRate` over so many updates."""

    n_updates: int = 1

    def create(self, optim: torch.optim.Optimizer) -> CosineRate:
        return CosineRate(optim, self.n_updates)

    @staticmethod
    def get_type() -> str:
        return "cosine_rate"


@dataclass()
class FusedAdamWFactory(OptimizerFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """AdamW that updates all parameters in one kernel; d3rlpy's own loops over them."""

    weight_decay: float = 1e-4

    def create(self, named_modules: Iterable[tuple[str, nn.Module]], lr: float, compiled: bool) -> FusedOptimizer:
        """The optimizer with its schedule."""
        parameters = _parameters(named_modules)
        optimizer = self._optimizer(parameters, lr)
        schedule = self.lr_scheduler_factory.create(optimizer) if self.lr_scheduler_factory else None
        return FusedOptimizer(parameters, optimizer, compiled, self.clip_grad_norm, schedule)

    def create_optimizer(self, named_modules: Iterable[tuple[str, nn.Module]], lr: float) -> torch.optim.AdamW:
        """The optimizer of the modules' distinct parameters."""
        return self._optimizer(_parameters(named_modules), lr)

    def _optimizer(self, parameters: Sequence[nn.Parameter], lr: float) -> torch.optim.AdamW:
        on_gpu = any(parameter.is_cuda for parameter in parameters)
        # A captured graph reads the rate from the tensor it was captured with, whatever is written there later.
        rate = torch.tensor(lr, device=parameters[0].device) if on_gpu else lr
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=self.weight_decay, fused=True, capturable=on_gpu)

    @staticmethod
    def get_type() -> str:
        return "fused_adam_w"


def optimizer_factory(n_updates: int) -> FusedAdamWFactory:
    """Fused AdamW whose rate falls along a cosine to a hundredth over the updates."""
    return FusedAdamWFactory(lr_scheduler_factory=CosineRateFactory(n_updates=n_updates))


def _parameters(named_modules: Iterable[tuple[str, nn.Module]]) -> list[nn.Parameter]:
    return list({id(parameter): parameter for _, module in named_modules for parameter in module.parameters()}.values())
