"""Logged episodes as a learner's replay: contiguous tensors, whole batches gathered at once."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from rl.errors import TrainingError
from rl.logged_episodes import BoolArray, IntArray, LoggedEpisodes


class Replay:
    """Every logged transition, one row each, on the device where it fits.

    `terminals` is 1 only where nothing follows: after a timeout the learner looks on from the next observation, so that
    no reward of a cut episode is lost.
    """

    def __init__(
        self,
        episodes: LoggedEpisodes,
        *,
        device: str = "cpu",
        reward_scale: float = 1.0,
        never_chosen: int | None = None,
    ) -> None:
        """Tensors of the episodes.

        Args:
            episodes: at least one.
            device: that batches are on; the data is there too where it fits.
            reward_scale: rewards are divided by it.
            never_chosen: action that the policy won't choose: not available at next observations, unless alone.

        Raises:
            TrainingError: no transitions, or a cut episode whose next observation has no available action.
        """
        if not episodes.n_transitions:
            raise TrainingError("no transitions to learn from; expected at least one")
        self.device = device
        self.n_transitions = episodes.n_transitions
        self.n_features = int(episodes.features.shape[1])
        self.n_actions = episodes.n_actions
        next_sets = _without(episodes.availability, never_chosen)
        _refuse_empty(episodes, next_sets)
        reward = (episodes.reward / reward_scale).astype(np.float32)
        columns = {
            "features": torch.from_numpy(np.ascontiguousarray(episodes.features, dtype=np.float32)),
            "next_features": torch.from_numpy(np.ascontiguousarray(episodes.next_features, dtype=np.float32)),
            "action": torch.from_numpy(episodes.action)[:, None],
            "reward": torch.from_numpy(reward)[:, None],
            "terminal": torch.from_numpy(episodes.terminal.astype(np.float32))[:, None],
            "set": torch.from_numpy(episodes.mask_index),
            "next_set": torch.from_numpy(episodes.next_mask_index),
        }
        self._columns = _on_device(columns, device)
        self._sets = torch.from_numpy(np.ascontiguousarray(episodes.availability)).to(device)
        self._next_sets = torch.from_numpy(np.ascontiguousarray(next_sets)).to(device)

    @property
    def observation_shape(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of features and mask."""
        return (self.n_features,), (self.n_actions,)

    def batch(self, rows: IntArray) -> TorchMiniBatch:
        """d3rlpy's batch of the given rows, on the device."""
        index = torch.from_numpy(rows).to(self._columns["action"].device)
        found = {name: column[index].to(self.device) for name, column in self._columns.items()}
        nothing = torch.zeros_like(found["reward"])
        return TorchMiniBatch(
            observations=[found["features"], self._sets[found["set"]]],
            actions=found["action"],
            rewards=found["reward"],
            next_observations=[found["next_features"], self._next_sets[found["next_set"]]],
            next_actions=nothing,
            returns_to_go=nothing,
            terminals=found["terminal"],
            intervals=torch.ones_like(found["reward"]),
            device=self.device,
        )


class ShuffledRows:
    """Batches of rows without end: every row once in each round, in an order that the seed fixes."""

    def __init__(self, n_rows: int, batch_size: int, seed: int) -> None:
        self._n_rows = n_rows
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed)
        self._waiting = np.empty(0, dtype=np.int64)

    def next(self) -> IntArray:
        """The next `batch_size` rows."""
        if (lacking := self._batch_size - len(self._waiting)) > 0:
            rounds = np.empty((-(-lacking // self._n_rows), self._n_rows), dtype=np.int64)
            for order in rounds:
                order[:] = self._generator.permutation(self._n_rows)
            self._waiting = np.concatenate([self._waiting, rounds.reshape(-1)])
        rows, self._waiting = self._waiting[: self._batch_size], self._waiting[self._batch_size :]
        return rows


def _without(sets: BoolArray, never_chosen: int | None) -> BoolArray:
    if never_chosen is None:
        return sets
    kept = sets.copy()
    kept[:, never_chosen] &= ~np.delete(sets, never_chosen, axis=1).any(axis=1)
    return kept


def _refuse_empty(episodes: LoggedEpisodes, next_sets: BoolArray) -> None:
    is_empty: BoolArray = np.logical_not(next_sets.any(axis=1))
    rows = np.flatnonzero(is_empty[episodes.next_mask_index] & ~episodes.terminal)
    if rows.size:
        raise TrainingError(
            f"{rows.size} next observations have no available action, such as row {rows[0]}; expected at least one "
            "unless nothing follows"
        )


def _on_device(columns: dict[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    """The columns on the device, or where they are if they don't fit there."""
    try:
        return {name: column.to(device) for name, column in columns.items()}
    except torch.cuda.OutOfMemoryError:
        return columns
