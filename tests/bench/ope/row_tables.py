"""Inputs that are tables with a line for each logged row, so that two libraries estimate from the very same numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes


@dataclass(frozen=True)
class RowTable:
    """A policy, or a Q-function, whose numbers are given for each row; features are the row's number.

    It hands out views of successive rows and copies nothing, as a peer that is given the table itself copies nothing.
    All actions are available.

    Attributes:
        table: probabilities or action values, `(n, n_actions)`.
        version: name of the policy.
    """

    table: FloatArray
    version: str = "table"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return self._rows(features, mask)

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return self._rows(features, mask)

    def _rows(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        if not mask.all():
            raise ValueError("a table by row knows no unavailable actions")
        first = int(features[0, 0])
        if int(features[-1, 0]) - first != len(features) - 1:
            raise ValueError("rows of a table are read one after the other")
        return self.table[first : first + len(features)]


def row_numbers(n: int) -> FeatureArray:
    """Features of n rows, `(n, 1)`."""
    if n >= 2**24:
        raise ValueError(f"single precision counts to 2^24, not to {n}")
    return np.arange(n, dtype=np.float32)[:, None]


def log_of_rows(
    action: IntArray, reward: FloatArray, propensity: FloatArray, *, n_actions: int, length: int
) -> LoggedEpisodes:
    """Episodes of one length that end for good, each of a unit of its own."""
    n = len(action)
    nothing = np.zeros(n, dtype=np.int64)
    return LoggedEpisodes(
        features=row_numbers(n),
        next_features=row_numbers(n),
        action=action,
        reward=reward,
        terminal=np.arange(n) % length == length - 1,
        timeout=np.zeros(n, dtype=bool),
        propensity=propensity,
        availability=np.ones((1, n_actions), dtype=bool),
        mask_index=nothing,
        next_mask_index=nothing,
        offsets=np.arange(0, n + 1, length, dtype=np.int64),
        unit=np.arange(n // length),
        start_time=np.arange(n // length),
        elapsed_microseconds=nothing,
        policy_version=nothing,
    )
