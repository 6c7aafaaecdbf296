"""d3rlpy's updates with the same mathematics and less of everything else.

d3rlpy builds an implementation (`impl`) with its networks and optimizers; `take_over` gives it the methods of ours: the
same losses, no forward pass twice, losses that stay on the device until somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.torch_utility import TorchMiniBatch
from torch import nn

from rl.learning.updates.forward_scope import forward_scope
from rl.learning.updates.optimizers import FusedOptimizer


class FastUpdate:
    """Base of this project's implementations; it stands before d3rlpy's class among the bases."""

    # Layers of an update compute in it; None for the weights' own.
    compute_dtype: torch.dtype | None = None

    modules: Any
    _modules: Any

    def update(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, float]:
        """Do one update and return losses as numbers, as d3rlpy's interface asks; this waits for a GPU."""
        return {name: float(value) for name, value in self.update_on_device(batch, grad_step).items()}

    def update_on_device(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:
        """Do one update and return its loss terms, which stay on the device."""
        self.modules.set_train()
        terms = self.learn_on_device(batch, grad_step)
        self.follow(grad_step)
        return terms

    def learn_on_device(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:
        """Do the part of an update that a captured graph repeats, all but `follow`, and return its loss terms."""
        with forward_scope(self.compute_dtype):
            terms = self.learn(batch, grad_step)
        return {name: value.detach() for name, value in terms.items()}

    def inner_update(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, float]:
        """Do one update and return its losses; d3rlpy's name for `update`."""
        return self.update(batch, grad_step)

    def follow(self, grad_step: int) -> None:  # noqa: ARG002  (targets may depend on it)
        """Update what depends on the update's number: learning rates and targets copied at intervals."""
        for optimizer in optimizers_of(self.modules).values():
            optimizer.advance()

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:
        """Compute gradients, step the optimizers and return the loss terms, inside a scope; `loss` is their sum."""
        raise NotImplementedError

    def losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms of the batch as they are now, without learning from it."""
        self.modules.set_eval()
        with torch.no_grad(), forward_scope(self.compute_dtype):
            return self.current_losses(batch)

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms that `losses` returns, inside a scope."""
        raise NotImplementedError


class TakenOver:
    """Base of this project's algorithms; it stands before d3rlpy's class among the bases.

    Networks and implementation that d3rlpy makes then get this project's methods.

    Attributes:
        impl_kind: the implementation's class.
        module_kinds: class of each network that d3rlpy would make without masks, or ask twice.
    """

    impl_kind: ClassVar[type]
    module_kinds: ClassVar[Mapping[str, type]] = MappingProxyType({})

    compute_dtype: torch.dtype | None = None
    _impl: Any

    def inner_create_impl(self, observation_shape: Any, action_size: int) -> None:
        super().inner_create_impl(observation_shape, action_size)  # type: ignore[misc]  # d3rlpy's
        take_over(self._impl, self.impl_kind)
        self._impl.compute_dtype = self.compute_dtype
        for name, kind in self.module_kinds.items():
            part = getattr(self._impl.modules, name)
            for module in part if isinstance(part, nn.ModuleList) else [part]:
                take_over(module, kind)
        freeze_targets(self._impl.modules)


def take_over(made: Any, kind: type) -> None:
    """Change the object's class to a subclass of its own; what it holds is untouched.

    d3rlpy's algorithms name the classes they build. Building the parts here instead would mean copying each of its
    constructors; this leaves them to it, in the order in which they draw their initial weights.
    """
    if not issubclass(kind, type(made)):
        raise TypeError(f"{kind.__name__} isn't a {type(made).__name__}")
    made.__class__ = kind


def freeze_targets(modules: Any) -> None:
    """Turn gradients off for target networks, which no optimizer knows."""
    for field in fields(modules):
        part = getattr(modules, field.name)
        if field.name.startswith("targ_") and isinstance(part, nn.Module):
            part.requires_grad_(False)


def optimizers_of(modules: Any) -> dict[str, FusedOptimizer]:
    """Return the implementation's optimizers by name."""
    parts = ((field.name, getattr(modules, field.name)) for field in fields(modules))
    return {name: part for name, part in parts if isinstance(part, FusedOptimizer)}


def copy_weights(target: nn.Module, source: nn.Module) -> None:
    """Copy the source's weights to the target, all of them in one call."""
    with torch.no_grad():
        torch._foreach_copy_(list(target.parameters()), list(source.parameters()))


def move_weights(target: nn.Module, source: nn.Module, rate: float) -> None:
    """Move the target's weights towards the source's by the rate, all of them in one call."""
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), rate)


def td_loss(impl: Any, batch: TorchMiniBatch, target: torch.Tensor) -> torch.Tensor:
    """Return the sum over the implementation's Q-functions of the mean TD error of the logged actions."""
    errors = [
        forwarder.compute_error(
            observations=batch.observations,
            actions=batch.actions.long(),
            rewards=batch.rewards,
            target=target,
            terminals=batch.terminals,
            gamma=discounts(impl._gamma, batch.intervals),
        )
        for forwarder in impl._q_func_forwarder.forwarders
    ]
    return sum_of(errors)


def discounts(gamma: float, intervals: torch.Tensor) -> torch.Tensor:
    """Return the discount of each row's target, `(n, 1)`; `(1, 1)` where it is the same for all."""
    discount: torch.Tensor = gamma ** same_for_all(intervals)
    return discount


def same_for_all(rows: torch.Tensor) -> torch.Tensor:
    """Return the first row, still as a table, where all rows show the same memory; else all rows."""
    return rows[:1] if rows.stride(0) == 0 else rows


def mean_of(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the tensors' mean, place by place; a single tensor is not copied."""
    return values[0] if len(values) == 1 else torch.stack(list(values)).mean(dim=0)


def least_of(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the tensors' least, place by place; a single tensor is not copied."""
    return values[0] if len(values) == 1 else torch.stack(list(values)).amin(dim=0)


def sum_of(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum of all tensors; a single tensor is not copied."""
    return values[0] if len(values) == 1 else torch.stack(list(values)).sum()


def expected_values(functions: Sequence[Any], observations: Any) -> torch.Tensor:
    """Return the mean over the ensemble of the values of all actions, `(n, n_actions)`."""
    return mean_of([function(observations).q_value for function in functions])


def least_values(functions: Sequence[Any], observations: Any) -> torch.Tensor:
    """Return the least over the ensemble of the values of all actions, `(n, n_actions)`."""
    return least_of([function(observations).q_value for function in functions])


def values_of(functions: Sequence[Any], observations: Any, action: torch.Tensor) -> torch.Tensor:
    """Return the least over the ensemble of the values of one action each, `(n, 1)`."""
    return least_values(functions, observations).gather(1, action.view(-1, 1))
