"""Intervals that hold at any sample size, for contributions of known bounds."""

from __future__ import annotations

import math

import numpy as np

from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval, require_units, standard_error
from rl.ope.intervals.sums import RatioSums


def empirical_bernstein_interval(
    sums: RatioSums, *, level: float, bounds: tuple[float, float] | None = None
) -> Interval:
    """Empirical Bernstein interval of the mean over units: half-width sqrt(2 V L / n) + 7 R L / (3 (n - 1)).

    V is the variance of the units' pseudo-values (estimate plus influence), R their range, L = log(4 / (1 - level)).
    With `bounds` known beforehand, and one episode a unit, it covers at any n and for any distribution: a shop that
    can't afford a wrong figure on a small log uses it. Without, the range is the one seen: then it is as blind to an
    order never seen as any other, only wider. Wide in either case: the range counts, and weights make it large.

    Args:
        sums: of the estimator.
        level: two-sided.
        bounds: smallest and largest value that one unit's weighted return can take; None: those seen.

    Raises:
        EvaluationError: fewer than two units, or values seen outside the bounds.

    Source: Maurer and Pontil (2009), theorem 4, two-sided by a union bound.
    """
    require_units(sums)
    value, influence = sums.value(), sums.influence()
    log_term = math.log(4 / (1 - level))
    n = sums.n_units
    variance = float(np.square(influence).sum() / (n - 1))
    reach = math.sqrt(2 * variance * log_term / n) + 7 * _range(sums, bounds) * log_term / (3 * (n - 1))
    return Interval(value, value - reach, value + reach, level, "empirical Bernstein", standard_error(sums))


def _range(sums: RatioSums, bounds: tuple[float, float] | None) -> float:
    pseudo_values = sums.value() + sums.influence()
    smallest, largest = float(pseudo_values.min()), float(pseudo_values.max())
    if bounds is None:
        return largest - smallest
    tolerance = 1e-9 * max(1.0, abs(bounds[0]), abs(bounds[1]))
    outside = np.flatnonzero((pseudo_values < bounds[0] - tolerance) | (pseudo_values > bounds[1] + tolerance))
    if len(outside):
        raise EvaluationError(
            f"{len(outside)} units have values from {smallest:.4g} to {largest:.4g}, outside the bounds "
            f"{bounds[0]:.4g} to {bounds[1]:.4g} (the first: unit {sums.unit_ids[outside[0]]}); give bounds of the "
            "weighted return, not of the reward"
        )
    return bounds[1] - bounds[0]
