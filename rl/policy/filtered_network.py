"""Values, chosen among the actions that an imitator of the log finds likely enough."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.network import BoolArray, DenseNetwork, FeatureArray, Tensors

_VALUES, _IMITATOR, _FLEXIBILITY = "values.", "imitator.", "flexibility"


@dataclass(frozen=True)
class FilteredNetwork:
    """What batch-constrained Q-learning serves.

    Source: Fujimoto et al. (2019), Benchmarking Batch Deep Reinforcement Learning Algorithms, equation 10.

    Attributes:
        values: of each action.
        imitator: logits of each action, as logged.
        flexibility: an available action is considered where it is more than this share as likely as the likeliest
            available one; above 0, below 1.
    """

    kind: ClassVar[str] = "filtered"

    values: DenseNetwork | AttributeNetwork
    imitator: DenseNetwork | AttributeNetwork
    flexibility: float

    def __post_init__(self) -> None:
        sizes = [(network.n_inputs, network.n_outputs) for network in (self.values, self.imitator)]
        if sizes[0] != sizes[1]:
            raise PolicyError(f"values and imitator take and give {sizes[0]} and {sizes[1]} numbers; expected the same")
        if not 0 < self.flexibility < 1:
            raise PolicyError(f"flexibility {self.flexibility}, expected a share between 0 and 1")

    @property
    def n_inputs(self) -> int:
        return self.values.n_inputs

    @property
    def n_outputs(self) -> int:
        return self.values.n_outputs

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the values of all actions, considered or not, `(n, n_outputs)`."""
        return self.values.forward(features)

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the available actions that are likely enough, always with the likeliest, `(n, n_outputs)`."""
        logits = np.where(mask, self.imitator.forward(features), -np.inf)
        likeliest = logits.max(axis=1, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore"):  # a row without available action has no likeliest one either
            return np.asarray(logits - likeliest > math.log(self.flexibility)) & mask

    def with_actions(self, actions: FeatureArray) -> FilteredNetwork:
        """Return the same network over other actions, of these attributes, `(n_actions, n_attributes)`.

        Raises:
            PolicyError: it scores actions by their ids.
        """
        if isinstance(self.values, DenseNetwork) or isinstance(self.imitator, DenseNetwork):
            raise PolicyError("the network has an output for each action, which no attributes change")
        return replace(self, values=self.values.with_actions(actions), imitator=self.imitator.with_actions(actions))

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return both networks' arrays and the threshold, by name."""
        named = {_VALUES + name: array for name, array in self.values.to_tensors().items()}
        named |= {_IMITATOR + name: array for name, array in self.imitator.to_tensors().items()}
        return named | {_FLEXIBILITY: np.array([self.flexibility], dtype=np.float64)}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> FilteredNetwork:
        """Return the network whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing or don't fit together.
        """
        if _FLEXIBILITY not in tensors:
            raise PolicyError(f"network arrays {sorted(tensors)}, expected {_FLEXIBILITY} among them")
        values, imitator = (
            _part({name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)})
            for prefix in (_VALUES, _IMITATOR)
        )
        return cls(values, imitator, float(tensors[_FLEXIBILITY][0]))


def _part(tensors: Tensors) -> DenseNetwork | AttributeNetwork:
    """Return the network of the arrays, which say by their names what they are of."""
    return (AttributeNetwork if "actions" in tensors else DenseNetwork).from_tensors(tensors)
