"""Pairs of observation and next observation, gathered from where each is stored once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt
import torch

from rl.learning.replay.replay_columns import ReplayColumns

Pair = tuple[torch.Tensor, torch.Tensor]


class ObservationTable(Protocol):
    """Every observation once."""

    @property
    def device(self) -> torch.device:
        """Device that the observations are on."""
        ...

    def pairs(self, rows: torch.Tensor, closing: torch.Tensor) -> Pair:
        """Return observations and next observations, each `(n, n_features)`.

        Args:
            rows: `(n,)`.
            closing: place of each row's next observation among the closings; below 0 where it is the row below's.
        """
        ...


@dataclass(frozen=True)
class JoinedTable:
    """The closings lie behind the rows: each observation is one place, and nothing asks how many closings there are.

    Attributes:
        observations: `(n + n_closings, n_features)`.
        n_rows: n.
    """

    observations: torch.Tensor
    n_rows: int

    @property
    def device(self) -> torch.device:
        return self.observations.device

    def pairs(self, rows: torch.Tensor, closing: torch.Tensor) -> Pair:
        place = torch.where(closing < 0, rows + 1, self.n_rows + closing)
        return self.observations.index_select(0, rows), self.observations.index_select(0, place)


@dataclass(frozen=True)
class SplitTable:
    """Rows and closings where they lie, be it in memory that others share or in files; for the processor.

    Attributes:
        features: `(n, n_features)`.
        closings: `(n_closings, n_features)`.
    """

    features: torch.Tensor
    closings: torch.Tensor

    @property
    def device(self) -> torch.device:
        return self.features.device

    def pairs(self, rows: torch.Tensor, closing: torch.Tensor) -> Pair:
        following = self.features.index_select(0, (rows + 1).clamp_(max=len(self.features) - 1))
        own = torch.nonzero(closing >= 0)[:, 0]
        following.index_copy_(0, own, self.closings.index_select(0, closing.index_select(0, own)))
        return self.features.index_select(0, rows), following


def observation_table(columns: ReplayColumns, device: str) -> ObservationTable:
    """Return the columns' observations as a table on the device; on the processor, without a copy."""
    features, closings = as_tensor(columns.features), as_tensor(columns.closings)
    if torch.device(device).type == "cpu":
        return SplitTable(features, closings)
    return joined_table(features, closings, device)


def as_tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """Return a tensor over the array's own memory, which nobody writes to, without torch's warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def joined_table(features: torch.Tensor, closings: torch.Tensor, device: str) -> JoinedTable:
    """Return one table on the device, making no other copy of it."""
    n = len(features)
    observations = torch.empty((n + len(closings), features.shape[1]), dtype=features.dtype, device=device)
    observations[:n].copy_(features)
    observations[n:].copy_(closings)
    return JoinedTable(observations, n)
