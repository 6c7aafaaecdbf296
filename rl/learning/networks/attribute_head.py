"""Scores of actions by what is known of them, in place of an output of each action's own, for any algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.models.torch import CategoricalPolicy
from torch import nn

from rl.learning.networks.masked_networks import MaskedQFunction
from rl.learning.updates.fast_update import copy_weights, freeze_targets, optimizers_of


class AttributeHead(nn.Module):
    """Score of an action: <f(hidden), g(x_a)> + b(x_a), with f a linear layer and g and b one network of attributes.

    Attributes:
        actions: attributes of each action, `(n_actions, n_attributes)`; not learned.
        state: f.
        items: g and, as its last output, b.
    """

    actions: torch.Tensor

    def __init__(self, hidden_size: int, actions: torch.Tensor) -> None:
        """Make the layers with their first weights, as wide as the hidden layer that they read."""
        super().__init__()
        self.register_buffer("actions", actions)
        self.state = nn.Linear(hidden_size, hidden_size)
        self.items = nn.Sequential(
            nn.Linear(actions.shape[1], hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size + 1),
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the scores of all actions, `(n, n_actions)`."""
        embedded = self.items(self.actions)
        scores: torch.Tensor = self.state(hidden) @ embedded[:, :-1].T + embedded[:, -1]
        return scores


def score_by_attributes(impl: Any, actions: torch.Tensor) -> None:
    """Give every network of the implementation that has an output for each action a head of attributes instead.

    d3rlpy's builders make a layer as large as the catalogue for whatever chooses among actions; this replaces it before
    the first update, in its network and in the optimizer that trains it.

    Args:
        impl: d3rlpy's implementation, as built.
        actions: attributes of each action, `(n_actions, n_attributes)`.
    """
    modules = impl.modules
    for network in _scoring(modules):
        old = network._fc
        network._fc = AttributeHead(old.in_features, actions.to(old.weight.device)).to(old.weight.device)
        for optimizer in optimizers_of(modules).values():
            optimizer.exchange(list(old.parameters()), list(network._fc.parameters()))
    for name in (field.name for field in fields(modules) if field.name.startswith("targ_")):
        copy_weights(getattr(modules, name), getattr(modules, name.removeprefix("targ_")))
    freeze_targets(modules)


def _scoring(modules: Any) -> Iterator[Any]:
    """Yield the networks that give a number for each action, targets among them."""
    for field in fields(modules):
        part = getattr(modules, field.name)
        if isinstance(part, nn.Module):
            yield from (one for one in part.modules() if isinstance(one, MaskedQFunction | CategoricalPolicy))
