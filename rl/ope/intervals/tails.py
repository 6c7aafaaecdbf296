"""Heavy tails of units' parts in an estimate: how heavy they look, and how far they may reach beyond what was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from rl.data.logged_episodes import FloatArray

MIN_TAIL = 5
"""Fewest values in a tail that an index is fitted to."""


@dataclass(frozen=True)
class TailReport:
    """The upper tail of non-negative values, one a unit; the index is known to about .15, too little to decide by.

    Attributes:
        n_units: values.
        n_tail: of them in the fitted tail.
        tail_index: shape k of the generalized Pareto distribution fitted to it: 0 for light (exponential) tails, .5
            where the variance stops being finite, 1 where the mean does; None where too few values differ.
        largest_share: share of the sum that the largest value holds.
        top_percent_share: share of the sum that the largest hundredth of the values hold.
    """

    n_units: int
    n_tail: int
    tail_index: float | None
    largest_share: float
    top_percent_share: float


def tail_report(values: FloatArray) -> TailReport:
    """Return the report on the tail of weights, or of weighted rewards, summed by unit.

    The tail is the largest min(n / 5, 3 sqrt(n)) values, as in Pareto-smoothed importance sampling.

    Args:
        values: `(n_units,)`; their absolute values are looked at.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry (2024), section 3.2 (without its limit of .7).
    """
    magnitude = np.sort(np.abs(values))
    total, n = float(magnitude.sum()), len(magnitude)
    if total == 0.0:
        return TailReport(n, 0, None, 0.0, 0.0)
    n_tail = tail_length(n)
    fitted = _fitted(magnitude, n_tail)
    n_top = max(1, n // 100)
    return TailReport(
        n_units=n,
        n_tail=n_tail,
        tail_index=None if fitted is None else fitted.shape,
        largest_share=float(magnitude[-1]) / total,
        top_percent_share=float(magnitude[-n_top:].sum()) / total,
    )


def generalized_pareto_shape(exceedances: FloatArray) -> float:
    """Return the generalized Pareto shape of exceedances, pulled towards .5 as if by ten more of them.

    Args:
        exceedances: over the tail's threshold, ascending, positive, `(n_tail,)`.

    Source: Zhang and Stephens (2009), equations 6 to 8; the pull: Vehtari et al. (2024), appendix G.
    """
    n = len(exceedances)
    n_points = 30 + math.isqrt(n)
    quartile = exceedances[math.floor(n / 4 + 0.5) - 1]
    points = 1 / exceedances[-1] + (1 - np.sqrt(n_points / (np.arange(1, n_points + 1) - 0.5))) / (3 * quartile)
    shapes = np.log1p(-points[:, None] * exceedances).mean(axis=1)
    log_likelihood = n * (np.log(-points / shapes) - shapes - 1)
    point = float((points * softmax(log_likelihood)).sum())
    shape = float(np.log1p(-point * exceedances).mean())
    return (n * shape + 10 * 0.5) / (n + 10)


@dataclass(frozen=True)
class FittedTail:
    """The upper tail of some values.

    Attributes:
        shape: of the generalized Pareto distribution fitted to the exceedances.
        exceedances: over the tail's threshold, ascending, positive, `(n_tail,)`.
    """

    shape: float
    exceedances: FloatArray


def tail_length(n: int) -> int:
    """Return how many of so many values make up their tail."""
    return math.ceil(min(n / 5, 3 * math.sqrt(n)))


def _fitted(ascending: FloatArray, n_tail: int) -> FittedTail | None:
    if n_tail < MIN_TAIL or n_tail >= len(ascending):
        return None
    exceedances = ascending[-n_tail:] - ascending[-n_tail - 1]
    exceedances = exceedances[exceedances > 1e-12 * abs(ascending[-1])]
    if len(exceedances) < MIN_TAIL or exceedances[0] == exceedances[-1]:
        return None
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        shape = generalized_pareto_shape(exceedances)
    return FittedTail(shape, exceedances) if math.isfinite(shape) else None


N_ERRORS = 0.75
"""Standard errors by which the fitted shape is taken heavier: its estimate is as often too light as too heavy, and a
tail that is taken too light hides far more than one taken too heavy adds."""

FADES_IN = (0.25, 0.45)
"""Fitted shapes between which the reach sets in; see `tail_reach`."""

PARTS = (1, 1 / 2, 1 / 3, 1 / 4)
"""Parts of the tail, the largest values first, that all must look heavy: a power law looks alike from any height, while
lumps (a purchase is worth ten clicks) look heavy only from a threshold that lies between them."""

HEAVIEST = 0.9
"""Shape beyond which no reach would be long enough."""


@dataclass(frozen=True)
class TailReach:
    """Distances in the estimate's unit, 0 or more.

    Attributes:
        below: that a lower bound moves down by.
        above: that an upper bound moves up by.
    """

    below: float
    above: float


def tail_reach(influence: FloatArray) -> TailReach:
    """Return how much larger the mean of either tail may be than the part of it that this log happened to hold.

    A log without the few shoppers that hold much of what is earned looks both poorer and surer than it is, and neither
    draws of its shoppers nor moments of theirs know of the others. So the largest influence values on each side are
    fitted by a generalized Pareto distribution, and where its mean lies above theirs, the bound moves by the
    difference. The reach sets in between shapes of 1/4 (the fourth moment stops being finite, and with it the moments
    that Student's interval and its correction for skew rest on) and .45 (near where the variance does): lighter tails
    leave the interval as it is. It is the lightest of the shapes of the tail's upper parts (`PARTS`) that decides, so
    that lumps of a bounded reward aren't taken for a power law.

    Don't trust it for tails without a mean, or where fewer than a hundred units stand behind the estimate.

    Args:
        influence: of each unit on the estimate, mean 0, `(n_units,)`.

    Source: the semi-parametric mean of a heavy-tailed distribution (Johansson 2003; Peng 2001).
    """
    return TailReach(below=_reach(-influence), above=_reach(influence))


def _reach(values: FloatArray) -> float:
    """Return the mean of the fitted upper tail less that of the tail as seen, times its share of the units."""
    ascending = np.sort(values)
    length = tail_length(len(values))
    parts = [_fitted(ascending, max(min(length, 2 * MIN_TAIL), math.floor(part * length))) for part in PARTS]
    if (tail := parts[0]) is None:
        return 0.0
    light, heavy = FADES_IN
    lightest = min(0.0 if part is None else part.shape for part in parts)
    share = min(1.0, max(0.0, (lightest - light) / (heavy - light)))
    if share == 0.0:
        return 0.0
    n_tail = len(tail.exceedances)
    shape = min(tail.shape + N_ERRORS * (1 + tail.shape) / math.sqrt(n_tail), HEAVIEST)
    mean = _scale(tail.exceedances, shape) / (1 - shape)
    return max(0.0, share * n_tail / len(values) * (mean - float(tail.exceedances.mean())))


def _scale(exceedances: FloatArray, shape: float) -> float:
    """Return the likeliest scale of a generalized Pareto distribution of that shape, where the likelihood is flat."""
    unit = exceedances / exceedances.mean()

    def slope(logarithm: float) -> float:
        part = shape * unit / math.exp(logarithm)
        return len(unit) - (1 + 1 / shape) * float((part / (1 + part)).sum())

    # The slope falls from below 0 (a scale near 0) to the number of exceedances (a scale without end).
    return float(exceedances.mean()) * math.exp(float(brentq(slope, -30.0, 30.0)))
