"""Gradients of the Q-learning family written out, for masked Q-functions of dense layers on a processor.

The losses are those of `value_update` and `conservative_q_learning`, where autograd finds the gradients; a test holds
these to those. What is saved is autograd's graph, the calls of modules, and memory that would be fetched anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.torch_utility import TorchMiniBatch
from torch import nn

from rl.learning.networks.masked_networks import (
    UNAVAILABLE,
    FeaturesEncoder,
    Loss,
    MaskedQFunction,
    MaskedQFunctionForwarder,
    Observations,
    dense_layers,
    value_error,
    value_error_slope,
)
from rl.learning.updates.dense_passes import DenseLayers, DensePasses, Gradients
from rl.learning.updates.fast_update import discounts, least_of, mean_of, same_for_all, sum_of


class _Rows(NamedTuple):
    """Observations of a batch.

    Attributes:
        features: `(n, n_features)`.
        available: 1 where an action is, else 0, `(n, n_actions)`; `(1, n_actions)` where it is the same for all.
    """

    features: torch.Tensor
    available: torch.Tensor


class DenseQLearning:
    """Q-learning with a target from the target network's own best action."""

    def __init__(self, impl: Any) -> None:
        """Take the networks of d3rlpy's implementation, which are read and changed; `suits` must hold for it."""
        functions, targets = impl.modules.q_funcs, impl.modules.targ_q_funcs
        layers = [_layers(function) for function in functions]
        self._functions = [DenseLayers(one) for one in layers]
        self._gradients = [Gradients(one) for one in layers]
        self._targets = [DenseLayers(_layers(target)) for target in targets]
        self._n_features: int = functions[0].encoder.n_features
        self._loss: Loss = impl._q_func_forwarder.forwarders[0].loss
        self._gamma: float = impl._gamma
        self._make_room(1)

    @torch.no_grad()
    def terms(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the batch's loss terms, after setting every parameter's `grad` to the gradient of their `loss`."""
        n = len(batch.rewards)
        if n != self._n_rows:
            self._make_room(n)
        future = self._future(self._rows(batch.next_observations))
        aim = batch.rewards + discounts(self._gamma, batch.intervals) * future * (1 - batch.terminals)
        rows = self._rows(batch.observations)
        values = self._values(self._functions, rows)
        actions = batch.actions.view(-1, 1).long()
        logged = [value.gather(1, actions) for value in values]
        errors = [value_error(value, aim, self._loss).mean() for value in logged]
        terms, slope = self._with_further(sum_of(errors), values, actions)
        for place, value in enumerate(logged):
            own = value_error_slope(value, aim, self._loss).div_(n)
            self._backward(place, rows, torch.scatter_add(slope, 1, actions, own, out=self._own_slope))
        return terms

    def _future(self, following: _Rows) -> torch.Tensor:
        """Return what the next observations are worth, `(n, 1)`."""
        values = self._values(self._targets, following)
        return least_of(values).gather(1, _best(values)[:, None])

    def _with_further(
        self,
        td_loss: torch.Tensor,
        values: list[torch.Tensor],  # noqa: ARG002  (further terms depend on it)
        actions: torch.Tensor,  # noqa: ARG002
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return all terms, and the slope of those beside the TD error by each function's values, `(n, n_actions)`."""
        return {"loss": td_loss}, self._slope.zero_()

    def _values(self, networks: Sequence[DenseLayers], rows: _Rows) -> list[torch.Tensor]:
        """Return the masked values of all actions by each network, valid until the next pass."""
        # Sums and products run through several numbers at once, which selecting by a mask of booleans doesn't.
        shift = (rows.available - 1).mul_(-UNAVAILABLE)
        return [
            passes.outputs(layers, rows.features).add_(shift)
            for passes, layers in zip(self._passes, networks, strict=True)
        ]

    def _backward(self, place: int, rows: _Rows, slope: torch.Tensor) -> None:
        # Values of unavailable actions are constants, whatever the loss says of them.
        slope.mul_(rows.available)
        self._passes[place].backward(self._functions[place], rows.features, slope, self._gradients[place])
        self._gradients[place].show()

    def _rows(self, observations: Observations) -> _Rows:
        """Return the observations as they are read here, valid until the next are read."""
        mask = same_for_all(observations[1])
        available = mask.float() if len(mask) == 1 else self._mask.copy_(mask)
        return _Rows(observations[0][:, : self._n_features], available)

    def _make_room(self, n_rows: int) -> None:
        self._n_rows = n_rows
        # A function and its target have the same shapes, and take turns.
        self._passes = [DensePasses(layers.widths, n_rows) for layers in self._functions]
        n_actions = self._functions[0].widths[-1]
        self._mask, self._slope, self._own_slope = (torch.empty(n_rows, n_actions) for _ in range(3))


class DenseDoubleQLearning(DenseQLearning):
    """Q-learning whose target is the target network's value of the action that the network itself holds best."""

    def _future(self, following: _Rows) -> torch.Tensor:
        best = _best(self._values(self._functions, following))
        return least_of(
            [
                passes.output_of_each(layers, following.features, best)
                for passes, layers in zip(self._passes, self._targets, strict=True)
            ]
        )


class DenseConservativeQLearning(DenseDoubleQLearning):
    """Double Q-learning with the conservative term over available actions."""

    def __init__(self, impl: Any) -> None:
        super().__init__(impl)
        self._weight: float = impl._alpha

    def _with_further(
        self, td_loss: torch.Tensor, values: list[torch.Tensor], actions: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        logarithms = torch.log_softmax(mean_of(values), dim=1, out=self._slope)
        conservative = -logarithms.gather(1, actions).mean()
        share = self._weight / (self._n_rows * len(values))
        slope = logarithms.exp_().mul_(share)
        slope.scatter_add_(1, actions, torch.full_like(actions, -share, dtype=torch.float32))
        loss = td_loss + self._weight * conservative
        return {"loss": loss, "td_loss": td_loss, "conservative_loss": conservative}, slope


def suits(impl: Any) -> bool:
    """Return whether this module can do the update: plain networks, full precision, no clipping."""
    modules, forwarders = impl.modules, impl._q_func_forwarder.forwarders
    return (
        impl.compute_dtype is None
        and not modules.optim.is_clipping
        and all(type(forwarder) is MaskedQFunctionForwarder for forwarder in forwarders)
        and all(map(_is_plain, [*modules.q_funcs, *modules.targ_q_funcs]))
    )


def _is_plain(function: Any) -> bool:
    """Return whether masked values come from two or more dense layers of full-width weights on the processor."""
    if type(function) is not MaskedQFunction or type(function.encoder) is not FeaturesEncoder:
        return False
    if type(function._fc) is not nn.Linear:
        return False
    return all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in function.parameters())


def _layers(function: Any) -> list[nn.Linear]:
    return dense_layers(function.encoder, function._fc)


def _best(values: list[torch.Tensor]) -> torch.Tensor:
    """Return the action of the highest mean value, `(n,)`."""
    # Several times as fast as argmax, which gives the same: the first of the highest.
    return mean_of(values).max(dim=1).indices
