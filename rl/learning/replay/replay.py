"""Logged episodes as a learner's replay: contiguous tensors, whole batches gathered at once."""

from __future__ import annotations

import math

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import TrainingError
from rl.learning.replay.held_memory import HeldMemory
from rl.learning.replay.observation_table import ObservationTable, as_tensor, observation_table
from rl.learning.replay.replay_columns import (
    ACTION,
    CLOSING,
    ELAPSED,
    NEXT_SET,
    REWARD,
    SET,
    TERMINAL,
    ReplayColumns,
    TrainingData,
    as_columns,
)
from rl.learning.replay.row_order import ShuffledRows

__all__ = ["Replay", "ShuffledRows"]

# Of a GPU's free memory, so much is left for networks, optimizers and batches, which come after the data.
_SHARE_OF_NETWORKS = 1 / 5


class Replay:
    """Every logged transition, one row each, on the device where it fits.

    `terminals` is 1 only where nothing follows: after a timeout the learner looks on from the next observation, so that
    no reward of a cut episode is lost.
    """

    def __init__(
        self,
        episodes: TrainingData,
        *,
        device: str = "cpu",
        reward_scale: float = 1.0,
        never_chosen: int | None = None,
        parts_of_day: int | None = None,
    ) -> None:
        """Make the tensors of the episodes.

        Args:
            episodes: at least one; columns that are memory-mapped stay where they are.
            device: that batches are on; the data is there too where it fits.
            reward_scale: rewards are divided by it.
            never_chosen: action that the policy won't choose: not available at next observations, unless alone.
            parts_of_day: a batch's intervals, which learners raise gamma to, count what passed in such parts of a day;
                None for one step each.

        Raises:
            TrainingError: no transitions, or a cut episode whose next observation has no available action.
        """
        if not episodes.n_transitions:
            raise TrainingError("no transitions to learn from: expected at least one that the scenario's rules leave")
        columns = as_columns(episodes)
        self.device = device
        self.n_transitions = columns.n_transitions
        self.n_features = int(columns.features.shape[1])
        self.n_actions = columns.n_actions
        self._reward_scale = reward_scale
        self._parts_of_day = parts_of_day
        next_sets = _without(columns.availability, never_chosen)
        _refuse_empty(columns, next_sets)
        self._table, self._records = _on_device(columns, device)
        self._is_on_device = is_there(self._table.device, device)
        is_read_from_files = columns.is_mapped and self._table.device.type == "cpu"
        self._memory = HeldMemory(columns, columns.memory_bytes or 1) if is_read_from_files else None
        self._sets = torch.from_numpy(columns.availability.copy()).to(self._table.device)
        self._next_sets = torch.from_numpy(next_sets.copy()).to(self._table.device)
        # Of one row; batches show it in each of theirs.
        self._nothing, self._one_step = (torch.full((1, 1), value, device=device) for value in (0.0, 1.0))

    @property
    def observation_shape(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of an observation's features and mask."""
        return (self.n_features,), (self.n_actions,)

    @property
    def is_mapped(self) -> bool:
        """Whether batches are read from files, which is better done ahead of time."""
        return self._memory is not None

    @property
    def is_on_device(self) -> bool:
        """Whether the data is where batches are, so that `gather` may be part of a captured graph."""
        return self._is_on_device

    def batch(self, rows: IntArray) -> TorchMiniBatch:
        """Return d3rlpy's batch of the given rows, on the device."""
        index = torch.from_numpy(rows)
        if self._memory is None:
            return self.gather(index.to(self._table.device, non_blocking=True))
        return self._as_mini_batch(self._gathered_in_pieces(index, self._memory))

    def gather(self, rows: torch.Tensor) -> TorchMiniBatch:
        """Return d3rlpy's batch of the given rows, on the device, without waiting for a GPU.

        Args:
            rows: `(batch_size,)`, where the data is.
        """
        return self._as_mini_batch(self._gathered(rows))

    def _gathered_in_pieces(self, rows: torch.Tensor, memory: HeldMemory) -> list[torch.Tensor]:
        pieces = []
        for piece in torch.split(rows, memory.piece):
            memory.rows_are_read(len(piece))
            pieces.append(self._gathered(piece))
        return pieces[0] if len(pieces) == 1 else [torch.cat(column) for column in zip(*pieces, strict=True)]

    def _gathered(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return the rows' features, mask, next features, next mask, action, reward, terminal, where the data is.

        Last, where they count, the parts of days to the next decision.
        """
        record = self._records.index_select(0, rows)
        columns = record.unbind(1)
        features, following = self._table.pairs(rows, columns[CLOSING])
        parts = self._parts_of_day
        passed = [] if parts is None else [columns[ELAPSED].view(torch.float32)[:, None] * parts]
        return [
            features,
            _sets_of(self._sets, columns[SET]),
            following,
            _sets_of(self._next_sets, columns[NEXT_SET]),
            columns[ACTION].long()[:, None],
            self._scaled(record[:, REWARD].view(torch.float64)).float(),
            columns[TERMINAL].float()[:, None],
            *passed,
        ]

    def _as_mini_batch(self, found: list[torch.Tensor]) -> TorchMiniBatch:
        if not self.is_on_device:
            # From pinned memory, a GPU fetches while the processor goes on.
            found = [column.contiguous().pin_memory().to(self.device, non_blocking=True) for column in found]
        features, mask, following, next_mask, action, reward, terminal, *passed = found
        nothing = self._nothing.expand_as(reward)
        return TorchMiniBatch(
            observations=[features, mask],
            actions=action,
            rewards=reward,
            next_observations=[following, next_mask],
            next_actions=nothing,
            returns_to_go=nothing,
            terminals=terminal,
            intervals=passed[0] if passed else self._one_step.expand_as(reward),
            device=self.device,
        )

    def _scaled(self, reward: torch.Tensor) -> torch.Tensor:
        return reward if self._reward_scale == 1 else reward.div(self._reward_scale)


def _sets_of(sets: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return the set of each row, `(n, n_actions)`; where there is but one, all rows show the same memory."""
    return sets.expand(len(index), -1) if len(sets) == 1 else sets.index_select(0, index)


def _without(sets: BoolArray, never_chosen: int | None) -> BoolArray:
    if never_chosen is None:
        return sets
    kept = sets.copy()
    kept[:, never_chosen] &= ~np.delete(sets, never_chosen, axis=1).any(axis=1)
    return kept


def _refuse_empty(columns: ReplayColumns, next_sets: BoolArray) -> None:
    is_empty: BoolArray = np.logical_not(next_sets.any(axis=1))
    if not is_empty.any():
        return
    found = [is_empty[block[:, NEXT_SET]] & (block[:, TERMINAL] == 0) for block in columns.blocks()]
    if (rows := np.flatnonzero(np.concatenate(found))).size:
        raise TrainingError(
            f"{rows.size} next observations have no available action, such as row {rows[0]}; expected at least one "
            "unless nothing follows"
        )


def is_there(found: torch.device, device: str) -> bool:
    """Return whether the tensor's device is the named one; `cuda` matches any `cuda:N`."""
    wanted = torch.device(device)
    return found.type == wanted.type and wanted.index in (None, found.index)


def free_bytes(device: str) -> float:
    """Return a GPU's free bytes; infinity on a processor, where the data lies already."""
    place = torch.device(device)
    return torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else math.inf


def _on_device(columns: ReplayColumns, device: str) -> tuple[ObservationTable, torch.Tensor]:
    """Return observations and records on the device; where they are, if it lacks room for them and networks."""
    if columns.n_bytes > (1 - _SHARE_OF_NETWORKS) * free_bytes(device):
        return observation_table(columns, "cpu"), as_tensor(columns.records)
    try:
        found = observation_table(columns, device), as_tensor(columns.records).to(device)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
    else:
        columns.release()
        return found
    return observation_table(columns, "cpu"), as_tensor(columns.records)
