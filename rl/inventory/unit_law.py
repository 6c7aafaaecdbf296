"""The law of a product's day in units: negative binomial around its forecast, fitted to products of all sizes at once.

Small products' demand scatters more in parts of its forecast than large ones', so that demand in such parts has no one
law; in units it has, with a variance that grows with the forecast as `fitted_variance` takes it.

Source: Hilbe, Negative Binomial Regression (2011), chapter 8, for the regression; Lawless, Statistical Models and
Methods for Lifetime Data (2003), section 2.2, for the likelihood where some observations are bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import structlog
from scipy.optimize import minimize
from scipy.special import betainc, gammaln

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError

_LEAST = 1e-300
_BOUNDS = ((-5.0, 5.0), (-7.0, 6.0), (-9.0, 4.0))  # of the logarithms of factor, excess and growth


@dataclass(frozen=True)
class UnitLaw:
    """Negative binomial demand of a day with mean `m = factor * forecast` and variance `(1 + excess)m + growth * m^2`.

    Attributes:
        factor: mean demand over its forecast, above 0.
        excess: of the variance over the mean, in means, above 0; near 0 and without growth demand is Poisson.
        growth: of the variance with the mean's square, above 0.
    """

    factor: float
    excess: float
    growth: float

    def at_least(self, units: IntArray, forecasts: FloatArray) -> FloatArray:
        """Return the chance of so many units or more, of the shape of both; forecasts above 0."""
        mean = self.factor * forecasts
        over = self.excess + self.growth * mean
        chances = betainc(np.maximum(units, 1), mean / over, over / (1 + over))
        return np.asarray(np.where(units > 0, chances, 1.0))

    def units_at(self, chances: FloatArray, forecasts: FloatArray, least: IntArray) -> IntArray:
        """Return the most units that are reached with such a chance or a greater one, not below the least, `(n,)`.

        Args:
            chances: of at least what is returned, above 0, `(n,)`.
            forecasts: units above 0, `(n,)`.
            least: units, `(n,)`.
        """
        step = np.maximum(np.ceil(self.factor * forecasts), 1).astype(np.int64)
        low, high = least.copy(), least + step
        while (further := self.at_least(high, forecasts) >= chances).any():
            low = np.where(further, high, low)
            step = np.where(further, 2 * step, step)
            high = low + step
        while (high - low > 1).any():
            middle = (low + high) // 2
            reached = self.at_least(middle, forecasts) >= chances
            low, high = np.where(reached, middle, low), np.where(reached, high, middle)
        return low


def fit_unit_law(sold: IntArray, ran_out: BoolArray, forecasts: FloatArray, weights: FloatArray) -> UnitLaw:
    """Return the likeliest law of days whose demand was sold, or at least that where they ran out.

    A demand that no negative binomial law has, such as one with rare lumps, is fitted as if it had one: look at days
    that show their demand first.

    Args:
        sold: units, `(n,)`.
        ran_out: True where demand was at least the sales, `(n,)`.
        forecasts: units above 0, `(n,)`.
        weights: of the days, at least 0, `(n,)`.

    Raises:
        InventoryError: no day counts, or no law fits.
    """
    counted = weights > 0
    if not counted.any():
        raise InventoryError(f"none of {len(sold)} days counts; expected one at least with a weight above 0")
    # A day that ran out without a sale says nothing.
    shown, hidden = counted & ~ran_out, counted & ran_out & (sold > 0)
    of_shown, of_hidden = ((sold[rows], forecasts[rows]) for rows in (shown, hidden))
    shown_weights, hidden_weights, total = weights[shown], weights[hidden], float(weights.sum())

    def unlikely(logarithms: FloatArray) -> float:
        law = UnitLaw(*np.exp(logarithms).tolist())
        likely = shown_weights @ _log_chance(law, *of_shown)
        likely += hidden_weights @ np.log(np.maximum(law.at_least(*of_hidden), _LEAST))
        return -float(likely) / total

    ratio = float(weights @ sold) / float(weights @ forecasts)
    start = np.log([np.clip(1.1 * ratio, 0.01, 100.0), 0.3, 0.1])
    found = minimize(unlikely, start, method="L-BFGS-B", bounds=_BOUNDS, options={"ftol": 1e-9, "gtol": 1e-6})
    if not np.isfinite(found.fun):
        raise InventoryError("no negative binomial law fits these days; declare another tail")
    if found.x[0] in _BOUNDS[0]:
        structlog.get_logger().warning(
            "demand's law ends where no forecast is meant: hidden demand is a guess; declare another tail",
            times_the_forecast=round(float(np.exp(found.x[0])), 3),
            days=int(np.count_nonzero(counted)),
        )
    return UnitLaw(*np.exp(found.x).tolist())


def _log_chance(law: UnitLaw, units: IntArray, forecasts: FloatArray) -> FloatArray:
    """Return the logarithm of the chance of just so many units, less what no law moves."""
    mean = law.factor * forecasts
    over = law.excess + law.growth * mean
    size = mean / over
    ways = gammaln(units + size) - gammaln(size)
    return np.asarray(ways - size * np.log1p(over) + units * (np.log(over) - np.log1p(over)))
