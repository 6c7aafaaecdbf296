"""The one in-memory form of logged episodes that training and evaluation share.

Rows are transitions, flat; the rows of one episode are contiguous and in step order, episodes follow each other in
start order. Availability sets are stored once and referred to by index, never repeated per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rl.errors import DatasetError

FloatArray = npt.NDArray[np.float64]
FeatureArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Policy(Protocol):
    """A stochastic policy over a dense action index."""

    @property
    def version(self) -> str:
        """Name under which its decisions are logged."""
        ...

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Action probabilities.

        Args:
            features: encoded observations, `(n, n_features)`.
            mask: True where the action is available, `(n, n_actions)`; every row has at least one True.

        Returns:
            `(n, n_actions)`, rows sum to 1, zero where the mask is False.
        """
        ...


@dataclass(frozen=True)
class LoggedEpisodes:
    """Episodes of one split, as arrays.

    Attributes:
        features: encoded observations, `(n, n_features)`.
        next_features: encoded next observations, `(n, n_features)`; at an episode's end the as-of state at closing.
        action: dense index of the logged action, `(n,)`.
        reward: in the scenario's unit (not millionths), `(n,)`.
        terminal: True on the last row of an episode after which nothing follows, `(n,)`.
        timeout: True on the last row of an episode that was cut; exactly one of the two on every last row.
        propensity: behavior policy's probability of the logged action, `(n,)`; NaN where not known.
        availability: the distinct availability sets, `(n_sets, n_actions)`.
        mask_index: row of `availability` in force at the decision, `(n,)`.
        next_mask_index: the same at the next observation, `(n,)`.
        offsets: start row of each episode and, last, `n`: `(n_episodes + 1,)`.
        unit: index of the independent unit to resample (shopper), `(n_episodes,)`.
        start_time: episode start, microseconds since the epoch, `(n_episodes,)`.
        elapsed_seconds: decision to next decision (or closing), `(n,)`.
        policy_version: code of the policy that logged the row, `(n,)`; names in `policy_versions`.
        metrics: side metrics per row, each `(n,)`.
    """

    features: FeatureArray
    next_features: FeatureArray
    action: IntArray
    reward: FloatArray
    terminal: BoolArray
    timeout: BoolArray
    propensity: FloatArray
    availability: BoolArray
    mask_index: IntArray
    next_mask_index: IntArray
    offsets: IntArray
    unit: IntArray
    start_time: IntArray
    elapsed_seconds: IntArray
    policy_version: IntArray
    policy_versions: tuple[str, ...] = ("unknown",)
    metrics: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        violations = [*self._length_violations(), *self._value_violations()]
        if violations:
            raise DatasetError("logged episodes are inconsistent: " + "; ".join(violations))

    @property
    def n_transitions(self) -> int:
        return int(self.action.shape[0])

    @property
    def n_episodes(self) -> int:
        return int(self.offsets.shape[0] - 1)

    @property
    def n_actions(self) -> int:
        return int(self.availability.shape[1])

    @property
    def lengths(self) -> IntArray:
        """Steps per episode, `(n_episodes,)`."""
        return np.diff(self.offsets)

    @property
    def step(self) -> IntArray:
        """Step within the episode, from 0, `(n,)`."""
        return np.arange(self.n_transitions, dtype=np.int64) - np.repeat(self.offsets[:-1], self.lengths)

    @property
    def episode(self) -> IntArray:
        """Index of the episode of each row, `(n,)`."""
        return np.repeat(np.arange(self.n_episodes, dtype=np.int64), self.lengths)

    def mask(self, rows: IntArray | slice = slice(None)) -> BoolArray:
        """Available actions at the decision of the given rows, `(len(rows), n_actions)`."""
        return self.availability[self.mask_index[rows]]

    def next_mask(self, rows: IntArray | slice = slice(None)) -> BoolArray:
        """Available actions at the next observation of the given rows, `(len(rows), n_actions)`."""
        return self.availability[self.next_mask_index[rows]]

    def _length_violations(self) -> list[str]:
        n, n_episodes = self.n_transitions, self.n_episodes
        per_row = ("features", "next_features", "reward", "terminal", "timeout", "propensity", "mask_index",
                   "next_mask_index", "elapsed_seconds", "policy_version")  # fmt: skip
        found = [f"{name} has {len(getattr(self, name))} rows, expected {n}"
                 for name in per_row if len(getattr(self, name)) != n]  # fmt: skip
        found += [f"{name} has {len(getattr(self, name))} entries, expected {n_episodes}"
                  for name in ("unit", "start_time") if len(getattr(self, name)) != n_episodes]  # fmt: skip
        found += [f"metric {name} has {len(values)} rows, expected {n}"
                  for name, values in self.metrics.items() if len(values) != n]  # fmt: skip
        if n_episodes < 0 or (n_episodes >= 0 and int(self.offsets[-1]) != n):
            found.append(f"offsets end at {self.offsets[-1:]}, expected {n}")
        elif int(self.offsets[0]) != 0:
            found.append(f"offsets start at {self.offsets[:1]}, expected 0: rows before the first episode")
        elif (np.diff(self.offsets) <= 0).any():
            found.append("offsets are not strictly increasing")
        return found

    def _value_violations(self) -> list[str]:
        if self._length_violations() or not self.n_transitions:
            return []
        found = []
        is_last = np.zeros(self.n_transitions, dtype=bool)
        is_last[self.offsets[1:] - 1] = True
        if (bad := np.flatnonzero((self.terminal ^ self.timeout) != is_last)).size:
            found.append(f"rows {bad[:5].tolist()} break 'exactly one of terminal, timeout on the last step only'")
        if (bad := np.flatnonzero(self.terminal & self.timeout)).size:
            found.append(f"rows {bad[:5].tolist()} are terminal and timeout at once")
        for name in ("mask_index", "next_mask_index"):
            index = getattr(self, name)
            if (bad := np.flatnonzero((index < 0) | (index >= len(self.availability)))).size:
                found.append(f"rows {bad[:5].tolist()} have a {name} outside 0..{len(self.availability) - 1}")
        if found:
            return found
        if (bad := np.flatnonzero((self.action < 0) | (self.action >= self.n_actions))).size:
            found.append(f"rows {bad[:5].tolist()} have an action outside 0..{self.n_actions - 1}")
        elif (bad := np.flatnonzero(~self.availability[self.mask_index, self.action])).size:
            found.append(f"rows {bad[:5].tolist()} have an action outside their availability set")
        if (bad := np.flatnonzero(~np.isfinite(self.reward))).size:
            found.append(f"rows {bad[:5].tolist()} have a reward that is not finite")
        if (bad := np.flatnonzero((self.propensity <= 0) | (self.propensity > 1))).size:
            found.append(f"rows {bad[:5].tolist()} have a propensity outside (0, 1]")
        return found
