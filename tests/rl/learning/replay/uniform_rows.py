"""Rows drawn with replacement, as stock d3rlpy draws them: for tests and benchmarks to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.learning.replay.row_order import refuse_none, refuse_other


class UniformRows:
    """Every row of every batch drawn from all rows alike (with replacement)."""

    def __init__(self, n_rows: int, batch_size: int, seed: int) -> None:
        refuse_none(n_rows)
        self._n_rows = n_rows
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed)

    def next(self) -> IntArray:
        """The next `batch_size` rows."""
        return self._generator.integers(self._n_rows, size=self._batch_size)

    def state(self) -> dict[str, Any]:
        """The generator."""
        return self._kind() | {"generator": self._generator.bit_generator.state}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Draws go on from there."""
        refuse_other(self._kind(), state)
        self._generator.bit_generator.state = state["generator"]

    def _kind(self) -> dict[str, Any]:
        return {"order": "uniform", "n_rows": self._n_rows, "batch_size": self._batch_size}
