"""A network that scores actions by how they resemble what a session has shown and seen, served."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.network import BoolArray, FeatureArray, Tensors
from rl.policy.resemblance import ResemblanceBasis

_WEIGHTS, _OWN = "weights", "own"


@dataclass(frozen=True)
class ResemblanceNetwork:
    """A linear value over resemblances.

    Attributes:
        basis: terms of actions and situations.
        weights: of each term in each context, `(n_terms, n_context)`.
        own: of each attribute of an action, whoever asks, `(n_attributes,)`.
    """

    kind: ClassVar[str] = "resemblance"

    basis: ResemblanceBasis
    weights: FeatureArray
    own: FeatureArray

    def __post_init__(self) -> None:
        expected = (self.basis.n_terms, self.basis.actions.shape[1])
        if (len(self.weights), len(self.own)) != expected:
            raise PolicyError(
                f"network of resemblances: {len(self.weights)} terms and {len(self.own)} attributes, expected "
                f"{expected[0]} and {expected[1]}"
            )

    @property
    def n_inputs(self) -> int:
        return self.basis.n_inputs

    @property
    def n_outputs(self) -> int:
        return self.basis.n_actions

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the outputs before any mask, `(n, n_outputs)`.

        Raises:
            PolicyError: the features have another width than the network's inputs.
        """
        return self.basis.values(features, self.weights, self.own)

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:  # noqa: ARG002  (the protocol's)
        """Return all actions where the mask is True."""
        return mask

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the basis and the weights by name."""
        return {**self.basis.to_tensors(), _WEIGHTS: self.weights, _OWN: self.own}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> ResemblanceNetwork:
        """Return the network whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing, strange or don't fit together.
        """
        names = [field.name for field in fields(ResemblanceBasis)]
        if set(tensors) != (expected := {*names, _WEIGHTS, _OWN}):
            raise PolicyError(f"network arrays {sorted(tensors)}, expected {sorted(expected)}")
        basis = ResemblanceBasis(**{name: tensors[name] for name in names})
        return cls(basis, tensors[_WEIGHTS], tensors[_OWN])
