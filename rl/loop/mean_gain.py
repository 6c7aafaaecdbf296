"""What neighbouring days (or weeks) earned more on average, with an interval that doesn't take them for independent."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from rl.data.logged_episodes import FloatArray
from rl.figures.values import Spread

_LEAST, _MOST = 0.2, 0.6
"""Bounds of the neighbours' correlation that is assumed: a dozen days can't tell .2 from none, nor .6 from more."""


def mean_gain(more: FloatArray, *, level: float) -> Spread | None:
    """Return the mean of what days (or weeks) earned more, with its interval; None of fewer than two.

    Args:
        more: what each earned more, in order, `(n,)`.
        level: of the interval, two-sided.
    """
    if len(more) < 2:
        return None
    mean, reach = float(more.mean()), float(mean_reach(more, level=level))
    return Spread(value=mean, lower=mean - reach, upper=mean + reach)


def mean_reach(more: FloatArray, *, level: float) -> FloatArray:
    """Return how far the interval of the mean reaches to either side, for one series or many.

    Neighbours are taken to be correlated by what the series itself says, corrected for the small sample's bias and held
    between .2 and .6, and units further apart by its powers. The variance of the mean and that of the units follow,
    and as many degrees of freedom as independent units would have that tell as much. Between 6 and 14 units a 95%
    interval holds the truth in 99% of series without correlation, in 96 to 97% at .25 and in 92 to 93% at .5, where the
    normal law on independent units holds it in 89 to 93, 81 to 84 and 67 to 70% (seen). Don't trust it
    where units are correlated by more than .6, or where weekdays differ much.

    Args:
        more: `(..., n)`, at least two units each.
        level: of the interval, two-sided.

    Source: Marriott and Pope, Biometrika 41 (1954), the bias of a serial correlation.
    """
    n = more.shape[-1]
    apart = more - more.mean(axis=-1, keepdims=True)
    squares = np.square(apart).sum(axis=-1)
    together = (apart[..., 1:] * apart[..., :-1]).sum(axis=-1)
    found = np.divide(together, squares, out=np.zeros_like(squares), where=squares > 0)
    inflation = _inflation(np.clip(found + (1 + 3 * found) / n, _LEAST, _MOST), n)
    freedom = np.maximum(n / inflation - 1, 1.0)
    variance = squares / (n - inflation) * inflation / n
    reach: FloatArray = stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance)
    return reach


def _inflation(correlation: FloatArray, n: int) -> FloatArray:
    """Return by which factor neighbours' correlation raises the variance of a mean of `n`."""
    lags = np.arange(1, n)
    raised: FloatArray = 1 + 2 * ((1 - lags / n) * correlation[..., None] ** lags).sum(axis=-1)
    return raised
