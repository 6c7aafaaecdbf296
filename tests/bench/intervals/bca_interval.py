"""Efron's BCa interval, for benchmarks to compare with."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from rl.data.logged_episodes import FloatArray
from rl.ope.intervals.intervals import (
    Interval,
    Resampling,
    bootstrap_values,
    require_level,
    require_units,
    standard_error,
)
from rl.ope.intervals.sums import RatioSums, ratio


def bca_interval(sums: RatioSums, *, level: float, resampling: Resampling) -> Interval:
    """Bias-corrected and accelerated bootstrap over units; the acceleration from the jackknife.

    Source: Efron and Tibshirani (1993), equations 14.10, 14.14 and 14.15. Falls back to plain percentiles where
    all draws lie on one side.
    """
    require_level(level)
    require_units(sums)
    values = np.sort(bootstrap_values(sums, resampling))
    estimate = sums.value()
    below = (np.count_nonzero(values < estimate) + 0.5 * np.count_nonzero(values == estimate)) / len(values)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if 0 < below < 1:
        bias = norm.ppf(below)
        shifted = bias + norm.ppf(tails)
        tails = norm.cdf(bias + shifted / (1 - _acceleration(sums) * shifted))
    lower, upper = np.quantile(values, tails)
    return Interval(estimate, float(lower), float(upper), level, "BCa bootstrap", standard_error(sums))


def _acceleration(sums: RatioSums) -> float:
    deviation = _leave_one_out(sums)
    deviation = deviation.mean() - deviation
    spread = float(np.square(deviation).sum())
    return 0.0 if spread == 0 else float((deviation**3).sum() / (6 * spread**1.5))


def _leave_one_out(sums: RatioSums) -> FloatArray:
    """Return the estimate without each unit in turn, `(n_units,)`."""
    numerator = sums.numerators.sum(axis=0) - sums.numerators
    denominator = sums.denominators.sum(axis=0) - sums.denominators
    return np.asarray(ratio(numerator, denominator).sum(axis=1))
