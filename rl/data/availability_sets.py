"""Availability sets as rows of a boolean table over the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.data.transition_columns import Transitions
from rl.policy.vocabulary import Vocabulary


@dataclass(frozen=True)
class AvailabilityRows:
    """Which actions were available at each row of some transitions.

    Attributes:
        sets: the distinct sets, `(n_sets, n_actions)`; every one has at least one True.
        index: set in force at the decision, `(n,)`.
        next_index: set in force at the next observation, `(n,)`.
        counts: rows that needed a stand-in: `actions_outside_availability` (the set was widened by the logged action),
            `unknown_availability` (all actions stand in), `nothing_available` (the same).
        lumped: natural actions that `(other)` stands for in each set, `(n_sets,)`; None without such an entry.
    """

    sets: BoolArray
    index: IntArray
    next_index: IntArray
    counts: Mapping[str, int]
    lumped: IntArray | None = None


def unmasked_rows(n: int, vocabulary: Vocabulary, *, n_others: int = 1) -> AvailabilityRows:
    """Return rows at which every action is available.

    Args:
        n: number of rows.
        vocabulary: dense index of the actions.
        n_others: natural actions without an entry of their own.
    """
    everything = np.ones((1, vocabulary.n_actions), dtype=bool)
    lumped = np.array([max(1, n_others)], dtype=np.int64) if vocabulary.has_other else None
    return AvailabilityRows(everything, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), {}, lumped)


def masked_rows(
    transitions: Transitions, action: IntArray, vocabulary: Vocabulary, known_sets: Mapping[str, frozenset[str]]
) -> AvailabilityRows:
    """Return the availability of each row, from the sets that the transitions name.

    `(other)` is available where a set holds an action without entry. A next observation without a set of its own has
    the decision's.

    Args:
        transitions: the rows.
        action: their dense action index, `(n,)`.
        vocabulary: the dense index.
        known_sets: natural keys by availability id.
    """
    sets, is_known = _sets_by_id(transitions.availability_ids, vocabulary, known_sets)
    lumped = _lumped(transitions, vocabulary, known_sets)
    is_empty = ~sets.any(axis=1)
    sets[is_empty] = True
    index = transitions.availability
    next_index = np.where(transitions.next_availability < 0, index, transitions.next_availability)
    widened, index, base = _widened(sets, index, action)
    if lumped is not None:
        lumped = np.concatenate([lumped, lumped[base]])
    return AvailabilityRows(
        sets=widened,
        index=index,
        next_index=np.where(next_index < 0, len(sets) - 1, next_index),
        counts={
            "actions_outside_availability": int((index >= len(sets)).sum()),
            "unknown_availability": int((~is_known[transitions.availability]).sum()),
            "nothing_available": int((is_empty & is_known)[transitions.availability].sum()),
        },
        lumped=lumped,
    )


def _lumped(
    transitions: Transitions, vocabulary: Vocabulary, known_sets: Mapping[str, frozenset[str]]
) -> IntArray | None:
    """Return the number of natural actions without an entry in each set and, last, in all sets together; at least 1."""
    if not vocabulary.has_other:
        return None
    everything = frozenset(transitions.action_keys.values())
    sets = [known_sets.get(id_) or everything for id_ in transitions.availability_ids]
    counts = [len(available.difference(vocabulary.keys)) for available in (*sets, everything)]
    return np.maximum(1, np.array(counts, dtype=np.int64))


def _sets_by_id(
    ids: tuple[str, ...], vocabulary: Vocabulary, known_sets: Mapping[str, frozenset[str]]
) -> tuple[BoolArray, BoolArray]:
    """Return one row per id and a last, empty one for rows without id, and whether each is known."""
    sets = np.zeros((len(ids) + 1, vocabulary.n_actions), dtype=bool)
    is_known = np.zeros(len(ids) + 1, dtype=bool)
    for row, id_ in enumerate(ids):
        if (available := known_sets.get(id_)) is None:
            continue
        is_known[row] = True
        sets[row] = vocabulary.mask_of(tuple(available))
        if (other := vocabulary.other_index) is not None:
            sets[row, other] = bool(available.difference(vocabulary.keys))
    return sets, is_known


def _widened(sets: BoolArray, index: IntArray, action: IntArray) -> tuple[BoolArray, IntArray, IntArray]:
    """Return the sets, and one more for each pair of a set and a logged action that the set lacks.

    Also each row's set, and the set that each added one was made from.
    """
    index = np.where(index < 0, len(sets) - 1, index)
    outside = np.flatnonzero(~sets[index, action])
    pairs, which = np.unique(np.stack([index[outside], action[outside]], axis=1), axis=0, return_inverse=True)
    added = sets[pairs[:, 0]].copy()
    added[np.arange(len(pairs)), pairs[:, 1]] = True
    moved = index.copy()
    moved[outside] = len(sets) + which.reshape(-1)
    return np.concatenate([sets, added]), moved.astype(np.int64), pairs[:, 0].astype(np.int64)
