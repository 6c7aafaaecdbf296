"""An encoder and a head as the network that is served."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
from torch import nn

from rl.learning.algorithms.dense_export import dense_network
from rl.learning.networks.attribute_head import AttributeHead
from rl.learning.networks.masked_networks import dense_layers
from rl.learning.networks.sequence_encoders import SequenceEncoder
from rl.learning.networks.sequence_export import sequence_network
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.network import DenseNetwork, Network


def served_network(encoder: Any, head: Any) -> Network:
    """Return the served network with copies of the encoder's and the head's weights."""
    if isinstance(encoder, SequenceEncoder):
        return sequence_network(encoder, head)
    return served_layers(encoder, head)


def served_layers(encoder: Any, head: Any) -> DenseNetwork | AttributeNetwork:
    """Return a network of dense layers, or one of attributes where the head reads them, with copies of the weights."""
    if not isinstance(head, AttributeHead):
        return served_dense(encoder, head)
    return AttributeNetwork(
        state=served_dense(encoder, head.state),
        items=dense_network([layer for layer in head.items if isinstance(layer, nn.Linear)]),
        actions=head.actions.detach().cpu().numpy().copy(),
    )


def served_dense(encoder: Any, head: Any) -> DenseNetwork:
    """Return a dense network with copies of the layers' weights; token columns get weights of zero."""
    network = dense_network(dense_layers(encoder, head))
    if not (n_unread := encoder.n_columns - encoder.n_features):
        return network
    first = np.pad(network.weights[0], ((0, 0), (0, n_unread)))
    return DenseNetwork((first, *network.weights[1:]), network.biases)
