"""Kinds of networks that a policy's files may hold. A new one is a class and an entry here."""

from __future__ import annotations

import difflib

from rl.errors import PolicyError
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.gru_network import GruNetwork
from rl.policy.network import DenseNetwork, Network, Tensors
from rl.policy.transformer_network import TransformerNetwork

_EVERY: tuple[type[Network], ...] = (DenseNetwork, FilteredNetwork, GruNetwork, TransformerNetwork)
NETWORKS: dict[str, type[Network]] = {network.kind: network for network in _EVERY}


def network_from(kind: str, tensors: Tensors) -> Network:
    """Return the network of that kind, from its arrays.

    Raises:
        PolicyError: an unknown kind, or arrays that don't fit.
    """
    if kind not in NETWORKS:
        close = difflib.get_close_matches(kind, NETWORKS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(NETWORKS)}"
        raise PolicyError(f"no network kind {kind!r}{hint}")
    return NETWORKS[kind].from_tensors(tensors)
