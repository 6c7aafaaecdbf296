"""Kinds of networks that a policy's files may hold. A new one is a class and an entry, here or among `MEMBERS`."""

from __future__ import annotations

import difflib

from rl.errors import PolicyError
from rl.policy.ensemble_network import MEMBERS, EnsembleNetwork
from rl.policy.network import Network, Tensors
from rl.policy.resemblance_network import ResemblanceNetwork

NETWORKS: dict[str, type[Network]] = {
    **MEMBERS,
    EnsembleNetwork.kind: EnsembleNetwork,
    ResemblanceNetwork.kind: ResemblanceNetwork,
}


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
