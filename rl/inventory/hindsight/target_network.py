"""A network with a base-stock head: it says what to order up to, and the position is deducted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.stock import StockStates
from rl.policy.network import DenseNetwork


class TargetNetwork(nn.Module):
    """Pipeline and features in, the level to order up to out, both measured in mean demand.

    Before training every target is the given level: plain base-stock.
    """

    def __init__(self, n_inputs: int, hidden_units: tuple[int, ...], *, level: float, scale: float) -> None:
        """Make the network, its weights drawn from torch's generator.

        Args:
            n_inputs: lead time and number of features together.
            hidden_units: of each hidden layer.
            level: units that targets begin at.
            scale: units that stock is measured in.
        """
        super().__init__()
        widths = [n_inputs, *hidden_units]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        last = nn.Linear(widths[-1], 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, level / scale)
        self.layers = nn.Sequential(*layers, last)
        self.scale = scale

    def forward(self, pipeline: torch.Tensor, features: torch.Tensor | None) -> torch.Tensor:
        """Return the wished order before it is rounded, in units, `(n,)`.

        Args:
            pipeline: units, `(n, lead_time)`.
            features: `(n, n_features)`.
        """
        inputs = pipeline / self.scale
        if features is not None:
            inputs = torch.cat([inputs, features], dim=1)
        target: torch.Tensor = self.layers(inputs)[:, 0] * self.scale
        return torch.relu(target - pipeline.sum(dim=1))

    def policy(self) -> HindsightPolicy:
        """Return the network as it stands, as a policy that needs no torch."""
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        weights = tuple(layer.weight.detach().numpy().astype(np.float32).copy() for layer in linear)
        biases = tuple(layer.bias.detach().numpy().astype(np.float32).copy() for layer in linear)
        return HindsightPolicy(DenseNetwork(weights, biases), self.scale)


@dataclass(frozen=True)
class HindsightPolicy:
    """Orders up to what the network says, in whole units.

    Attributes:
        network: pipeline and features, in mean demand, to the target, in mean demand.
        scale: mean demand, units.
    """

    network: DenseNetwork
    scale: float

    def targets(self, states: StockStates) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return what is ordered up to, in units and parts of them, `(n,)`.

        Raises:
            InventoryError: stock and features of other widths than the network was trained on.
        """
        inputs = states.pipeline / self.scale
        if states.features is not None:
            inputs = np.column_stack([inputs, states.features])
        if inputs.shape[1] != self.network.n_inputs:
            raise InventoryError(
                f"the network reads {self.network.n_inputs} numbers of a product, the states have {inputs.shape[1]}; "
                "give it the lead time and features that it was trained on"
            )
        return np.asarray(self.network.forward(inputs.astype(np.float32))[:, 0] * self.scale, dtype=np.float64)

    def order(self, states: StockStates) -> IntArray:
        missing = self.targets(states) - states.position
        return np.maximum(np.floor(missing + 0.5), 0).astype(np.int64)
