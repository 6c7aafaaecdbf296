"""A learner's updates on a replay in the order of some rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from rl.learning.learner import Learner
from rl.learning.replay.batches import Batches, batches_of
from rl.learning.replay.replay import Replay
from rl.learning.replay.row_order import RowOrder


class Updates(Protocol):
    """Updates without end; what they learn doesn't depend on who gathers the batches."""

    def next(self) -> dict[str, torch.Tensor]:
        """Do one update and return its loss terms, which hold until the next."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the place in the order of rows."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up that place in the order of rows.

        Raises:
            TrainingError: the state is of another order.
        """
        ...


class BatchUpdates:
    """Updates in which the learner is given each batch."""

    def __init__(self, learner: Learner, batches: Batches) -> None:
        self._learner = learner
        self._batches = batches

    def next(self) -> dict[str, torch.Tensor]:
        return self._learner.update(self._batches.next())

    def state(self) -> dict[str, Any]:
        return self._batches.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._batches.load_state(state)


class RowUpdates:
    """Updates in which the learner is given row numbers and gathers them where the data is, inside the graph."""

    def __init__(self, learner: Learner, replay: Replay, order: RowOrder) -> None:
        self._learner = learner
        self._replay = replay
        self._order = order

    def next(self) -> dict[str, torch.Tensor]:
        rows = torch.from_numpy(self._order.next()).to(self._replay.device, non_blocking=True)
        return self._learner.update_rows(rows, self._replay.gather)

    def state(self) -> dict[str, Any]:
        return self._order.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._order.load_state(state)


def updates_of(learner: Learner, replay: Replay, order: RowOrder) -> Updates:
    """Return updates by rows where the data is on a GPU, else by batches, which a processor gathers as fast."""
    if replay.is_on_device and torch.device(replay.device).type == "cuda":
        return RowUpdates(learner, replay, order)
    return BatchUpdates(learner, batches_of(replay, order))
