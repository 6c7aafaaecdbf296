"""Q-functions as small networks, one policy's or many stacked, and how their inputs are standardized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.ope.samples.evaluation_probabilities import row_batches

Layer = tuple[torch.Tensor, torch.Tensor]
"""Weights `(n_inputs, n_outputs)` and biases `(n_outputs,)`."""


@dataclass(frozen=True)
class Standardization:
    """Features to mean 0 and spread 1, as a network reads them."""

    center: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    @classmethod
    def of(cls, features: FeatureArray) -> Standardization:
        """Return the standardization fitted on the features, `(n, n_features)`; a constant one is only centered."""
        exact = features.astype(np.float64)
        spread = exact.std(axis=0)
        return cls(exact.mean(axis=0).astype(np.float32), np.where(spread > 0, spread, 1.0).astype(np.float32))

    def inputs(self, features: FeatureArray, device: str) -> torch.Tensor:
        """Return the standardized features on the device."""
        return torch.from_numpy((features - self.center) / self.spread).to(device)


@dataclass(frozen=True)
class NeuralQ:
    """A network from standardized features to the values of all actions.

    Attributes:
        hidden: layers before the head.
        head: the last one, whose outputs are values in network units.
        standardization: of features.
        scale: reward units per network unit.
        device: that holds the layers.
    """

    hidden: Sequence[Layer]
    head: Layer
    standardization: Standardization
    scale: float
    device: str

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the action values, `(n, n_actions)`; 0 where the mask is False."""
        values = np.empty(mask.shape)
        for rows in row_batches(*mask.shape):
            values[rows] = self._outputs(self.standardization.inputs(features[rows], self.device)).cpu().numpy()
        return np.where(mask, self.scale * values, 0.0)

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        for weight, bias in self.hidden:
            inputs = torch.relu(torch.addmm(bias, inputs, weight))
        weight, bias = self.head
        return torch.addmm(bias, inputs, weight)


class StackedQ:
    """Q-functions of several policies over the same inputs, in network units.

    Where attributes of actions are given, an action's row of the head's table is a linear function of its own, so that
    actions alike share what the log says of them.

    Hidden layers are kept as `(n_stacks, n_inputs, n_outputs)`: a stack for each policy, or one shared by all. The head
    is one table with a row for each action of each policy. Where one action per row, or their mean under a policy, is
    all that is needed, the values of all actions are never formed.

    Args:
        n_inputs: features.
        n_actions: of each policy.
        hidden: widths of the hidden layers.
        seed: of the initial weights, which don't depend on torch's global state; every stack starts from the same.
        is_shared: one stack for all.
        device: for torch.
        action_attributes: of each action, `(n_actions, n_attributes)`; None learns a row for each. A policy over
            another number of actions, such as one that merges them all, has rows of its own anyway.
    """

    def __init__(
        self,
        n_inputs: int,
        n_actions: Sequence[int],
        *,
        hidden: Sequence[int],
        seed: int,
        is_shared: bool,
        device: str,
        action_attributes: FeatureArray | None = None,
    ) -> None:
        n_stacks = 1 if is_shared else len(n_actions)
        self._offsets = [0, *np.cumsum(n_actions).tolist()]
        self._device = device
        self._hidden = [
            (_parameter(weight.expand(n_stacks, -1, -1), device), _parameter(bias.expand(n_stacks, 1, -1), device))
            for weight, bias in _initial_layers(n_inputs, hidden, seed)
        ]
        width = hidden[-1] if hidden else n_inputs
        self._attributes = None if action_attributes is None else torch.from_numpy(action_attributes).to(device)
        # Rows of each policy: of its actions, or of their attributes, which times these are the actions' own.
        reads = [action_attributes is not None and n == len(action_attributes) for n in n_actions]
        n_attributes = 0 if action_attributes is None else action_attributes.shape[1]
        self._n_learned = [n_attributes if does else n for n, does in zip(n_actions, reads, strict=True)]
        self._reads_attributes = reads
        n_rows = sum(self._n_learned)
        self._learned_weight = _parameter(torch.zeros(n_rows, width), device)
        self._learned_bias = _parameter(torch.zeros(n_rows, 1), device)

    @property
    def parameters(self) -> list[torch.Tensor]:
        """Everything that is learned."""
        return [*(part for layer in self._hidden for part in layer), self._learned_weight, self._learned_bias]

    @property
    def cells_per_row(self) -> int:
        """Numbers formed at once for each row where expectations are taken."""
        widest = max((layer[0].shape[0] * layer[0].shape[2] for layer in self._hidden), default=1)
        return int(widest + self._offsets[-1])

    @property
    def _head_weight(self) -> torch.Tensor:
        """The table's weights, a row for each action of each policy."""
        return self._of_actions(self._learned_weight)

    @property
    def _head_bias(self) -> torch.Tensor:
        """The table's biases."""
        return self._of_actions(self._learned_bias)

    def _of_actions(self, learned: torch.Tensor) -> torch.Tensor:
        if self._attributes is None:
            return learned
        parts = [
            self._attributes @ part if reads else part
            for part, reads in zip(torch.split(learned, self._n_learned), self._reads_attributes, strict=True)
        ]
        return torch.cat(parts)

    def head_rows(self, actions: Sequence[IntArray]) -> torch.Tensor:
        """Return the rows of the head's table that hold each policy's action, `(n_policies, n)`."""
        rows = np.stack([offset + action for offset, action in zip(self._offsets[:-1], actions, strict=True)])
        return torch.from_numpy(rows).to(self._device)

    def of_actions(self, inputs: torch.Tensor, head_rows: torch.Tensor) -> torch.Tensor:
        """Return the value of one action per policy and row, `(n_policies, n)`."""
        chosen = nn.functional.embedding(head_rows, self._head_weight)
        bias = nn.functional.embedding(head_rows, self._head_bias).squeeze(2)
        value: torch.Tensor = (self._body(inputs) * chosen).sum(dim=2) + bias
        return value

    @torch.no_grad()
    def expected(self, inputs: torch.Tensor, probabilities: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the mean value under each policy's probabilities, each `(n, its n_actions)`: `(n_policies, n)`."""
        body = self._body(inputs)
        found = torch.empty(len(probabilities), len(inputs), device=inputs.device)
        for number, probability in enumerate(probabilities):
            weight, bias = self._head(number)
            own = body[number if len(body) > 1 else 0]
            found[number] = (own * (probability @ weight)).sum(dim=1) + (probability @ bias).squeeze(1)
        return found

    def function(self, number: int, *, standardization: Standardization, scale: float) -> NeuralQ:
        """Return the Q-function of one policy, on its own."""
        weight, bias = self._head(number)
        head: Layer = (weight.detach().T.clone(), bias.detach().squeeze(1).clone())
        hidden = [_of_stack(layer, number) for layer in self._hidden]
        return NeuralQ(hidden, head, standardization, scale, self._device)

    def _head(self, number: int) -> Layer:
        rows = slice(self._offsets[number], self._offsets[number + 1])
        return self._head_weight[rows], self._head_bias[rows]

    def _body(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the last hidden layer, `(n_stacks, n, width)`."""
        outputs = inputs.unsqueeze(0)
        for weight, bias in self._hidden:
            # In place: a linear layer's outputs aren't needed again, and memory traffic is what small layers spend.
            outputs = torch.relu_(torch.baddbmm(bias, outputs.expand(len(weight), -1, -1), weight))
        return outputs


def _initial_layers(n_inputs: int, hidden: Sequence[int], seed: int) -> list[Layer]:
    """Return torch's own initial weights of dense layers; the head starts at 0 and draws none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = []
        for width in hidden:
            drawn = nn.Linear(n_inputs, width)
            layers.append((drawn.weight.detach().T, drawn.bias.detach()))
            n_inputs = width
    return layers


def _parameter(values: torch.Tensor, device: str) -> torch.Tensor:
    return values.to(device).clone(memory_format=torch.contiguous_format).requires_grad_()


def _of_stack(layer: Layer, number: int) -> Layer:
    weight, bias = layer
    own = number if len(weight) > 1 else 0
    return weight[own].detach().clone(), bias[own].detach().squeeze(0).clone()
