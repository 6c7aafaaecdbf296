"""The discount as a spec states it: per step, or per elapsed day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Discount:
    """How much a reward loses by coming one step, or one elapsed day, later.

    Attributes:
        gamma: factor per step or per day, in (0, 1].
        per: the clock that `gamma` runs on.
    """

    gamma: float
    per: Literal["step", "day"] = "step"

    def __post_init__(self) -> None:
        if not 0.0 < self.gamma <= 1.0:
            raise EvaluationError(f"discount {self.gamma} is outside (0, 1]")

    def step_factors(self, episodes: LoggedEpisodes) -> FloatArray:
        """Return the discount between the decision of each row and the next observation, `(n,)`."""
        if self.per == "step":
            return np.full(episodes.n_transitions, self.gamma)
        return np.asarray(self.gamma ** (episodes.elapsed_seconds / _SECONDS_PER_DAY), dtype=np.float64)


def rows_at_step(offsets: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """Return the rows, and their episodes, of the episodes that have the given step.

    Args:
        offsets: start row of each episode and, last, the number of rows.
        step: from 0.

    Returns:
        row indices and episode indices, both `(n_running,)`.
    """
    running = np.flatnonzero(np.diff(offsets) > step)
    return offsets[running] + step, running


def cumulative_products(factors: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the product of the factors from each episode's start up to and including each row, `(n,)`."""
    product = factors.astype(np.float64, copy=True)
    longest = int(np.diff(offsets).max(initial=0))
    for step in range(1, longest):
        rows, _ = rows_at_step(offsets, step)
        product[rows] *= product[rows - 1]
    return product


def shifted_products(products: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the product before each row (1 on an episode's first row), from the products that include it, `(n,)`."""
    shifted = np.empty_like(products)
    shifted[1:] = products[:-1]
    shifted[offsets[:-1]] = 1.0
    return shifted
