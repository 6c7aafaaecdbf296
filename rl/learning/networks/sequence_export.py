"""Trained layers as the network that is served, of whatever kind they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rl.learning.networks.sequence_encoders import SequenceEncoder
from rl.learning.networks.tied_embeddings import TiedHead
from rl.policy.gru_network import GruNetwork
from rl.policy.sequence_network import SequenceNetwork
from rl.policy.transformer_network import TransformerNetwork

_KINDS: dict[str, type[SequenceNetwork]] = {"gru": GruNetwork, "transformer": TransformerNetwork}


def sequence_network(encoder: SequenceEncoder, head: nn.Module) -> SequenceNetwork:
    """Return a sequence network with copies of the encoder's and the head's weights."""
    linear = [module for module in encoder.layers.modules() if isinstance(module, nn.Linear)]
    tensors = {
        "n_dense": np.array([encoder.layout.n_dense]),
        "n_columns": np.array([encoder.layout.n_columns]),
        "lists": np.array([[found.table, found.start, found.length] for found in encoder.lists]),
        **{f"table.{i}": _array(table.get_parameter("weight")) for i, table in enumerate(encoder.tables)},
        **{f"reader.{name}": _array(value) for name, value in encoder.reader.state_dict().items()},
    }
    for i, layer in enumerate(linear):
        tensors |= {f"layers.{i}.weight": _array(layer.weight), f"layers.{i}.bias": _array(layer.bias)}
    return _KINDS[encoder.spec.kind](tensors | _head_tensors(encoder, head))


def _head_tensors(encoder: SequenceEncoder, head: Any) -> dict[str, npt.NDArray[Any]]:
    layer = head.projection if isinstance(head, TiedHead) else head
    tensors = {"head.weight": _array(layer.weight), "head.bias": _array(layer.bias)}
    if isinstance(head, TiedHead):
        tensors |= {
            "tied.table": np.array([encoder.layout.action_table]),
            "tied.rows": _array(head.rows),
            "tied.bias": _array(head.bias),
        }
    return tensors


def _array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    return np.array(tensor.detach().cpu().numpy())
