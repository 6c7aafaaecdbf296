"""The chances of demand that no log shows: a negative binomial law beyond the largest stock, fitted to all days.

A rate of decline that is carried on from the last days before the largest stock rests on few of them, and gives most
demand too long a tail, since its rate grows. A law with two numbers rests on every day; beyond what was ever stocked it
is declared like any other tail.

Source: Lawless, Statistical Models and Methods for Lifetime Data (2003), section 2.2, for the likelihood where some
observations are bounds.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import betainc, gammaln, xlog1py

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError

_LEAST = 1e-300
_LAST_CHANCE = 1e-9
_MOST_RATIO = 200.0  # of variance to mean


def negative_binomial_tail(shown: FloatArray, bounds: FloatArray, known: int) -> FloatArray:
    """Return the chances of `known` units and more, given at least `known`, up to where 10^-9 is left.

    Args:
        shown: weight of the days that asked for 0, 1, 2, ... units and had more, `(n,)`.
        bounds: weight of the days that ran out at 0, 1, 2, ... units, `(n,)`.
        known: number of units from which on nothing is known.

    Raises:
        InventoryError: no likelihood could be found, such as where no day sold anything.
    """
    units = np.arange(len(shown))
    seen, hidden = np.flatnonzero(shown > 0), np.flatnonzero(bounds > 0)
    weight = float(shown.sum() + bounds.sum())
    sold = float(units @ (shown + bounds)) / weight
    if sold <= 0:
        raise InventoryError("no day sold anything, so no law of demand can be fitted; declare the tail at_bound")

    def unlikely(numbers: FloatArray) -> float:
        law = _law(numbers)
        likely = shown[seen] @ _log_chance(seen, *law)
        likely += bounds[hidden] @ np.log(np.maximum(_at_least(hidden, *law), _LEAST))
        return -float(likely) / weight

    # Means from what was sold up to a multiple of it: what ran out may hide much.
    starts = [np.array([np.log(sold * factor), np.log(0.5)]) for factor in (1.0, 1.5)]
    found = min((minimize(unlikely, start, method="Nelder-Mead") for start in starts), key=lambda each: float(each.fun))
    if not np.isfinite(found.fun):
        raise InventoryError("no law of demand fits these days; declare another tail")
    law = _law(found.x)
    least = _LAST_CHANCE * max(float(_at_least(np.array([known]), *law)[0]), 1e-12)
    last = known + 1
    while float(_at_least(np.array([last]), *law)[0]) > least:
        last = known + 2 * (last - known)
    chances = np.exp(_log_chance(np.arange(known, last + 1), *law))
    if not chances.sum() > 0:
        return np.ones(1)
    return np.asarray(chances / chances.sum())


def _log_chance(units: IntArray, size: float, chance: float) -> FloatArray:
    """Return the logarithm of the law's chance of so many units."""
    ways = gammaln(units + size) - gammaln(units + 1) - gammaln(size)
    return np.asarray(ways + size * np.log(chance) + xlog1py(units, -chance))


def _at_least(units: IntArray, size: float, chance: float) -> FloatArray:
    """Return the law's chance of so many units or more."""
    return np.where(units > 0, betainc(np.maximum(units, 1), size, 1 - chance), 1.0)


def _law(numbers: FloatArray) -> tuple[float, float]:
    """Return size and chance of the law with that logarithm of the mean, and of the variance's excess over the mean."""
    mean = float(np.exp(np.clip(numbers[0], -20, 20)))
    ratio = 1.0 + float(np.exp(np.clip(numbers[1], -7, np.log(_MOST_RATIO))))
    return mean / (ratio - 1), 1 / ratio
