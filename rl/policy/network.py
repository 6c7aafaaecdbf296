"""A dense network's forward pass in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FeatureArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DenseNetwork:
    """Linear layers with a rectifier after each but the last.

    Attributes:
        weights: `(n_out, n_in)` of each layer.
        biases: `(n_out,)` of each layer.
    """

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
        """Outputs, `(n, n_outputs)`.

        Raises:
            PolicyError: the features have another width than the network's inputs.
        """
        if features.ndim != 2 or features.shape[1] != self.n_inputs:
            raise PolicyError(f"features of shape {features.shape}, expected (n, {self.n_inputs})")
        hidden = features.astype(np.float32, copy=False)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight.T + bias, np.float32(0))
        return hidden @ self.weights[-1].T + self.biases[-1]

    def to_tensors(self) -> dict[str, FeatureArray]:
        """Named arrays: `0.weight`, `0.bias`, `1.weight`, ..."""
        named = {f"{i}.weight": np.ascontiguousarray(weight) for i, weight in enumerate(self.weights)}
        return named | {f"{i}.bias": np.ascontiguousarray(bias) for i, bias in enumerate(self.biases)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, FeatureArray]) -> DenseNetwork:
        """The network whose arrays `to_tensors` named.

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
