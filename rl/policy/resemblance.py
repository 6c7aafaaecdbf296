"""How actions resemble what a session has shown and seen, as terms of a linear value: the basis, no weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.observation_encoder import ObservationEncoder

FeatureArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_HINGES = (0.4, 0.6, 0.8)
"""Cosines above which resemblance counts anew: interest often begins at a threshold."""

_FEW = 4
"""Latest entries of a list that are taken together, beside the latest one and all of them."""

_ALIKE, _SAME = 0.8, 1 - 1e-6
_MAX_EDGES = 6
_N_QUANTILES = 12
_CELLS = 1 << 19
"""Rows times actions looked at together: few enough for a processor's cache."""


@dataclass(frozen=True)
class ResemblanceBasis:
    """Terms of an action times terms of the situation: Q(s, a) = sum over both of w x term(s, a) x context(s) + own(a).

    Terms of an action are cosines between its attributes and those of each list's latest entry, its latest few and all
    of it, with hinges, and whether it is the latest one itself. The context is every number of the observation, its
    steps where it takes few values, and the same again where a list's latest entries are alike. What is learned of one
    item so holds of all that stand alike to a shopper's history, and few rows tell it.

    Source: after the hand-made resemblances of Zhou et al. (2018), Deep Interest Network, without its layers.

    Attributes:
        actions: attributes of each action, `(n_actions, n_attributes)`.
        least: least value of each attribute among the actions, from which attributes are measured, `(n_attributes,)`.
        lists: first column and entries of each list of items, `(n_lists, 2)`.
        numbers: columns of the other features, `(n_numbers,)`.
        edges: values above which a number counts anew, `(n_numbers, n_edges)`; infinite where there are fewer.
        width: columns of an encoded observation, `(1,)`.
    """

    actions: FeatureArray
    least: FeatureArray
    lists: IntArray
    numbers: IntArray
    edges: FeatureArray
    width: IntArray

    def __post_init__(self) -> None:
        n_attributes = self.actions.shape[1]
        problems = []
        if self.least.shape != (n_attributes,):
            problems.append(f"least of shape {self.least.shape}, expected ({n_attributes},)")
        if not len(self.lists) or self.lists.shape[1:] != (2,):
            problems.append(f"lists of shape {self.lists.shape}, expected at least one, (n_lists, 2)")
        elif int((self.lists[:, 0] + self.lists[:, 1] * n_attributes).max()) > self.n_inputs:
            problems.append(f"lists end beyond the {self.n_inputs} columns of an observation")
        if self.edges.shape[:1] != self.numbers.shape:
            problems.append(f"edges of {len(self.edges)} numbers, expected {len(self.numbers)}")
        if problems:
            raise PolicyError("resemblances: " + "; ".join(problems))

    @classmethod
    def of(cls, encoder: ObservationEncoder, actions: FeatureArray, features: FeatureArray) -> ResemblanceBasis:
        """Return the basis over an encoder's lists of items and its numbers.

        Args:
            encoder: of the observations.
            actions: attributes of each action, `(n_actions, n_attributes)`.
            features: encoded observations of training, whose values set the edges, `(n, n_features)`.

        Raises:
            PolicyError: no feature is a list of items whose attributes are known.
        """
        lists: list[tuple[int, int]] = []
        numbers: list[int] = []
        start = 0
        for column in encoder.columns:
            wide = encoder.width_of(column)
            if column.kind == "attributes":
                lists.append((start, column.length))
            elif column.kind in ("count", "cyclic"):
                numbers += range(start, start + wide)
            start += wide
        if not lists:
            raise PolicyError(
                "no feature of the observation is a list of items with attributes; add recent_engaged_items to "
                "observation.features, and action.attributes"
            )
        edges = np.full((len(numbers), _MAX_EDGES), np.inf, dtype=np.float32)
        for place, column_number in enumerate(numbers):
            found = _edges(features[:, column_number])
            edges[place, : len(found)] = found
        return cls(
            actions=actions,
            least=actions.min(axis=0),
            lists=np.array(lists, dtype=np.int64),
            numbers=np.array(numbers, dtype=np.int64),
            edges=edges,
            width=np.array([start], dtype=np.int64),
        )

    @property
    def n_inputs(self) -> int:
        """Width of an encoded observation."""
        return int(self.width[0])

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.actions)

    @property
    def n_terms(self) -> int:
        """Terms of an action, beside its own attributes."""
        return 1 + len(self.lists) * (4 + 2 * len(_HINGES))

    def context(self, features: FeatureArray) -> FeatureArray:
        """Return the terms of the situation, `(n, n_context)`."""
        self._require_width(features)
        numbers = features[:, self.numbers]
        above = (numbers[:, :, None] > self.edges).reshape(len(features), -1)
        base = np.concatenate([np.ones((len(features), 1)), numbers, above], axis=1, dtype=np.float32)
        parts = [base]
        for entries, is_there in self._entries(features):
            first = _unit(entries[:, 0])
            alike = np.einsum("nd,nkd->nk", first, _unit(entries[:, 1:_FEW]))
            is_alike = ((alike > _ALIKE) & is_there[:, 1:_FEW]).all(axis=1) & is_there[:, 0]
            parts.append(base * is_alike[:, None].astype(np.float32))
        return np.concatenate(parts, axis=1)

    def terms(self, features: FeatureArray, action: IntArray) -> FeatureArray:
        """Return the terms of one action a row, `(n, n_terms)`.

        Args:
            features: encoded observations, `(n, n_features)`.
            action: `(n,)`.
        """
        chosen = self._items[action]
        return np.stack(
            [*_terms([np.einsum("nd,nd->n", one, chosen) for one in self._directions(features)])], axis=-1
        ).astype(np.float32, copy=False)

    def values(self, features: FeatureArray, weights: FeatureArray, own: FeatureArray) -> FeatureArray:
        """Return the values of all actions, `(n, n_actions)`.

        Args:
            features: encoded observations, `(n, n_features)`.
            weights: of each term in each context, `(n_terms, n_context)`.
            own: of each attribute of the action itself, `(n_attributes,)`.
        """
        slopes = self.context(features) @ weights.T
        values = np.empty((len(features), self.n_actions), dtype=np.float32)
        values[:] = self.own_terms @ own
        for rows in self.row_batches(len(features)):
            for place, term in enumerate(self._terms_of_all(features[rows])):
                values[rows] += slopes[rows, place, None] * term
        return values

    def row_batches(self, n_rows: int) -> Iterator[slice]:
        """Yield slices of rows that fit a processor's cache with all actions."""
        step = max(1, _CELLS // self.n_actions)
        yield from (slice(start, start + step) for start in range(0, n_rows, step))

    @cached_property
    def own_terms(self) -> FeatureArray:
        """Attributes of the actions, measured from the least, `(n_actions, n_attributes)`."""
        return np.asarray(self.actions - self.least, dtype=np.float32)

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}

    def _terms_of_all(self, features: FeatureArray) -> Iterator[FeatureArray]:
        """Yield each term of all actions, `(n, n_actions)`."""
        yield from _terms([one @ self._items.T for one in self._directions(features)])

    @cached_property
    def _items(self) -> FeatureArray:
        return _unit(self.own_terms)

    def _directions(self, features: FeatureArray) -> list[FeatureArray]:
        """Return, of each list, its latest entry, its latest few and all of it, of length 1, `(n, n_attributes)`."""
        self._require_width(features)
        found = []
        for entries, _ in self._entries(features):
            found += [entries[:, 0], entries[:, :_FEW].sum(axis=1), entries.sum(axis=1)]
        return [_unit(one) for one in found]

    def _entries(self, features: FeatureArray) -> Iterator[tuple[FeatureArray, npt.NDArray[np.bool_]]]:
        """Yield each list's entries, `(n, length, n_attributes)`, zeros and False where there is none."""
        n_attributes = self.actions.shape[1]
        for start, length in self.lists.tolist():
            block = features[:, start : start + length * n_attributes].reshape(len(features), length, n_attributes)
            is_there = np.asarray(block.any(axis=2), dtype=np.bool_)
            entries = np.where(is_there[:, :, None], block - self.least, np.float32(0))
            yield np.asarray(entries, dtype=np.float32), is_there

    def _require_width(self, features: FeatureArray) -> None:
        if features.shape[1] != self.n_inputs:
            raise PolicyError(f"{features.shape[1]} encoded features, expected {self.n_inputs}")


def _terms(cosines: list[FeatureArray]) -> Iterator[FeatureArray]:
    """Yield the constant, then of each list its three cosines, hinges of the first and the last, and sameness."""
    yield np.ones_like(cosines[0])
    for place in range(0, len(cosines), 3):
        latest, few, every = cosines[place : place + 3]
        yield from (latest, few, every)
        for one in (latest, every):
            yield from (np.maximum(one - np.float32(hinge), 0) for hinge in _HINGES)
        yield (latest > _SAME).astype(np.float32)


def _unit(vectors: FeatureArray) -> FeatureArray:
    """Return the vectors at length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.float32(1e-9)), dtype=np.float32)


def _edges(values: FeatureArray) -> FeatureArray:
    """Return values above which a number counts anew: between the distinct quantiles of one that takes few values."""
    if not len(values):
        return np.zeros(0, dtype=np.float32)
    found = np.unique(np.quantile(values, np.arange(_N_QUANTILES) / _N_QUANTILES, method="lower"))
    return np.asarray(found if 1 < len(found) <= _MAX_EDGES else [], dtype=np.float32)
