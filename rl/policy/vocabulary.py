"""The dense action index: natural keys and id hashes of the actions a policy knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Stands for every action that has no entry of its own; never served.
OTHER_KEY = "(other)"


@dataclass(frozen=True)
class Vocabulary:
    """Actions in index order; where `has_other`, one more entry at the end stands for all further actions.

    Attributes:
        keys: natural keys, without `(other)`.
        ids: their id hashes.
        has_other: whether the last entry is `(other)`.
    """

    keys: tuple[str, ...]
    ids: tuple[int, ...]
    has_other: bool

    def __post_init__(self) -> None:
        n = len(self.keys)
        if len(self.ids) != n or len(set(self.keys)) != n or len(set(self.ids)) != n or OTHER_KEY in self.keys:
            raise PolicyError(f"vocabulary: expected distinct keys, none of them {OTHER_KEY!r}, and an id for each")

    @property
    def n_actions(self) -> int:
        return len(self.keys) + self.has_other

    @property
    def other_index(self) -> int | None:
        """Index of `(other)`, or None."""
        return len(self.keys) if self.has_other else None

    @property
    def names(self) -> tuple[str, ...]:
        """Natural keys of all entries, `(other)` last where there is one."""
        return (*self.keys, OTHER_KEY) if self.has_other else self.keys

    def index_of_ids(self, ids: IntArray) -> IntArray:
        """Return the dense index of each id; an id without entry gets that of `(other)`, or -1 where there is none."""
        order = np.argsort(np.array(self.ids, dtype=np.int64))
        known = np.array(self.ids, dtype=np.int64)[order]
        if not len(known):
            return np.full(len(ids), self._missing, dtype=np.int64)
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, order[place], self._missing).astype(np.int64)

    def index_in(self, older: Vocabulary) -> IntArray:
        """Return the index in an older vocabulary of each entry of this one, -1 where it knows none, `(n_actions,)`.

        `(other)` maps to `(other)` only: what the older one lumped together isn't what this one does.
        """
        position = {key: index for index, key in enumerate(older.names)}
        return np.array([position.get(name, -1) for name in self.names], dtype=np.int64)

    def mask_of(self, available: Sequence[str] | None) -> BoolArray:
        """Return True at the entries of the available keys, `(n_actions,)`; never at `(other)`.

        None stands for all keys; keys without entry are ignored.
        """
        mask = np.zeros(self.n_actions, dtype=bool)
        if available is None:
            mask[: len(self.keys)] = True
            return mask
        wanted = set(available)
        mask[: len(self.keys)] = [key in wanted for key in self.keys]
        return mask

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; ids as text, since other readers of JSON round 64-bit integers."""
        return {"keys": list(self.keys), "ids": [str(id_) for id_ in self.ids], "has_other": self.has_other}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Vocabulary:
        return cls(tuple(content["keys"]), tuple(int(id_) for id_ in content["ids"]), bool(content["has_other"]))

    @property
    def _missing(self) -> int:
        return len(self.keys) if self.has_other else -1
