"""What a replay holds: every observation once, and one short record per transition.

The next observation of a transition mostly is the observation of the row below. It is stored by itself, among the
closings, only where it isn't, bit for bit: at episodes' ends.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.learning.replay.ruled_rows import RuledRows, Ruling, ruled_rows

RecordArray = npt.NDArray[np.int32]

# Places in a record: the reward's 64 bits in the first two, then the rest. One row of memory holds all of them: what
# picking a random row costs is the memory it touches.
REWARD = slice(0, 2)
ACTION, TERMINAL, SET, NEXT_SET, CLOSING, ELAPSED = range(2, 8)
RECORD_LENGTH = 8  # even, so that every reward lies as 64 bits must

# In place of a closing: the next observation is that of the row below.
ROW_BELOW = -1

# Rows looked at together, few enough for a processor's cache.
_BLOCK_ROWS = 2048


@dataclass(frozen=True)
class ReplayColumns:
    """Logged transitions as a replay takes them; arrays may be memory-mapped files.

    Attributes:
        features: encoded observations, `(n, n_features)`.
        closings: next observations that no row has, `(n_closings, n_features)`.
        records: `(n, RECORD_LENGTH)`: reward in the scenario's unit, action, terminal, availability set in force now
            and next, place among the closings or `ROW_BELOW`, and the bits of the days to the next decision (float32).
        availability: the distinct availability sets, `(n_sets, n_actions)`.
        memory_bytes: that may be held of the arrays at a time, about, where they are memory-mapped files; else None.
    """

    features: FeatureArray
    closings: FeatureArray
    records: RecordArray
    availability: BoolArray
    memory_bytes: int | None = None

    @property
    def is_mapped(self) -> bool:
        """Whether the arrays are memory-mapped files."""
        return self.memory_bytes is not None

    @property
    def n_transitions(self) -> int:
        return len(self.records)

    @property
    def n_actions(self) -> int:
        return int(self.availability.shape[1])

    @property
    def reward(self) -> FloatArray:
        """Reward in the scenario's unit, `(n,)`, as a copy."""
        return np.ascontiguousarray(self.records[:, REWARD]).view(np.float64)[:, 0]

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays together."""
        return sum(array.nbytes for array in (self.features, self.closings, self.records, self.availability))

    def mask(self, rows: IntArray) -> BoolArray:
        """Return the available actions at the decision of the given rows, `(len(rows), n_actions)`."""
        found: BoolArray = self.availability[self.records[rows, SET]]
        return found

    def release(self) -> None:
        """Free the memory held of memory-mapped files; what is read next is fetched again."""
        for array in (self.features, self.closings, self.records):
            if isinstance(array, np.memmap):
                array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]  # numpy leaves it untyped

    def blocks(self) -> Iterator[RecordArray]:
        """Yield the records, one block after the other."""
        for start in range(0, self.n_transitions, 1 << 16):
            yield self.records[start : start + (1 << 16)]


TrainingData = LoggedEpisodes | ReplayColumns
"""What a candidate learns from."""


def as_columns(training: TrainingData) -> ReplayColumns:
    """Return the data as columns; features are shared, not copied."""
    return columns_of(training) if isinstance(training, LoggedEpisodes) else training


def columns_of(episodes: LoggedEpisodes, ruling: Ruling | None = None) -> ReplayColumns:
    """Return the episodes' columns; features are shared, not copied, where no rule leaves a row out.

    Args:
        episodes: logged.
        ruling: the shop's rules, which leave rows out and take actions away; None for none.

    Raises:
        TrainingError: the rules leave nothing to choose at a next observation.
    """
    if ruling is not None and ruling.is_needed and episodes.n_transitions:
        return _columns(episodes, ruled_rows(episodes, ruling))
    every = slice(None)
    return _columns(episodes, _EveryRow(every, episodes.availability, episodes.mask_index, episodes.next_mask_index))


class _EveryRow(NamedTuple):
    """All rows, as no rule says otherwise."""

    rows: slice
    availability: BoolArray
    mask_index: IntArray
    next_mask_index: IntArray


def _columns(episodes: LoggedEpisodes, left: RuledRows | _EveryRow) -> ReplayColumns:
    rows = left.rows
    features = np.ascontiguousarray(episodes.features[rows], dtype=np.float32)
    following = np.ascontiguousarray(episodes.next_features[rows], dtype=np.float32)
    own = np.flatnonzero(has_own_closing(features, following))
    records = np.empty((len(features), RECORD_LENGTH), dtype=np.int32)
    reward = np.ascontiguousarray(episodes.reward[rows], dtype=np.float64)
    records[:, REWARD] = reward.view(np.int32).reshape(-1, 2)
    records[:, ACTION] = episodes.action[rows]
    records[:, TERMINAL] = episodes.terminal[rows]
    records[:, SET] = left.mask_index
    records[:, NEXT_SET] = left.next_mask_index
    records[:, CLOSING] = ROW_BELOW
    records[own, CLOSING] = np.arange(len(own))
    records[:, ELAPSED] = episodes.elapsed_days[rows].astype(np.float32).view(np.int32)
    return ReplayColumns(features, following[own], records, left.availability)


def has_own_closing(features: FeatureArray, next_features: FeatureArray) -> BoolArray:
    """Return True where the next features aren't, bit for bit, those of the row below, and on the last row, `(n,)`."""
    now, following = _bits(features), _bits(next_features)
    n = len(now)
    differs = np.ones(n, dtype=bool)
    for start in range(0, n - 1, _BLOCK_ROWS):
        end = min(start + _BLOCK_ROWS, n - 1)
        differs[start:end] = (now[start + 1 : end + 1] != following[start:end]).any(axis=1)
    return differs


def _bits(features: FeatureArray) -> npt.NDArray[np.unsignedinteger]:
    """Return the rows' bits, to compare: as floats, -0 equals 0, and NaN doesn't equal itself."""
    return features.view(np.uint64 if features.shape[1] % 2 == 0 else np.uint32)
