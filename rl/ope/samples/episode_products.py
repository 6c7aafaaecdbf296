"""Products along episodes: of discounts, and of importance ratios."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray


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
