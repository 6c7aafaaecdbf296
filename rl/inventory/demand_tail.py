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

from rl.data.logged_episodes import FloatArray
from rl.errors import InventoryError

_LEAST = 1e-300
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
    from scipy.stats import nbinom  # noqa: PLC0415  (takes a second to import; policies are read without it)

    units = np.arange(len(shown))
    weight = float(shown.sum() + bounds.sum())
    sold = float(units @ (shown + bounds)) / weight
    if sold <= 0:
        raise InventoryError("no day sold anything, so no law of demand can be fitted; declare the tail at_bound")

    def unlikely(numbers: FloatArray) -> float:
        size, chance = _law(numbers)
        seen = shown @ np.log(np.maximum(nbinom.pmf(units, size, chance), _LEAST))
        hidden = bounds @ np.log(np.maximum(nbinom.sf(units - 1, size, chance), _LEAST))
        return -float(seen + hidden) / weight

    # Means from what was sold up to a multiple of it: what ran out may hide much.
    starts = [np.array([np.log(sold * factor), np.log(0.5)]) for factor in (1.0, 1.5)]
    found = min((minimize(unlikely, start, method="Nelder-Mead") for start in starts), key=lambda each: float(each.fun))
    if not np.isfinite(found.fun):
        raise InventoryError("no law of demand fits these days; declare another tail")
    size, chance = _law(found.x)
    last = max(int(nbinom.isf(1e-9 * max(float(nbinom.sf(known - 1, size, chance)), 1e-12), size, chance)), known)
    chances = nbinom.pmf(np.arange(known, last + 1), size, chance)
    if not chances.sum() > 0:
        return np.ones(1)
    return np.asarray(chances / chances.sum())


def _law(numbers: FloatArray) -> tuple[float, float]:
    """Return size and chance of the law with that logarithm of the mean, and of the variance's excess over the mean."""
    mean = float(np.exp(np.clip(numbers[0], -20, 20)))
    ratio = 1.0 + float(np.exp(np.clip(numbers[1], -7, np.log(_MOST_RATIO))))
    return mean / (ratio - 1), 1 / ratio
