"""Observations as columns that a person can read: counts in their own units, and whether a list holds a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.data.shopper_segments import Names, named

_NAMES_PER_LIST = 12
_SMALLEST_SHARE = 0.01


@dataclass(frozen=True)
class ReadableColumn:
    """What one column says.

    Attributes:
        feature: that it is made from.
        kind: `number` (as observed, -1 for none), `length` (entries of a list), `first` (1 where the list begins with
            the name), `holds` (1 where it is anywhere in it).
        name: natural key, of `first` and `holds`.
    """

    feature: str
    kind: Literal["number", "length", "first", "holds"]
    name: str = ""


@dataclass(frozen=True)
class ReadableObservations:
    """Columns and their values, `(n, len(columns))`."""

    columns: tuple[ReadableColumn, ...]
    values: FloatArray


def readable_observations(
    observation: Mapping[str, IntArray], features: Sequence[str], names: Names
) -> ReadableObservations:
    """Return the features as readable columns.

    A list becomes its length and, for its twelve most frequent ids (in at least 1% of the rows), whether it begins with
    each and whether it holds it.

    Args:
        observation: feature name -> `(n,)`, or `(n, length)` padded with 0.
        features: to take.
        names: natural keys of ids.
    """
    columns: list[ReadableColumn] = []
    values: list[FloatArray] = []
    for feature in features:
        column = observation[feature]
        if column.ndim == 1:
            columns.append(ReadableColumn(feature, "number"))
            values.append(column.astype(np.float64))
            continue
        columns.append(ReadableColumn(feature, "length"))
        values.append((column != 0).sum(axis=1).astype(np.float64))
        for id_ in _frequent(column):
            name = named(id_, names)
            columns += [ReadableColumn(feature, "first", name), ReadableColumn(feature, "holds", name)]
            values += [(column[:, 0] == id_).astype(np.float64), (column == id_).any(axis=1).astype(np.float64)]
    return ReadableObservations(tuple(columns), np.stack(values, axis=1))


def _frequent(lists: IntArray) -> list[int]:
    """Return the ids by number of rows that hold them, most first, ties by ascending id."""
    by_row = np.sort(lists, axis=1)
    is_new = np.concatenate([np.ones((len(lists), 1), dtype=bool), by_row[:, 1:] != by_row[:, :-1]], axis=1)
    ids, counts = np.unique(by_row[is_new & (by_row != 0)], return_counts=True)
    order = np.lexsort((ids, -counts))
    kept = [index for index in order if counts[index] >= _SMALLEST_SHARE * len(lists)]
    return [int(ids[index]) for index in kept[:_NAMES_PER_LIST]]
