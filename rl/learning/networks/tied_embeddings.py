"""Action values as products with the embeddings that item ids are read by: no second table for a large catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.models.q_functions import QFunctionFactory
from d3rlpy.models.torch.q_functions.utility import compute_reduce
from torch import nn

from rl.errors import TrainingError
from rl.learning.networks.masked_networks import (
    Loss,
    MaskedQFunction,
    MaskedQFunctionForwarder,
    Observations,
    mask_unavailable,
    value_error,
)
from rl.learning.networks.sequence_encoders import SequenceEncoder
from rl.policy.token_layout import TokenLayout

# Values of this many actions are held at once where only the best is wanted.
_CHUNK = 16_384


class TiedHead(nn.Module):
    """Q(s, a) = <f(s), e_a> + b_a, with f a linear layer over the encoder's last one.

    Attributes:
        table: `torch.nn.Embedding`, shared with the encoder.
        rows: of each action, `(n_actions,)`.
    """

    rows: torch.Tensor

    def __init__(self, table: Any, rows: torch.Tensor, hidden_size: int) -> None:
        super().__init__()
        self.table = table
        self.projection = nn.Linear(hidden_size, table.embedding_dim)
        self.bias = nn.Parameter(torch.zeros(len(rows)))
        self.register_buffer("rows", rows)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the values of all actions, `(n, n_actions)`."""
        return self.values_of(hidden, slice(None))

    def values_of(self, hidden: torch.Tensor, actions: torch.Tensor | slice) -> torch.Tensor:
        """Return the values of the same actions for every row, `(n, n_asked)`."""
        values: torch.Tensor = self.projection(hidden) @ self.table(self.rows[actions]).T + self.bias[actions]
        return values

    def value_of_each(self, hidden: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the value of each row's own action, `(n, 1)`."""
        own = actions.view(-1).long()
        products: torch.Tensor = (self.projection(hidden) * self.table(self.rows[own])).sum(dim=1)
        return (products + self.bias[own]).view(-1, 1)


class TiedQFunction(MaskedQFunction):
    """Action values by products with embeddings, `UNAVAILABLE` where the mask is 0."""

    def __init__(self, encoder: SequenceEncoder, hidden_size: int, rows: torch.Tensor) -> None:
        # Of one output: the layer that d3rlpy makes here is replaced, and would be as large as the catalogue.
        super().__init__(encoder, hidden_size, 1)
        if encoder.layout.action_table is None:
            raise TrainingError("actions are no ids of a list feature; expected a layout with an action table")
        self._fc = TiedHead(encoder.tables[encoder.layout.action_table], rows, hidden_size)

    def value_of_each(self, x: Observations, actions: torch.Tensor) -> torch.Tensor:
        """Return the value of each row's own, available action, without computing the others, `(n, 1)`."""
        return self._fc.value_of_each(self._encoder(x), actions).float()

    def values_of(self, x: Observations, actions: torch.Tensor) -> torch.Tensor:
        """Return the values of the same few actions for every row, available or not, `(n, n_asked)`."""
        return self._fc.values_of(self._encoder(x), actions).float()

    def best_action(self, x: Observations) -> torch.Tensor:
        """Return the available action of the highest value, `(n,)`, looking at a part of the catalogue at a time."""
        hidden, best, place = self._encoder(x), None, None
        for actions in _chunks(x[1]):
            values = mask_unavailable(self._fc.values_of(hidden, actions), [x[0], x[1][:, actions]])
            highest, index = values.max(dim=1)
            if best is None or place is None:
                best, place = highest, index
                continue
            place = torch.where(highest > best, index + actions.start, place)
            best = torch.maximum(best, highest)
        if place is None:
            raise TrainingError("there are no actions; expected at least one")
        return place


def _chunks(mask: torch.Tensor) -> Iterator[slice]:
    n = mask.shape[1]
    return (slice(start, min(start + _CHUNK, n)) for start in range(0, n, _CHUNK))


class TiedQFunctionForwarder(MaskedQFunctionForwarder):
    """TD errors from the logged actions' values alone."""

    def compute_error(
        self,
        observations: Observations,
        actions: torch.Tensor,
        rewards: torch.Tensor,
        target: torch.Tensor,
        terminals: torch.Tensor,
        gamma: float | torch.Tensor = 0.99,
        reduction: str = "mean",
    ) -> torch.Tensor:
        value = self._q_func.value_of_each(observations, actions)
        error = value_error(value, rewards + gamma * target * (1 - terminals), self.loss)
        reduced: torch.Tensor = compute_reduce(error, reduction)
        return reduced


@dataclass()
class TiedQFunctionFactory(QFunctionFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `TiedQFunction`s.

    Attributes:
        loss: of values against their targets.
        layout: known with the data; `bind_layout` sets it.
    """

    loss: Loss = "squared"
    layout: TokenLayout | None = None

    def create_discrete(
        self, encoder: Any, hidden_size: int, action_size: int
    ) -> tuple[TiedQFunction, TiedQFunctionForwarder]:
        if self.layout is None:
            raise TrainingError("a tied output needs token columns, and the observations have none; run prepare again")
        rows = torch.from_numpy(self.layout.action_rows(action_size))
        function = TiedQFunction(encoder, hidden_size, rows)
        return function, TiedQFunctionForwarder(function, action_size, self.loss)

    @staticmethod
    def get_type() -> str:
        return "tied"
