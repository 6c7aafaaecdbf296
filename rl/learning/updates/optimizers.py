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

from rl.errors import TrainingError
from rl.learning.updates.forward_scope import current_scope

# The learning rate ends at this share of where it began.
_LAST_SHARE = 0.01


class FusedOptimizer(OptimizerWrapper):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's wrapper; gradients are dropped rather than filled with zeros, and stale forward passes forgotten."""

    _known: _KnownStates | None = None
    _params: Sequence[nn.Parameter]

    @property
    def is_clipping(self) -> bool:
        """Whether gradients are changed before weights move by them."""
        return bool(self._clip_grad_norm)

    def exchange(self, old: Sequence[nn.Parameter], new: Sequence[nn.Parameter]) -> None:
        """Train new parameters in place of old ones, before the first step; nothing happens where it has none of them.

        Raises:
            TrainingError: a step was done.
        """
        gone = {id(parameter) for parameter in old}
        if not any(id(parameter) in gone for parameter in self._params):
            return
        if self._optim.state:
            raise TrainingError("parameters can't be exchanged after the first update")
        self._params = [*(one for one in self._params if id(one) not in gone), *new]
        self._optim.param_groups[0]["params"] = list(self._params)

    def zero_grad(self) -> None:
        for parameter in self._params:
            parameter.grad = None

    def step(self) -> None:
        """Update the weights and set the rate of the next update."""
        self.apply()
        self.advance()

    def apply(self) -> None:
        """Update the weights; nothing here depends on the update's number, so that a graph may hold it."""
        if self._clip_grad_norm:
            nn.utils.clip_grad_norm_(self._params, max_norm=self._clip_grad_norm)
        self._move()
        if (scope := current_scope()) is not None:
            scope.forget(self._params)

    def _move(self) -> None:
        """Update the weights, in one kernel where what it takes is known, else by torch's own step."""
        if self._known is None or self._known.state is not self._optim.state:
            self._known = _KnownStates.of(self._optim)
        if self._known is None or _has_hooks(self._optim) or not self._known.step():
            self._optim.step()

    def advance(self) -> None:
        """Set the rate of the next update."""
        if self._lr_scheduler:
            self._lr_scheduler.step()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take up the state, keeping rates in the tensors they were in.

        torch would put the loaded tensors in their place: on the device of the checkpoint, not that of the weights, and
        not those that a captured graph reads.
        """
        rates = [group["lr"] for group in self._optim.param_groups]
        super().load_state_dict(state_dict)
        for group, rate in zip(self._optim.param_groups, rates, strict=True):
            loaded = float(group["lr"])
            group["lr"] = rate.fill_(loaded) if isinstance(rate, torch.Tensor) else loaded


class _KnownStates:
    """What AdamW's kernel takes beside gradients, looked up once. Torch's step looks it up each time.

    Attributes:
        state: the optimizer's; loading another replaces it as a whole.
    """

    def __init__(self, optimizer: torch.optim.AdamW) -> None:
        self.state = optimizer.state
        self._group = optimizer.param_groups[0]
        self._parameters: list[torch.Tensor] = self._group["params"]
        found = [self.state[parameter] for parameter in self._parameters]
        self._steps, self._means, self._squares = (
            [one[name] for one in found] for name in ("step", "exp_avg", "exp_avg_sq")
        )
        # As a tensor, or torch makes one of the number for every parameter.
        self._one = torch.ones(())

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer) -> _KnownStates | None:
        """Return the optimizer's states; None before its first step, off the processor, and with several groups."""
        if type(optimizer) is not torch.optim.AdamW or len(optimizer.param_groups) > 1:
            return None
        parameters = optimizer.param_groups[0]["params"]
        is_plain = all(one.dtype == torch.float32 and one.device.type == "cpu" for one in parameters)
        return cls(optimizer) if is_plain and all(one in optimizer.state for one in parameters) else None

    @torch.no_grad()
    def step(self) -> bool:
        """Update the weights to the bits of torch's step and return True; return False where one has no gradient."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        if len(gradients) < len(self._parameters):
            return False
        group, (beta1, beta2) = self._group, self._group["betas"]
        torch._foreach_add_(self._steps, self._one)
        torch._fused_adamw_(
            self._parameters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )
        return True


def _has_hooks(optimizer: torch.optim.Optimizer) -> bool:
    return bool(optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks)


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
        """Set the rate of the next update."""
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
    """Makes a `CosineRate` over a given number of updates."""

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
        """Return the optimizer with its schedule."""
        parameters = _parameters(named_modules)
        optimizer = self._optimizer(parameters, lr)
        schedule = self.lr_scheduler_factory.create(optimizer) if self.lr_scheduler_factory else None
        return FusedOptimizer(parameters, optimizer, compiled, self.clip_grad_norm, schedule)

    def create_optimizer(self, named_modules: Iterable[tuple[str, nn.Module]], lr: float) -> torch.optim.AdamW:
        """Return the optimizer of the modules' distinct parameters."""
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
    """Return the factory of fused AdamW whose rate falls along a cosine to a hundredth over the updates."""
    return FusedAdamWFactory(lr_scheduler_factory=CosineRateFactory(n_updates=n_updates))


def _parameters(named_modules: Iterable[tuple[str, nn.Module]]) -> list[nn.Parameter]:
    return list({id(parameter): parameter for _, module in named_modules for parameter in module.parameters()}.values())
