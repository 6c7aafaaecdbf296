"""What a policy needs of a network, and a dense network's forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FeatureArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
# As safetensors takes them: of any exact type.
Tensors = Mapping[str, npt.NDArray[Any]]


class Network(Protocol):
    """Encoded observations in, one output per action out.

    Attributes:
        kind: its name among the kinds that a policy's files may hold.
    """

    kind: ClassVar[str]

    @property
    def n_inputs(self) -> int:
        """Width of an encoded observation."""
        ...

    @property
    def n_outputs(self) -> int:
        """Number of actions."""
        ...

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the outputs before any mask, `(n, n_outputs)`."""
        ...

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the actions that a choice is made among, some of those where the mask is True, `(n, n_outputs)`."""
        ...

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that the network's outputs depend on, as named arrays."""
        ...

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Self:
        """Return the network that `to_tensors` described."""
        ...


@dataclass(frozen=True)
class DenseNetwork:
    """Linear layers with a rectifier after each but the last.

    Attributes:
        weights: `(n_out, n_in)` of each layer.
        biases: `(n_out,)` of each layer.
    """

    kind: ClassVar[str] = "dense"

    weights: tuple[FeatureArray, ...]
    biases: tuple[FeatureArray, ...]

    def __post_init__(self) -> None:
        sizes = [(weight.shape, bias.shape) for weight, bias in zip(self.weights, self.biases, strict=True)]
        fits = all(weight[0] == bias[0] for weight, bias in sizes) and all(
            before[0][0] == after[0][1] for before, after in pairwise(sizes)
        )
        if not sizes or not fits:
            raise PolicyError(f"network layers don't fit together: {sizes}")

    @property
    def n_inputs(self) -> int:
        return int(self.weights[0].shape[1])

    @property
    def n_outputs(self) -> int:
        return int(self.weights[-1].shape[0])

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the outputs before any mask, `(n, n_outputs)`.

        Raises:
            PolicyError: the features have another width than the network's inputs.
        """
        if features.ndim != 2 or features.shape[1] != self.n_inputs:
            raise PolicyError(f"features of shape {features.shape}, expected (n, {self.n_inputs})")
        hidden = features.astype(np.float32, copy=False)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight.T + bias, np.float32(0))
        return hidden @ self.weights[-1].T + self.biases[-1]

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:  # noqa: ARG002  (the protocol's)
        """Return all actions where the mask is True."""
        return mask

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the named arrays: `0.weight`, `0.bias`, `1.weight`, ..."""
        named = {"weight": self.weights, "bias": self.biases}
        return {
            f"{i}.{name}": np.ascontiguousarray(array)
            for name, arrays in named.items()
            for i, array in enumerate(arrays)
        }

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> DenseNetwork:
        """Return the network whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing or don't fit together.
        """
        n_layers = len(tensors) // 2
        wanted = {f"{i}.{part}" for i in range(n_layers) for part in ("weight", "bias")}
        if wanted != set(tensors):
            raise PolicyError(f"network arrays {sorted(tensors)}, expected {sorted(wanted)}")
        return cls(
            weights=tuple(tensors[f"{i}.weight"] for i in range(n_layers)),
            biases=tuple(tensors[f"{i}.bias"] for i in range(n_layers)),
        )
