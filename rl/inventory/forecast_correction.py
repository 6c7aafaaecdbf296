"""What a forecast's errors of the last days say of those to come: forecasts that follow them.

A forecast that was made for a week, or a season, may be wrong for all of it in the same direction. Sales of the days
before show it: a week that sold a third more than was forecast since Monday will do so on Friday, too, as far as
chance alone doesn't explain the days. How much of such an error stays is learned from the log, for each weekday and
each day ahead, since weeks end: on a Sunday nothing of the old error may be left for Monday.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError

N_WEEKDAYS = 7
WINDOWS = 7
_LEAST_SHARE = 0.2
_RIDGE = 0.1
_LEAST_FORECAST = 1e-3


@dataclass(frozen=True)
class ForecastCorrection:
    """Relative errors of the last days in, relative errors to come out, by a line for each weekday and day ahead.

    Attributes:
        weights: of `recent_errors` and a constant, `(7, n_days_ahead, 2 * WINDOWS + 1)`.
        steadiness: forecast units at which an error is taken for half chance (`recent_errors`).
    """

    weights: FloatArray
    steadiness: float

    def corrected(self, forecasts: FloatArray, sales: IntArray, ran_out: BoolArray) -> FloatArray:
        """Return forecasts that know the errors of the days before, of the same shape, in units.

        Args:
            forecasts: of each day itself and days after it, `(n_products, n_days, n_days_ahead)`; the first day's
                weekday is the one that training began with.
            sales: units, `(n_products, n_days)`; those of a day move forecasts of later days alone.
            ran_out: True where demand may have been more.

        Raises:
            InventoryError: more or fewer days ahead than the correction was fitted to, or shapes that differ.
        """
        if forecasts.ndim != 3 or forecasts.shape[2] != self.weights.shape[1]:
            raise InventoryError(
                f"forecasts have shape {forecasts.shape}; expected (n_products, n_days, {self.weights.shape[1]})"
            )
        errors = recent_errors(forecasts[:, :, 0], sales, ran_out, self.steadiness)
        weights = self.weights[np.arange(forecasts.shape[1]) % N_WEEKDAYS]
        more = np.einsum("pdf,daf->pda", errors, weights[:, :, :-1]) + weights[None, :, :, -1]
        return np.asarray(forecasts * np.maximum(1 + more, _LEAST_SHARE))


def recent_errors(forecast: FloatArray, sales: IntArray, ran_out: BoolArray, steadiness: float) -> FloatArray:
    """Return what each day's order may know of errors, `(n_products, n_days, 2 * WINDOWS)`.

    For the last day, the last two and so on to seven: sales over their forecast less 1, times the share of it that
    isn't taken for chance; and the share of these days that ran out, times the same. The first seven days have none.

    Args:
        forecast: of each day's demand, as it was made, units, `(n_products, n_days)`.
        sales: units, of the same shape.
        ran_out: True where demand may have been more.
        steadiness: forecast units at which half of an error is taken for chance.

    Raises:
        InventoryError: shapes that differ.
    """
    if not forecast.shape == sales.shape == ran_out.shape or forecast.ndim != 2:
        raise InventoryError(
            f"forecast, sales and ran_out have shapes {forecast.shape}, {sales.shape}, {ran_out.shape}; "
            "expected one (n_products, n_days)"
        )
    sums = [_sums_before(np.asarray(values, dtype=np.float64)) for values in (sales, forecast, ran_out)]
    n_days = forecast.shape[1]
    days = np.arange(n_days)
    found = np.zeros((*forecast.shape, 2 * WINDOWS))
    for window in range(1, WINDOWS + 1):
        first = np.maximum(days - window, 0)
        sold, expected, times = (total[:, days] - total[:, first] for total in sums)
        trusted = np.where(days >= WINDOWS, expected / (expected + steadiness), 0.0)
        found[:, :, window - 1] = trusted * (sold / np.maximum(expected, _LEAST_FORECAST) - 1)
        found[:, :, WINDOWS + window - 1] = trusted * times / window
    return found


def fit_correction(
    forecasts: FloatArray,
    sales: IntArray,
    ran_out: BoolArray,
    demand: FloatArray,
    *,
    n_training: int,
    steadinesses: Sequence[float] = (2.0, 8.0, 32.0, 128.0),
) -> ForecastCorrection:
    """Return the lines that fit training days best, at the steadiness that errs least on the days after them.

    Where none errs less than the forecasts as they are, such as on a short log, nothing is corrected.

    Squared relative errors are weighed by what chance makes of them, so that products of one unit a day don't rule.

    Args:
        forecasts: of each day itself and days after it, `(n_products, n_days, n_days_ahead)`.
        sales: units, `(n_products, n_days)`.
        ran_out: True where demand may have been more.
        demand: what was asked for: sales, and on days that ran out a draw, or the mean of draws, from its law.
        n_training: days that lines are fitted to; the steadiness is chosen on those after them.
        steadinesses: to choose among.

    Raises:
        InventoryError: no day after training, or so few before that a weekday has no day.
    """
    n_days = sales.shape[1]
    if not 2 * N_WEEKDAYS + forecasts.shape[2] <= n_training < n_days - forecasts.shape[2]:
        raise InventoryError(
            f"{n_training} of {n_days} days to fit a correction to; expected two weeks at least, and days after them"
        )
    fitted = [
        ForecastCorrection(_lines(forecasts, sales, ran_out, demand, n_training, steadiness), steadiness)
        for steadiness in steadinesses
    ]
    nothing = np.zeros((N_WEEKDAYS, forecasts.shape[2], 2 * WINDOWS + 1))
    fitted.insert(0, ForecastCorrection(nothing, steadinesses[0]))
    errors = [_error(one, forecasts, sales, ran_out, demand, n_training) for one in fitted]
    return fitted[int(np.argmin(errors))]


def _lines(
    forecasts: FloatArray,
    sales: IntArray,
    ran_out: BoolArray,
    demand: FloatArray,
    n_training: int,
    steadiness: float,
) -> FloatArray:
    known = recent_errors(forecasts[:, :, 0], sales, ran_out, steadiness)
    known = np.concatenate([known, np.ones((*sales.shape, 1))], axis=2)
    n_ahead, n_known = forecasts.shape[2], known.shape[2]
    lines = np.zeros((N_WEEKDAYS, n_ahead, n_known))
    for weekday in range(N_WEEKDAYS):
        for ahead in range(n_ahead):
            days = np.arange(weekday, n_training - ahead, N_WEEKDAYS)
            days = days[days >= WINDOWS]
            forecast = np.maximum(forecasts[:, days, ahead], _LEAST_FORECAST)
            told = (demand[:, days + ahead] / forecast - 1).reshape(-1)
            weighed = known[:, days].reshape(-1, n_known) * _weight(forecast).reshape(-1, 1)
            square = weighed.T @ known[:, days].reshape(-1, n_known) + _RIDGE * np.eye(n_known)
            lines[weekday, ahead] = np.linalg.solve(square, weighed.T @ told)
    return lines


def _error(
    correction: ForecastCorrection,
    forecasts: FloatArray,
    sales: IntArray,
    ran_out: BoolArray,
    demand: FloatArray,
    first: int,
) -> float:
    corrected = correction.corrected(forecasts, sales, ran_out)
    total = 0.0
    for ahead in range(forecasts.shape[2]):
        days = np.arange(first, sales.shape[1] - ahead)
        forecast = np.maximum(forecasts[:, days, ahead], _LEAST_FORECAST)
        error = (demand[:, days + ahead] - corrected[:, days, ahead]) / forecast
        total += float((_weight(forecast) * error**2).mean())
    return total


def _weight(forecast: FloatArray) -> FloatArray:
    """Return the inverse of a relative error's variance, up to a factor: Poisson, and a tenth that forecasts miss."""
    return np.asarray(1 / (1 / forecast + 0.1))


def _sums_before(values: FloatArray) -> FloatArray:
    """Return sums of all days before each, `(n_products, n_days)`."""
    sums = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=sums[:, 1:])
    return sums
