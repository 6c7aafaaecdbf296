"""A mean over decisions with an interval over shoppers, whose decisions resemble each other."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.ope.intervals.intervals import Interval, student_interval
from rl.ope.intervals.sums import RatioSums, sums_by_unit


def mean_over_shoppers(values: FloatArray, unit: IntArray, *, level: float) -> Interval:
    """Return the mean of the values, its Student interval resting on shoppers, not on decisions.

    Args:
        values: of decisions, `(n,)`.
        unit: shopper of each decision, `(n,)`.
        level: of the interval, two-sided.

    Raises:
        EvaluationError: fewer than two shoppers.
    """
    unit_ids, place = np.unique(unit, return_inverse=True)
    numerators = sums_by_unit(values.astype(np.float64), place, len(unit_ids))
    counts = sums_by_unit(np.ones(len(values)), place, len(unit_ids))
    return student_interval(RatioSums(unit_ids, numerators[:, None], counts[:, None]), level=level)
