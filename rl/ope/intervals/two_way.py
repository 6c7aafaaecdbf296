"""Intervals of differences that products share by weeks, and weeks by products.

A product that a policy suits gains in every week, and a week of holidays moves every product: days are independent
neither along the one nor along the other. The variance of the mean is that of sums by product, plus that of sums by
week, less that of both together, which was counted twice.

Source: Cameron, Gelbach and Miller, Robust Inference with Multiway Clustering (2011), equation 2.7; Owen, The
Pigeonhole Bootstrap (2007), for the same variance by resampling.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval

Blocks = Literal["products_and_weeks", "weeks"]
"""What is independent: products and weeks of one another, or weeks alone, where a shared limit ties the products."""

_FEWEST = 5


def paired_interval(
    candidate: npt.NDArray[np.number],
    baseline: npt.NDArray[np.number],
    *,
    blocks: Blocks = "products_and_weeks",
    block_days: int = 7,
    level: float = 0.95,
) -> Interval:
    """Return the mean difference per product and day, between its bounds.

    Trust it where blocks are long enough that stock of one hardly reaches into the next: some lead times.

    Args:
        candidate: money of each product and day, `(n_products, n_days)`, of a replay over the same demand as
        baseline: money of the policy that it is compared with.
        blocks: what is independent.
        block_days: days of a block; days that don't fill one join the last.
        level: of the interval, in (0, 1).

    Raises:
        EvaluationError: arrays that don't fit, or too few products or blocks for any interval.
    """
    difference = _difference(candidate, baseline, block_days, level)
    n_products, n_days = difference.shape
    n_blocks = max(n_days // block_days, 1)
    counted = {"products": n_products, "blocks of days": n_blocks}
    if blocks == "weeks":
        del counted["products"]
    if few := [f"{count} {name}" for name, count in counted.items() if count < _FEWEST]:
        raise EvaluationError(f"{' and '.join(few)} are too few for an interval; expected at least {_FEWEST} of each")
    mean = float(difference.mean())
    starts = np.arange(n_blocks) * block_days
    cells = np.add.reduceat((difference - mean) / difference.size, starts, axis=1)
    variance = _variance(cells, blocks)
    error = float(np.sqrt(variance))
    reach = float(stdtrit(min(counted.values()) - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - reach, mean + reach, level, f"clustered by {blocks.replace('_', ' ')}", error)


def _variance(cells: FloatArray, blocks: Blocks) -> float:
    """Return the variance of the mean from influences by product and block, `(n_products, n_blocks)`."""
    by_week = _sum_of_squares(cells.sum(axis=0))
    if blocks == "weeks":
        return by_week
    by_product = _sum_of_squares(cells.sum(axis=1))
    both = by_product + by_week - float((cells**2).sum())
    # In small samples what was counted twice may be overestimated; neither side alone is ever undercut.
    return max(both, by_product, by_week)


def _sum_of_squares(sums: FloatArray) -> float:
    return float((sums**2).sum()) * len(sums) / (len(sums) - 1)


def _difference(
    candidate: npt.NDArray[np.number], baseline: npt.NDArray[np.number], block_days: int, level: float
) -> FloatArray:
    if candidate.ndim != 2 or candidate.shape != baseline.shape or not candidate.size:
        raise EvaluationError(
            f"money has shapes {candidate.shape} and {baseline.shape}; expected one (n_products, n_days) for both"
        )
    if block_days < 1 or not 0 < level < 1:
        raise EvaluationError(
            f"blocks of {block_days} days at level {level:g}; expected at least 1, and a level in (0, 1)"
        )
    difference = np.asarray(candidate - baseline, dtype=np.float64)  # whole millionths are subtracted exactly
    if not np.isfinite(difference).all():
        raise EvaluationError("money of some product-days is no finite number")
    return difference
