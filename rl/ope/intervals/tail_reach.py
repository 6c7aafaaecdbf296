"""How far a heavy tail may move an estimate beyond what its units have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from rl.data.logged_episodes import FloatArray
from rl.ope.intervals.weight_tail import fitted_tail

N_ERRORS = 0.75
"""Standard errors by which the fitted shape is taken heavier: its estimate is as often too light as too heavy, and a
tail that is taken too light hides far more than one taken too heavy adds."""

FADES_IN = (0.25, 0.45)
"""Fitted shapes between which the reach sets in; see `tail_reach`."""

HEAVIEST = 0.9
"""Shape beyond which no reach would be long enough; the gate abstains before."""


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
    """How much larger the mean of either tail may be than the part of it that this log happened to hold.

    A log without the few shoppers that hold much of what is earned looks both poorer and surer than it is, and neither
    draws of its shoppers nor moments of theirs know of the others. So the largest influence values on each side are
    fitted by a generalized Pareto distribution, and where its mean lies above theirs, the bound moves by the
    difference. The reach sets in between shapes of 1/4 (the fourth moment stops being finite, and with it the moments
    that Student's interval and its correction for skew rest on) and .45 (near where the variance does): lighter tails
    leave the interval as it is.

    Don't trust it for tails without a mean, or where fewer than a hundred units stand behind the estimate.

    Args:
        influence: of each unit on the estimate, mean 0, `(n_units,)`.

    Source: the semi-parametric mean of a heavy-tailed distribution (Johansson 2003; Peng 2001).
    """
    return TailReach(below=_reach(-influence), above=_reach(influence))


def _reach(values: FloatArray) -> float:
    """Mean of the fitted upper tail less that of the tail as seen, times its share of the units."""
    if (tail := fitted_tail(values)) is None:
        return 0.0
    light, heavy = FADES_IN
    share = min(1.0, max(0.0, (tail.shape - light) / (heavy - light)))
    if share == 0.0:
        return 0.0
    n_tail = len(tail.exceedances)
    shape = min(tail.shape + N_ERRORS * (1 + tail.shape) / math.sqrt(n_tail), HEAVIEST)
    mean = _scale(tail.exceedances, shape) / (1 - shape)
    return max(0.0, share * n_tail / len(values) * (mean - float(tail.exceedances.mean())))


def _scale(exceedances: FloatArray, shape: float) -> float:
    """Likeliest scale of a generalized Pareto distribution of that shape: where the likelihood's slope is 0."""
    unit = exceedances / exceedances.mean()

    def slope(logarithm: float) -> float:
        part = shape * unit / math.exp(logarithm)
        return len(unit) - (1 + 1 / shape) * float((part / (1 + part)).sum())

    # The slope falls from below 0 (a scale near 0) to the number of exceedances (a scale without end).
    return float(exceedances.mean()) * math.exp(float(brentq(slope, -30.0, 30.0)))
