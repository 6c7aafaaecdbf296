"""What a promoted gain counts for in an average of promoted gains, each promoted for being large."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.sums import RatioSums
from rl.ope.intervals.tails import tail_report

_WIDTH = 0.3
"""Standard deviations of the lower bound, beyond 0, over which the correction runs out; see `corrected_gain`."""

_FADES_OUT = (1 / 3, 1 / 2)
"""Tail indices over which the correction fades out; see `corrected_gain`."""


@dataclass(frozen=True)
class BoundMoments:
    """How estimate and lower bound vary together from log to log.

    Attributes:
        bound_spread: standard deviation of the lower bound, in the estimate's standard errors.
        correlation: of the estimate with the lower bound.
    """

    bound_spread: float
    correlation: float


def corrected_gain(sums: RatioSums, interval: Interval) -> float | None:
    """Return the gain less its expected luck: over many promotions, corrected gains average the true ones.

    Only gains whose lower bound L is above 0 are promoted. Among those the estimate X is too high by
    corr(X, L) se(X) f(0) / P(L > 0), f the density of L: luck counts by how densely bounds lie *at* 0, whatever the
    true gain is. So the correction is taken from those that passed by a hair alone: corr(X, L) se(X) 2 / w (1 - u / w)
    where the bound lies u <= w of its own standard deviations above 0. Its mean over promotions is that bias as w gets
    small, for every true gain at once. With w = .3 it misses .03 standard errors at most where the true bound is 0 or
    above, .15 where it is a standard deviation below.

    A gain that passed by more stands as it was seen, and one that passed by a hair loses up to 6.7 standard errors and
    may come out negative. Neither says much of the single night: it is the average over promotions that is right. A
    median-unbiased or maximum-likelihood correction (Andrews, Kitagawa and McCloskey 2024) has no finite mean here: it
    falls without limit towards the threshold.

    Where a few units pull the estimate up, it and its standard error rise and fall together, so far that the bound
    follows neither, and luck in the bound says nothing of the estimate. The sample can't tell how far, since what makes
    it so are units that most logs lack. So with positive skewness the correction fades out over the tail indices
    between those at which estimate and standard error have a covariance at all (finite third moments, 1/3) and those at
    which the estimate has no variance (1/2).

    None where the gain didn't pass, or has no spread.

    Args:
        sums: per unit, of candidate less baseline.
        interval: the gate's, of the same sums, at the night's level.

    Source: the bias is that of a truncated normal mean (Johnson, Kotz and Balakrishnan 1994, 13.134), for a variable
    correlated with the truncated one.
    """
    value, lower, error = interval.value, interval.lower, interval.standard_error
    if not (math.isfinite(value) and math.isfinite(lower) and error > 0) or lower <= 0:
        return None
    moments = bound_moments(sums.influence(), reach=(value - lower) / error)
    if moments.bound_spread == 0.0:
        return value
    beyond = lower / (error * moments.bound_spread)
    luck = moments.correlation * error * 2 / _WIDTH * max(0.0, 1 - beyond / _WIDTH)
    return value - luck * _share_left(sums.influence())


def _share_left(influence: FloatArray) -> float:
    """Return the share of the correction, 0 to 1, that such tails leave; 1 where too few units differ to tell."""
    tail_index = tail_report(influence).tail_index
    if tail_index is None or float((influence**3).mean()) <= 0:
        return 1.0
    light, heavy = _FADES_OUT
    return min(1.0, max(0.0, (heavy - tail_index) / (heavy - light)))


def bound_moments(influence: FloatArray, *, reach: float) -> BoundMoments:
    """Return how much the bound `estimate - reach * standard error` varies, and with the estimate, to first order.

    With skewed units the estimate and its standard error rise together: an order that is seen raises both, and the
    bound follows neither. Then passing depends on luck in the standard error as much as in the estimate.

    Args:
        influence: of each unit on the estimate, `(n_units,)`.
        reach: distance of the bound from the estimate in standard errors.

    Source: moments of a mean and its standard deviation (Cramér 1946, 27.4).
    """
    n = len(influence)
    second = float(np.square(influence).mean())
    if second == 0.0:
        return BoundMoments(0.0, 0.0)
    standard = influence / math.sqrt(second)
    skewness, kurtosis = float((standard**3).mean()), float((standard**4).mean())
    with_error = skewness / (2 * math.sqrt(n))
    of_error = (kurtosis - 1) / (4 * n)
    variance = 1 - 2 * reach * with_error + reach**2 * of_error
    spread = math.sqrt(max(variance, 0.0))
    return BoundMoments(spread, (1 - reach * with_error) / spread if spread > 0 else 0.0)
