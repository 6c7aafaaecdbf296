"""A network with a base-stock head: it says what to order up to, and the position is deducted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from rl.data.logged_episodes import FeatureArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.stock import StockStates
from rl.policy.network import DenseNetwork

LEAST_SCALE = 0.05  # units a day: what hardly ever sells is not measured in less


class TargetNetwork(nn.Module):
    """Pipeline and features in, the level to order up to out, both measured in a usual day's demand.

    What is usual is one number for all, or, where features begin with forecasts, the mean of a product's own: one
    network then serves small and large products. Before training every target is the given level, plain base-stock, or
    a straight line over the inputs, such as base-stock that follows forecasts.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_units: tuple[int, ...],
        *,
        level: float,
        scale: float,
        n_forecasts: int = 0,
        line: FloatArray | None = None,
    ) -> None:
        """Make the network, its weights drawn from torch's generator.

        Args:
            n_inputs: lead time and number of features together.
            hidden_units: of each hidden layer.
            level: units that targets begin at; where there are forecasts, for a product whose forecast is `scale`.
            scale: units that stock is measured in.
            n_forecasts: features, the first, that are forecasts of demand in units.
            line: weights of the inputs, `(n_inputs,)`, as the network sees them, which targets begin at instead of the
                level; they are trained with the rest.

        Raises:
            InventoryError: a line of another width than the inputs.
        """
        super().__init__()
        if line is not None and line.shape != (n_inputs,):
            raise InventoryError(f"a line of shape {line.shape}; expected a weight for each of {n_inputs} inputs")
        widths = [n_inputs, *hidden_units]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        last = nn.Linear(widths[-1], 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, level / scale if line is None else 0.0)
        self.layers = nn.Sequential(*layers, last)
        self.line = None if line is None else nn.Parameter(torch.from_numpy(line.astype(np.float32)))
        self.scale, self.n_forecasts = scale, n_forecasts

    def forward(self, pipeline: torch.Tensor, features: torch.Tensor | None) -> torch.Tensor:
        """Return the wished order before it is rounded, in units, `(n,)`.

        Args:
            pipeline: units, `(n, lead_time)`.
            features: `(n, n_features)`.
        """
        scale: torch.Tensor | float = self.scale
        parts = [pipeline]
        if features is not None:
            forecasts, others = features[:, : self.n_forecasts], features[:, self.n_forecasts :]
            if self.n_forecasts:
                scale = forecasts.mean(dim=1, keepdim=True).clamp_min(LEAST_SCALE)
            parts = [pipeline, forecasts, others * scale]
        inputs = torch.cat(parts, dim=1) / scale
        relative = self.layers(inputs)
        if self.line is not None:
            relative = relative + (inputs @ self.line)[:, None]
        target: torch.Tensor = (relative * scale)[:, 0]
        return torch.relu(target - pipeline.sum(dim=1))

    def policy(self) -> HindsightPolicy:
        """Return the network as it stands, as a policy that needs no torch."""
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        weights = tuple(layer.weight.detach().numpy().astype(np.float32).copy() for layer in linear)
        biases = tuple(layer.bias.detach().numpy().astype(np.float32).copy() for layer in linear)
        line = None if self.line is None else self.line.detach().numpy().astype(np.float32).copy()
        return HindsightPolicy(DenseNetwork(weights, biases), self.scale, self.n_forecasts, line)


@dataclass(frozen=True)
class HindsightPolicy:
    """Orders up to what the network says, in whole units.

    Attributes:
        network: pipeline and features, in a usual day's demand, to the target, in the same.
        scale: a usual day's demand, units; of no use where there are forecasts.
        n_forecasts: features, the first, that are forecasts of demand in units, whose mean is usual.
        line: weights of the inputs, `(n_inputs,)`, added to what the network says; None for none.
    """

    network: DenseNetwork
    scale: float
    n_forecasts: int = 0
    line: FeatureArray | None = None

    def targets(self, states: StockStates) -> FloatArray:
        """Return what is ordered up to, in units and parts of them, `(n,)`.

        Raises:
            InventoryError: stock and features of other widths than the network was trained on.
        """
        scale = np.full((len(states.pipeline), 1), self.scale)
        inputs = states.pipeline / scale
        if states.features is not None:
            forecasts, others = states.features[:, : self.n_forecasts], states.features[:, self.n_forecasts :]
            if self.n_forecasts:
                scale = np.maximum(forecasts.mean(axis=1, keepdims=True), LEAST_SCALE)
            inputs = np.column_stack([states.pipeline / scale, forecasts / scale, others])
        if inputs.shape[1] != self.network.n_inputs:
            raise InventoryError(
                f"the network reads {self.network.n_inputs} numbers of a product, the states have {inputs.shape[1]}; "
                "give it the lead time and features that it was trained on"
            )
        read = inputs.astype(np.float32)
        relative = self.network.forward(read)[:, 0]
        if self.line is not None:
            relative = relative + read @ self.line
        return np.asarray(relative * scale[:, 0], dtype=np.float64)

    def order(self, states: StockStates) -> IntArray:
        missing = self.targets(states) - states.position
        return np.maximum(np.floor(missing + 0.5), 0).astype(np.int64)
