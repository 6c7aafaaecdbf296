"""Several networks of one candidate, served as one: the mean of their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.filtered_network import FilteredNetwork
from rl.policy.gru_network import GruNetwork
from rl.policy.network import BoolArray, DenseNetwork, FeatureArray, Network, Tensors
from rl.policy.transformer_network import TransformerNetwork

MEMBERS: dict[str, type[Network]] = {
    network.kind: network
    for network in (DenseNetwork, FilteredNetwork, GruNetwork, TransformerNetwork, AttributeNetwork)
}
"""Kinds of networks that may be averaged."""

_KIND, _MEMBER = "member_kind", "member"


@dataclass(frozen=True)
class EnsembleNetwork:
    """Networks that were trained alike, each from weights of its own; what only one of them believes counts little.

    Of values the mean is what they expect together. Of logits it is that of log-probabilities: the policy is the
    normalised geometric mean of theirs.

    Attributes:
        members: of one kind, all with the same inputs and outputs.
    """

    kind: ClassVar[str] = "ensemble"

    members: tuple[Network, ...]

    def __post_init__(self) -> None:
        found = {(member.kind, member.n_inputs, member.n_outputs) for member in self.members}
        if len(found) != 1:
            raise PolicyError(f"networks of kind, inputs and outputs {sorted(found)}; expected one or more, all alike")
        if (kind := self.members[0].kind) not in MEMBERS:
            raise PolicyError(f"networks of kind {kind!r} can't be averaged; expected one of {', '.join(MEMBERS)}")

    @property
    def n_inputs(self) -> int:
        return self.members[0].n_inputs

    @property
    def n_outputs(self) -> int:
        return self.members[0].n_outputs

    def forward(self, features: FeatureArray) -> FeatureArray:
        """Return the mean of the members' outputs before any mask, `(n, n_outputs)`."""
        total = np.zeros((len(features), self.n_outputs), dtype=np.float64)
        for member in self.members:
            total += member.forward(features)
        return (total / len(self.members)).astype(np.float32)

    def considered(self, features: FeatureArray, mask: BoolArray) -> BoolArray:
        """Return the actions that at least one member considers, `(n, n_outputs)`."""
        found = np.zeros_like(mask)
        for member in self.members:
            found |= member.considered(features, mask)
        return found

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return `member_kind` (its name's letters) and the arrays of each member: `member.0.…`, `member.1.…`."""
        letters = np.frombuffer(self.members[0].kind.encode("ascii"), dtype=np.uint8).copy()
        named: dict[str, npt.NDArray[Any]] = {_KIND: letters}
        for place, member in enumerate(self.members):
            named |= {f"{_prefix(place)}{name}": array for name, array in member.to_tensors().items()}
        return named

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> EnsembleNetwork:
        """Return the networks whose arrays `to_tensors` named.

        Raises:
            PolicyError: arrays are missing or don't fit together.
        """
        letters = tensors.get(_KIND)
        kind = "" if letters is None else letters.astype(np.uint8).tobytes().decode("ascii", errors="replace")
        if kind not in MEMBERS:
            raise PolicyError(f"network arrays say {_KIND} {kind!r}, expected one of {', '.join(MEMBERS)}")
        members: list[dict[str, npt.NDArray[Any]]] = []
        left = set(tensors) - {_KIND}
        while own := {name for name in left if name.startswith(_prefix(len(members)))}:
            members.append({name.removeprefix(_prefix(len(members))): tensors[name] for name in own})
            left -= own
        if left:
            raise PolicyError(f"network arrays {sorted(left)} belong to no member of {len(members)}")
        return cls(tuple(MEMBERS[kind].from_tensors(one) for one in members))


def _prefix(place: int) -> str:
    return f"{_MEMBER}.{place}."
