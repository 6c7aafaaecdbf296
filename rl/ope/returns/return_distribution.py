"""How an evaluation policy's returns are distributed: a mean may rise while the worst tenth of sessions get worse.

Every figure is a functional of one distribution over the logged returns, which the weights turn into the evaluation
policy's. So a draw of units gives all figures at once, and mean, quartiles and tail agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Resampling, unit_weights
from rl.ope.returns.weighted_returns import WeightedReturns

Normalization = Literal["none", "self"]
_BATCH_CELLS = 8_000_000  # draws times episodes held at once: 64 MB


@dataclass(frozen=True)
class BoundedReturn:
    """A figure between pointwise bootstrap bounds.

    Attributes:
        value: on the sample itself.
        lower: lower bound.
        upper: upper bound.
    """

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ReturnDistribution:
    """What the log says about the distribution of one policy's returns.

    Attributes:
        points: returns at which the CDF is given, ascending, `(n_points,)`.
        cdf: probability of a return of at most each point, ascending within [0, 1], `(n_points,)`.
        cdf_lower: pointwise lower bounds, `(n_points,)`.
        cdf_upper: pointwise upper bounds, `(n_points,)`.
        mean: of the distribution.
        variance: of the distribution.
        cvar: mean of the worst `tail` share of returns.
        quartiles: the returns that a quarter, half and three quarters of episodes stay at or under.
        tail: share of the worst returns behind `cvar`.
        level: of all bounds, each for itself.
        total_weight: mean trajectory weight; far from 1 the plain form misplaces that much probability.
        share_cut: share of the weight on episodes that count with what was earned until the log cut them.
        effective_units: units that the weighted episodes are worth.
    """

    points: FloatArray
    cdf: FloatArray
    cdf_lower: FloatArray
    cdf_upper: FloatArray
    mean: BoundedReturn
    variance: BoundedReturn
    cvar: BoundedReturn
    quartiles: tuple[BoundedReturn, BoundedReturn, BoundedReturn]
    tail: float
    level: float
    total_weight: float
    share_cut: float
    effective_units: float


@dataclass(frozen=True)
class DrawnFigures:
    """Mean, variance, CVaR, three quartiles and the CDF at some points, in this order.

    Attributes:
        own: of the sample itself, `(6 + n_points,)`.
        draws: under each draw of units, `(n_draws, 6 + n_points)`.
    """

    own: FloatArray
    draws: FloatArray

    def bounded(self, column: int, *, level: float) -> BoundedReturn:
        """Return one figure between percentiles of its draws."""
        lower, upper = np.quantile(self.draws[:, column], [(1 - level) / 2, (1 + level) / 2])
        return BoundedReturn(float(self.own[column]), float(lower), float(upper))

    def minus(self, other: DrawnFigures) -> DrawnFigures:
        """Return the differences, draw by draw: both sides must have drawn the same units."""
        return DrawnFigures(self.own - other.own, self.draws - other.draws)


def return_distribution(
    found: WeightedReturns,
    *,
    points: FloatArray,
    normalization: Normalization = "self",
    tail: float = 0.1,
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> ReturnDistribution:
    """Return the distribution of the policy's discounted return per episode, with percentile bootstrap bounds.

    The plain form (`none`) is F(x) = mean of w_i 1[G_i <= x], at most 1; what its weights lack to a total of 1 is put
    on the largest return seen. Unbiased under full support below its cap; where `total_weight` is below 1 it flatters.
    The self-normalised form divides by the sum of the weights: consistent, of smaller variance, and with one
    dominating weight a single episode's return. Trajectory weights grow with length: don't trust either beyond a few
    steps, quartiles of returns that are mostly equal (no order at all), or a tail share with fewer than some ten
    effective episodes in it.

    Args:
        found: weighted returns.
        points: returns at which to give the CDF, ascending, `(n_points,)`.
        normalization: plain or self-normalised.
        tail: share of the worst returns whose mean is the conditional value at risk.
        level: of the bounds, two-sided.
        resampling: how units are drawn for the bounds.

    Raises:
        EvaluationError: fewer than two units, a tail or level outside (0, 1), or points that don't ascend.

    Source: Chandak et al. (2021), the CDF estimate of universal off-policy evaluation, plain; Huang et al. (2021), the
    clipped and the weighted estimates of the CDF; CVaR as in Rockafellar and Uryasev (2000).
    """
    _require(found, points, tail=tail, level=level)
    drawn = drawn_figures(found, points, normalization=normalization, tail=tail, resampling=resampling)
    return distribution_of(drawn, found, points=points, tail=tail, level=level)


def drawn_figures(
    found: WeightedReturns,
    points: FloatArray,
    *,
    normalization: Normalization = "self",
    tail: float = 0.1,
    resampling: Resampling | None = None,
) -> DrawnFigures:
    """Return all figures of `return_distribution` (with its arguments) on the sample itself and under each draw."""
    ones = np.ones((1, found.n_units))
    own = _figures(found, ones, points, normalization=normalization, tail=tail)[0]
    draws = np.concatenate(
        [
            _figures(found, weights, points, normalization=normalization, tail=tail)
            for weights in _draws(found, resampling or Resampling())
        ]
    )
    return DrawnFigures(own, draws)


def distribution_of(
    drawn: DrawnFigures, found: WeightedReturns, *, points: FloatArray, tail: float, level: float
) -> ReturnDistribution:
    """Return the figures between their bounds, by name."""
    mean, variance, cvar, *quartiles = (drawn.bounded(column, level=level) for column in range(6))
    lower, upper = np.quantile(drawn.draws[:, 6:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ReturnDistribution(
        points=points,
        cdf=drawn.own[6:],
        cdf_lower=lower,
        cdf_upper=upper,
        mean=mean,
        variance=variance,
        cvar=cvar,
        quartiles=(quartiles[0], quartiles[1], quartiles[2]),
        tail=tail,
        level=level,
        total_weight=float(found.weight.mean()),
        share_cut=found.share_cut,
        effective_units=found.effective_units,
    )


def cumulative_probabilities(
    found: WeightedReturns, draws: FloatArray, *, normalization: Normalization = "self"
) -> FloatArray:
    """Return the CDF at each of the ascending returns under each draw of units, `(n_draws, n_episodes)`; ends in 1.

    Args:
        found: weighted returns.
        draws: how often each unit is drawn, `(n_draws, n_units)`.
        normalization: plain or self-normalised. A draw without any weight puts everything on the largest return.
    """
    times = draws[:, found.unit]
    cumulative = np.cumsum(times * found.weight, axis=1)
    total = cumulative[:, -1:] if normalization == "self" else times.sum(axis=1, keepdims=True)
    cdf = np.divide(cumulative, total, out=np.zeros_like(cumulative), where=total > 0)
    np.minimum(cdf, 1.0, out=cdf)
    cdf[:, -1] = 1.0
    return cdf


def _figures(
    found: WeightedReturns, draws: FloatArray, points: FloatArray, *, normalization: Normalization, tail: float
) -> FloatArray:
    """Return mean, variance, CVaR, three quartiles and the CDF at the points by draw, `(n_draws, 6 + n_points)`."""
    cdf = cumulative_probabilities(found, draws, normalization=normalization)
    probability = np.diff(cdf, axis=1, prepend=0.0)
    mean = probability @ found.returns
    # Around the mean, not as a difference of squares: returns may be large and alike.
    variance = np.array(
        [row @ np.square(found.returns - center) for row, center in zip(probability, mean, strict=True)]
    )
    in_tail = np.minimum(cdf, tail)
    cvar = np.diff(in_tail, axis=1, prepend=0.0) @ found.returns / tail
    quartiles = [_quantile(found.returns, cdf, share) for share in (0.25, 0.5, 0.75)]
    place = np.searchsorted(found.returns, points, side="right")
    at_points = np.concatenate([np.zeros((len(cdf), 1)), cdf], axis=1)[:, place]
    return np.column_stack([mean, variance, cvar, *quartiles, at_points])


def _quantile(returns: FloatArray, cdf: FloatArray, share: float) -> FloatArray:
    """Return the smallest return whose CDF reaches the share, `(n_draws,)`, allowing for rounding of sums."""
    return np.asarray(returns[np.argmax(cdf >= share - 1e-12, axis=1)], dtype=np.float64)


def _draws(found: WeightedReturns, resampling: Resampling) -> Iterator[FloatArray]:
    """Yield draws of units in batches small enough to be spread over episodes."""
    size = max(1, _BATCH_CELLS // len(found.returns))
    for weights in unit_weights(found.n_units, resampling):
        for first in range(0, len(weights), size):
            yield weights[first : first + size]


def _require(found: WeightedReturns, points: FloatArray, *, tail: float, level: float) -> None:
    wrong = {
        f"bounds need at least two units to resample, got {found.n_units}": found.n_units < 2,
        f"the tail's share {tail} is outside (0, 1]": not 0 < tail <= 1,
        f"the level {level} is outside (0, 1)": not 0 < level < 1,
        "the points of the CDF must ascend": bool((np.diff(points) <= 0).any()),
    }
    if any(wrong.values()):
        raise EvaluationError("; ".join(text for text, is_wrong in wrong.items() if is_wrong))
