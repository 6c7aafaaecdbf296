"""Intervals by empirical likelihood over units, of the Cressie-Read family.

Each unit stands by its pseudo-value (the estimate plus the unit's influence on it), so that ratios and sums of ratios
are covered as plain means are; a difference of two policies likewise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval, require_units, standard_error
from rl.ope.intervals.sums import RatioSums

Divergence = Literal["euclidean", "likelihood"]

_MARGIN = 1e-10  # how near to the hull of the pseudo-values a bound is looked for, relative to its width


def empirical_likelihood_interval(sums: RatioSums, *, level: float, divergence: Divergence = "likelihood") -> Interval:
    """All values that some reweighting of the units supports, no further from equal weights than chance explains.

    `likelihood` (Cressie-Read power 0) measures distance by the log of the product of weights: its bounds follow the
    skew of the units and never leave the hull of what was seen. `euclidean` (power -2) measures it by squares and has a
    closed form, symmetric and close to Student's.

    Don't trust it where the units that earn are so few that the hull itself is too narrow: no reweighting of what was
    seen can stand for an order never seen. Below some 20 effective rewarded units it covers too seldom.

    Raises:
        EvaluationError: fewer than two units, or an unknown divergence.

    Source: Owen (2001), section 2.4; Baggerly (1998) for the Cressie-Read family; Jing, Yuan and Zhou (2009) for
    pseudo-values; Karampatziakis, Langford and Mineiro (2020) for its use on logged bandit feedback.
    """
    require_units(sums)
    if divergence not in _BOUNDS:
        raise EvaluationError(f"unknown divergence {divergence!r}; known are {', '.join(_BOUNDS)}")
    value = sums.value()
    lower, upper = _BOUNDS[divergence](sums.influence(), float(chi2.ppf(level, 1)))
    method = {"likelihood": "empirical likelihood", "euclidean": "Euclidean likelihood"}[divergence]
    return Interval(value, value + lower, value + upper, level, method, standard_error(sums))


def _euclidean_bounds(influence: FloatArray, threshold: float) -> tuple[float, float]:
    """Bounds relative to the estimate: n sum (q - 1/n)^2 <= threshold / n has a closed form (Baggerly 1998)."""
    reach = math.sqrt(threshold * float(np.square(influence).mean()) / len(influence))
    return -reach, reach


def _likelihood_bounds(influence: FloatArray, threshold: float) -> tuple[float, float]:
    """Bounds relative to the estimate: where minus twice the log likelihood ratio reaches the threshold."""
    influence = influence - influence.mean()  # rounding alone keeps it off 0, and decides where all units are alike
    smallest, largest = float(influence.min()), float(influence.max())
    width = largest - smallest
    if width == 0.0:
        return 0.0, 0.0
    edge = _MARGIN * width

    def excess(at: float) -> float:
        return _log_likelihood_ratio(influence - at) - threshold

    return _crossing(excess, smallest + edge), _crossing(excess, largest - edge)


def _crossing(excess: Callable[[float], float], edge: float) -> float:
    """Where the ratio reaches its threshold between the estimate (0) and the edge of what was seen."""
    return edge if excess(edge) <= 0 else float(brentq(excess, 0.0, edge, xtol=1e-12 * abs(edge)))


def _log_likelihood_ratio(deviation: FloatArray) -> float:
    """Minus twice the log empirical likelihood ratio that the deviations have mean 0 (Owen 2001, equation 2.14).

    The multiplier solves sum d / (1 + m d) = 0 between the two poles.
    """
    smallest, largest = float(deviation.min()), float(deviation.max())
    if smallest >= 0.0 or largest <= 0.0:
        return math.inf
    n = len(deviation)
    # Every weight 1 / (n (1 + m d)) is at most 1, which keeps the multiplier off the poles.
    low, high = (1 / n - 1) / largest, (1 / n - 1) / smallest

    def slope(multiplier: float) -> float:
        return float((deviation / (1 + multiplier * deviation)).sum())

    if slope(low) <= 0 or slope(high) >= 0:
        return math.inf  # the mean lies outside the hull but for rounding
    multiplier = float(brentq(slope, low, high, xtol=1e-14 * max(abs(low), abs(high))))
    return 2 * float(np.log1p(multiplier * deviation).sum())


_BOUNDS: dict[str, Callable[[FloatArray, float], tuple[float, float]]] = {
    "euclidean": _euclidean_bounds,
    "likelihood": _likelihood_bounds,
}
