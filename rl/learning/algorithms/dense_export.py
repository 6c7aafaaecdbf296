"""Trained dense layers as the network that is served."""

from __future__ import annotations

import torch

from rl.policy.network import DenseNetwork


def dense_network(layers: list[torch.nn.Linear]) -> DenseNetwork:
    """Return a dense network with copies of the layers' weights, input first."""
    arrays = [
        (layer.weight.detach().cpu().numpy().copy(), layer.bias.detach().cpu().numpy().copy()) for layer in layers
    ]
    return DenseNetwork(tuple(weight for weight, _ in arrays), tuple(bias for _, bias in arrays))
