"""A network that scores actions by what is known of them, served: no output is any action's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.network import BoolArray, DenseNetwork, FeatureArray, Tensors

_PARTS = ("state", "items")
_ACTIONS = "actions"


@dataclass(frozen=True)
class AttributeNetwork:
    """Q(s, a) = <f(s), g(x_a)> + b(x_a), with x_a the attributes of the action.

    Source: Yi et al. (2019), Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, section 3:
    two towers, and their product. The action's own term is what is good whoever asks.

    Attributes:
        state: f, from encoded observations.
        items: g and b (its last output), from attributes.
        actions: attributes of each action, `(n_actions, n_attributes)`.
    """

    kind: ClassVar[str] = "attributes"

    state: DenseNetwork
    items: DenseNetwork
    actions: FeatureArray

    def __post_init__(self) -> None:
        problems = []
        if self.items.n_outputs != self.state.n_outputs + 1:
            problems.append(f"{self.items.n_outputs} outputs of items, expected {self.state.n_outputs + 1}")
        if self.actions.ndim != 2 or self.actions.shape[1] != self.items.n_inputs:
            problems.append(f"attributes of shape {self.actions.shape}, expected (n_actions, {self.items.n_inputs})")
        if problems:
            raise PolicyError("network of attributes: " + "; ".join(problems))

    @property
    def n_inputs(self) -> int:
        return self.state.n_inputs

    @property
    def n_outputs(self) -> int:
        return len(self.actions)

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the outputs before any mask, `(n, n_outputs)`.

        Raises:
            PolicyError: the features have another width than the network's inputs.
        """
        scores: FeatureArray = self.state.forward(features) @ self._scored[:, :-1].T
        scores += self._scored[:, -1]
        return scores

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:  # noqa: ARG002  (the protocol's)
        """Return all actions where the mask is True."""
        return mask

    def with_actions(self, actions: FeatureArray) -> AttributeNetwork:
        """Return the same network over other actions, of these attributes, `(n_actions, n_attributes)`."""
        return replace(self, actions=actions)

    def as_dense(self) -> DenseNetwork:
        """Return the network of dense layers that gives the same outputs for these actions."""
        weight, bias = self.state.weights[-1], self.state.biases[-1]
        embedded, own = self._scored[:, :-1], self._scored[:, -1]
        return DenseNetwork(
            (*self.state.weights[:-1], embedded @ weight), (*self.state.biases[:-1], embedded @ bias + own)
        )

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the layers of both networks, `state.0.weight` and so on, and `actions`."""
        named = {f"{part}.{name}": array for part in _PARTS for name, array in getattr(self, part).to_tensors().items()}
        return {**named, _ACTIONS: np.ascontiguousarray(self.actions)}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> AttributeNetwork:
        """Return the network whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing or don't fit together.
        """
        if _ACTIONS not in tensors:
            raise PolicyError(f"network arrays {sorted(tensors)} lack {_ACTIONS}")
        parts = {
            part: {name.removeprefix(f"{part}."): one for name, one in tensors.items() if name.startswith(f"{part}.")}
            for part in _PARTS
        }
        if left := set(tensors) - {_ACTIONS} - {f"{part}.{name}" for part, own in parts.items() for name in own}:
            raise PolicyError(f"network arrays {sorted(left)} belong to no part of a network of attributes")
        state, items = (DenseNetwork.from_tensors(parts[part]) for part in _PARTS)
        return cls(state, items, tensors[_ACTIONS])

    @cached_property
    def _scored(self) -> FeatureArray:
        return self.items.forward(self.actions)
