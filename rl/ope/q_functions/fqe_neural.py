"""The Q-function of one policy as a small neural network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
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
        """Fitted on the features, `(n, n_features)`; a constant one is only centered."""
        exact = features.astype(np.float64)
        spread = exact.std(axis=0)
        return cls(exact.mean(axis=0).astype(np.float32), np.where(spread > 0, spread, 1.0).astype(np.float32))

    def inputs(self, features: FeatureArray, device: str) -> torch.Tensor:
        """Standardized features on the device."""
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
        """Action values, `(n, n_actions)`; 0 where the mask is False."""
        values = np.empty(mask.shape)
        for rows in row_batches(*mask.shape):
            values[rows] = self._outputs(self.standardization.inputs(features[rows], self.device)).cpu().numpy()
        return np.where(mask, self.scale * values, 0.0)

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        for weight, bias in self.hidden:
            inputs = torch.relu(torch.addmm(bias, inputs, weight))
        weight, bias = self.head
        return torch.addmm(bias, inputs, weight)
