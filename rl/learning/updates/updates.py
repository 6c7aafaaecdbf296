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
        """Return one update; gives its loss terms, which hold until the next."""
        ...

    def state(self) -> dict[str, Any]:
        """Where the order of rows is."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from there.

        Raises:
            TrainingError: the state is of another order.
        """
        ...


class BatchUpdates:
    """The learner is given each batch."""

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
    """The learner is given each batch's rows alone, and gathers them where the data is: in the graph of an update."""

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
    """Return by rows where the data is on a GPU; on a processor a batch is gathered outside just as fast."""
    if replay.is_on_device and torch.device(replay.device).type == "cuda":
        return RowUpdates(learner, replay, order)
    return BatchUpdates(learner, batches_of(replay, order))
