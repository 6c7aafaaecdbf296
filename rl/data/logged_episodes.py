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

MICROSECONDS_PER_DAY = 86_400_000_000

LARGEST_REWARD = 1e100
"""A weighted sum of rewards up to here has a square that is a double; nothing a shop sells is worth more."""


class Policy(Protocol):
    """A stochastic policy over a dense action index."""

    @property
    def version(self) -> str:
        """Name under which its decisions are logged."""
        ...

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probability of every action.

        Args:
            features: encoded observations, `(n, n_features)`.
            mask: True where the action is available, `(n, n_actions)`; every row has at least one True.

        Returns:
            `(n, n_actions)`, rows sum to 1, zero where the mask is False.
        """
        ...


ROW_FIELDS = (
    "features",
    "next_features",
    "action",
    "reward",
    "terminal",
    "timeout",
    "propensity",
    "mask_index",
    "next_mask_index",
    "elapsed_microseconds",
    "policy_version",
)
"""Fields of `LoggedEpisodes` that hold one value or row for each transition, metrics aside."""


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
        elapsed_microseconds: decision to next decision (or closing), `(n,)`.
        policy_version: code of the policy that logged the row, `(n,)`; names in `policy_versions`.
        metrics: side metrics per row, each `(n,)`.
        lumped: how many natural actions the last entry of the index stands for in each availability set, `(n_sets,)`;
            None where it stands for itself. A logged propensity is always of the natural action that was taken.
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
    elapsed_microseconds: IntArray
    policy_version: IntArray
    policy_versions: tuple[str, ...] = ("unknown",)
    metrics: Mapping[str, FloatArray] = field(default_factory=dict)
    lumped: IntArray | None = None

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

    @property
    def elapsed_days(self) -> FloatArray:
        """Days, and exact parts of them, from each decision to the next (or closing), `(n,)`."""
        return np.asarray(self.elapsed_microseconds / MICROSECONDS_PER_DAY, dtype=np.float64)

    def mask(self, rows: IntArray | slice = slice(None)) -> BoolArray:
        """Return the available actions at the decision of the given rows, `(len(rows), n_actions)`."""
        return self.availability[self.mask_index[rows]]

    def next_mask(self, rows: IntArray | slice = slice(None)) -> BoolArray:
        """Return the available actions at the next observation of the given rows, `(len(rows), n_actions)`."""
        return self.availability[self.next_mask_index[rows]]

    @property
    def n_available(self) -> IntArray:
        """Natural actions in each availability set, `(n_sets,)`."""
        n_entries: IntArray = self.availability.sum(axis=1).astype(np.int64)
        if self.lumped is None:
            return n_entries
        return np.asarray(n_entries + self.availability[:, -1] * (self.lumped - 1))

    @property
    def n_sharing(self) -> IntArray:
        """Natural actions that share the index of the logged one, itself among them, `(n,)`."""
        if self.lumped is None:
            return np.ones(self.n_transitions, dtype=np.int64)
        return np.where(self.action == self.n_actions - 1, self.lumped[self.mask_index], 1).astype(np.int64)

    def _length_violations(self) -> list[str]:
        n, n_episodes = self.n_transitions, self.n_episodes
        per_row = (
            "features",
            "next_features",
            "reward",
            "terminal",
            "timeout",
            "propensity",
            "mask_index",
            "next_mask_index",
            "elapsed_microseconds",
            "policy_version",
        )
        found = [
            f"{name} has {len(getattr(self, name))} rows, expected {n}"
            for name in per_row
            if len(getattr(self, name)) != n
        ]
        found += [
            f"{name} has {len(getattr(self, name))} entries, expected {n_episodes}"
            for name in ("unit", "start_time")
            if len(getattr(self, name)) != n_episodes
        ]
        found += [
            f"metric {name} has {len(values)} rows, expected {n}"
            for name, values in self.metrics.items()
            if len(values) != n
        ]
        if self.lumped is not None and len(self.lumped) != len(self.availability):
            found.append(f"lumped has {len(self.lumped)} entries, expected {len(self.availability)}")
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
        return [*self._end_violations(), *self._availability_violations(), *self._number_violations()]

    def _end_violations(self) -> list[str]:
        is_last = np.zeros(self.n_transitions, dtype=bool)
        is_last[self.offsets[1:] - 1] = True
        return [
            *_at(
                (self.terminal ^ self.timeout) != is_last,
                "break 'exactly one of terminal, timeout on the last step only'",
            ),
            *_at(self.terminal & self.timeout, "are terminal and timeout at once"),
        ]

    def _availability_violations(self) -> list[str]:
        n_sets, found = len(self.availability), []
        for name in ("mask_index", "next_mask_index"):
            index = getattr(self, name)
            found += _at((index < 0) | (index >= n_sets), f"have a {name} outside 0..{n_sets - 1}")
        if found:
            return found
        if self.lumped is not None and bool((self.lumped[self.availability[:, -1]] < 1).any()):
            return ["some sets hold the last entry, which stands for no natural action there (lumped)"]
        is_empty = np.asarray(~self.availability.any(axis=1))
        found = _at(
            is_empty[self.next_mask_index] & ~self.terminal,
            "go on, or time out, to a next observation with an empty availability set",
        )
        is_unknown = (self.action < 0) | (self.action >= self.n_actions)
        if is_unknown.any():
            return found + _at(is_unknown, f"have an action outside 0..{self.n_actions - 1}")
        is_masked = ~self.availability[self.mask_index, self.action]
        return found + _at(is_masked, "have an action outside their availability set")

    def _number_violations(self) -> list[str]:
        is_finite, limit = np.isfinite(self.reward), f"{LARGEST_REWARD:g}"
        found = [
            *_at(~is_finite, "have a reward that is not finite"),
            *_at(is_finite & (np.abs(self.reward) > LARGEST_REWARD), f"have a reward beyond {limit}"),
            *_at((self.propensity <= 0) | (self.propensity > 1), "have a propensity outside (0, 1]"),
            *_at(~(self.elapsed_microseconds >= 0), "have a next decision before their own (elapsed_microseconds)"),
        ]
        for name, values in self.metrics.items():
            found += _at(~(np.abs(values) <= LARGEST_REWARD), f"have a metric {name} not finite, or beyond {limit}")
        for name in ("features", "next_features"):
            found += _not_finite_rows(getattr(self, name), f"have {name} that are not finite")
        return found


def _at(is_bad: BoolArray, what: str) -> list[str]:
    """Return one violation that names the first bad rows and what they do; none where no row is bad."""
    rows = np.flatnonzero(is_bad)
    return [f"rows {rows[:5].tolist()} {what}"] if rows.size else []


def _not_finite_rows(values: FeatureArray, what: str) -> list[str]:
    """Return the violation by rows that hold a value that isn't finite; a single sum rules most arrays out first."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return []
    is_finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return _at(np.asarray(~is_finite), what)
