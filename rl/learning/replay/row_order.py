"""Which rows come in which batch: orders without end, fixed by a seed, that can be left and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import TrainingError


class RowOrder(Protocol):
    """Batches of rows without end."""

    def next(self) -> IntArray:
        """Return the next batch of rows, `(batch_size,)`."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the place in the order, as numbers and strings in dicts; its size doesn't grow with the rows."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up that place: the next batches are those that would have followed.

        Raises:
            TrainingError: the state is of another kind of order, of other data or of another batch size.
        """
        ...


class ShuffledRows:
    """Every row once in each round (without replacement), batches running on from one round into the next."""

    def __init__(self, n_rows: int, batch_size: int, seed: int) -> None:
        refuse_none(n_rows)
        self._n_rows = n_rows
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed)
        self._position = 0
        self._start_round()

    def next(self) -> IntArray:
        """Return the next `batch_size` rows."""
        end = self._position + self._batch_size
        if end <= self._n_rows:
            rows = self._order[self._position : end]
            self._position = end
            return rows
        return self._over_rounds()

    def state(self) -> dict[str, Any]:
        """Return the generator as it was when the round began, and the place in it."""
        return self._kind() | {"generator": self._at_start, "position": self._position}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Draw the round again and go on from the place in it."""
        refuse_other(self._kind(), state)
        self._generator.bit_generator.state = state["generator"]
        self._start_round()
        self._position = int(state["position"])

    def _over_rounds(self) -> IntArray:
        # At once, so that a batch larger than the memory is refused before anything is drawn.
        rows, n_filled = np.empty(self._batch_size, dtype=np.int64), 0
        while n_filled < self._batch_size:
            if self._position == self._n_rows:
                self._start_round()
            part = self._order[self._position : self._position + self._batch_size - n_filled]
            rows[n_filled : n_filled + len(part)] = part
            self._position += len(part)
            n_filled += len(part)
        return rows

    def _start_round(self) -> None:
        self._at_start = self._generator.bit_generator.state
        self._order = self._generator.permutation(self._n_rows)
        self._position = 0

    def _kind(self) -> dict[str, Any]:
        return {"order": "shuffled", "n_rows": self._n_rows, "batch_size": self._batch_size}


def refuse_none(n_rows: int) -> None:
    """Raise if there are no rows."""
    if n_rows < 1:
        raise TrainingError("no rows to order; expected at least one")


def refuse_other(expected: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raise if the state is of another kind of order, of other data or of another batch size."""
    found = {name: state.get(name) for name in expected}
    if found != expected:
        raise TrainingError(
            f"the state of the row order is of {found}, expected {dict(expected)}; resume with the data and the batch "
            "size of the run that wrote it, or train anew"
        )
