"""What a forecast's errors of the last days say of those to come: forecasts that follow them.

A forecast that was made for a week, or a season, may be wrong for all of it in the same direction. Sales of the days
before show it: a week that sold a third more than was forecast since Monday will do so on Friday, too, as far as
chance alone doesn't explain the days. How much of such an error stays is learned from the log, for each weekday and
each day ahead, since weeks end: on a Sunday nothing of the old error may be left for Monday.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError

N_WEEKDAYS = 7
WINDOWS = 7
STEADINESSES = (2.0, 8.0, 32.0, 128.0)
"""Forecast units at which an error is taken for half chance, to choose among."""
_LEAST_SHARE, _MOST_SHARE = 0.2, 2.0
"""Of a forecast, that a correction leaves of it or makes of it: one day of a bulk buyer isn't a week's error."""
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

    def corrected(
        self,
        forecasts: FloatArray,
        sales: IntArray,
        ran_out: BoolArray,
        *,
        weekday: IntArray | None = None,
        is_known: BoolArray | None = None,
    ) -> FloatArray:
        """Return forecasts that know the errors of the days before, of the same shape, in units.

        Args:
            forecasts: of each day itself and days after it, `(n_products, n_days, n_days_ahead)`.
            sales: units, `(n_products, n_days)`; those of a day move forecasts of later days alone.
            ran_out: True where demand may have been more.
            weekday: of each day, 0 to 6, `(n_days,)`; None counts from the first day, which training began with.
            is_known: False on days that tell nothing of a product, `(n_products, n_days)`; None where all do.

        Raises:
            InventoryError: more or fewer days ahead than the correction was fitted to, or shapes that differ.
        """
        if forecasts.ndim != 3 or forecasts.shape[2] != self.weights.shape[1]:
            raise InventoryError(
                f"forecasts have shape {forecasts.shape}; expected (n_products, n_days, {self.weights.shape[1]})"
            )
        errors = recent_errors(forecasts[:, :, 0], sales, ran_out, self.steadiness, is_known=is_known)
        weights = self.weights[_weekdays(weekday, forecasts.shape[1])]
        more = np.einsum("pdf,daf->pda", errors, weights[:, :, :-1]) + weights[None, :, :, -1]
        return np.asarray(forecasts * np.clip(1 + more, _LEAST_SHARE, _MOST_SHARE))

    @property
    def changes_nothing(self) -> bool:
        """Whether forecasts stay what they are: no line was better."""
        return not self.weights.any()

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"steadiness": self.steadiness, "weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ForecastCorrection:
        """Return the correction that `to_json` wrote."""
        return cls(np.array(content["weights"], dtype=np.float64), float(content["steadiness"]))


def recent_errors(
    forecast: FloatArray,
    sales: IntArray,
    ran_out: BoolArray,
    steadiness: float,
    *,
    is_known: BoolArray | None = None,
) -> FloatArray:
    """Return what each day's order may know of errors, `(n_products, n_days, 2 * WINDOWS)`.

    For the last day, the last two and so on to seven: sales over their forecast less 1, times the share of it that
    isn't taken for chance; and the share of these days that ran out, times the same. The first seven days have none.
    Days on which nothing is known count for neither side.

    Args:
        forecast: of each day's demand, as it was made, units, `(n_products, n_days)`.
        sales: units, of the same shape.
        ran_out: True where demand may have been more.
        steadiness: forecast units at which half of an error is taken for chance.
        is_known: False on days that tell nothing of a product, of the same shape; None where all do.

    Raises:
        InventoryError: shapes that differ.
    """
    counts = np.ones(forecast.shape) if is_known is None else np.asarray(is_known, dtype=np.float64)
    if not forecast.shape == sales.shape == ran_out.shape == counts.shape or forecast.ndim != 2:
        raise InventoryError(
            f"forecast, sales, ran_out and is_known have shapes {forecast.shape}, {sales.shape}, {ran_out.shape}, "
            f"{counts.shape}; expected one (n_products, n_days)"
        )
    sums = [_sums_before(values * counts) for values in (sales, forecast, ran_out, counts)]
    n_days = forecast.shape[1]
    days = np.arange(n_days)
    found = np.zeros((*forecast.shape, 2 * WINDOWS))
    for window in range(1, WINDOWS + 1):
        first = np.maximum(days - window, 0)
        sold, expected, times, known = (total[:, days] - total[:, first] for total in sums)
        trusted = np.where(days >= WINDOWS, expected / (expected + steadiness), 0.0)
        found[:, :, window - 1] = trusted * (sold / np.maximum(expected, _LEAST_FORECAST) - 1)
        found[:, :, WINDOWS + window - 1] = trusted * times / np.maximum(known, 1)
    return found


def fit_correction(
    forecasts: FloatArray,
    sales: IntArray,
    ran_out: BoolArray,
    demand: FloatArray,
    *,
    n_training: int,
    weekday: IntArray | None = None,
    is_known: BoolArray | None = None,
    penalties: Sequence[float] = (0.1,),
) -> ForecastCorrection:
    """Return the lines that fit training days best, at the steadiness that errs least on the days after them.

    Where none errs less than the forecasts as they are by more than a standard error over products' weeks, such as on a
    short log, nothing is corrected.

    Squared relative errors are weighed by what chance makes of them, so that products of one unit a day don't rule.

    Args:
        forecasts: of each day itself and days after it, `(n_products, n_days, n_days_ahead)`.
        sales: units, `(n_products, n_days)`.
        ran_out: True where demand may have been more.
        demand: what was asked for: sales, and on days that ran out a draw, or the mean of draws, from its law.
        n_training: days that lines are fitted to; the steadiness is chosen on those after them.
        weekday: of each day, 0 to 6, `(n_days,)`; None counts them from the first day on.
        is_known: False on days that tell nothing of a product, `(n_products, n_days)`; None where all do.
        penalties: on squared weights, to choose among likewise; a short log asks for a larger one.

    Raises:
        InventoryError: no day after training, or so few before that a weekday has no day.
    """
    n_days = sales.shape[1]
    if not may_fit(n_training, n_days, forecasts.shape[2]):
        raise InventoryError(
            f"{n_training} of {n_days} days to fit a correction to; expected two weeks at least, and days after them"
        )
    known = np.ones(sales.shape, dtype=bool) if is_known is None else is_known
    log = _Log(forecasts, sales, ran_out, demand, _weekdays(weekday, n_days), known)
    fitted = [
        ForecastCorrection(lines, steadiness)
        for steadiness in STEADINESSES
        for lines in log.lines(n_training, steadiness, penalties)
    ]
    nothing = ForecastCorrection(np.zeros((N_WEEKDAYS, forecasts.shape[2], 2 * WINDOWS + 1)), STEADINESSES[0])
    errors = [log.errors(one, n_training) for one in fitted]
    best = int(np.argmin([found.sum() for found in errors]))
    return fitted[best] if _is_shown(log.errors(nothing, n_training) - errors[best]) else nothing


def may_fit(n_training: int, n_days: int, n_days_ahead: int) -> bool:
    """Return whether a correction can be fitted to so many of so many days: each weekday has one, and days follow."""
    return 2 * N_WEEKDAYS + n_days_ahead <= n_training < n_days - n_days_ahead


@dataclass(frozen=True)
class _Log:
    """What lines are fitted to; all arrays as in `fit_correction`."""

    forecasts: FloatArray
    sales: IntArray
    ran_out: BoolArray
    demand: FloatArray
    weekday: IntArray
    is_known: BoolArray

    def lines(self, n_training: int, steadiness: float, penalties: Sequence[float]) -> FloatArray:
        """Return the lines of the first days at each penalty, `(n_penalties, 7, n_days_ahead, 2 * WINDOWS + 1)`."""
        known = recent_errors(self.forecasts[:, :, 0], self.sales, self.ran_out, steadiness, is_known=self.is_known)
        known = np.concatenate([known, np.ones((*self.sales.shape, 1))], axis=2)
        n_ahead, n_known = self.forecasts.shape[2], known.shape[2]
        ridges = np.array(penalties)[:, None, None] * np.eye(n_known)
        lines = np.zeros((len(penalties), N_WEEKDAYS, n_ahead, n_known))
        for weekday in range(N_WEEKDAYS):
            for ahead in range(n_ahead):
                days = np.flatnonzero(self.weekday[: n_training - ahead] == weekday)
                days = days[days >= WINDOWS]
                told, weight = self._relative_errors(self.forecasts, days, ahead)
                seen = known[:, days].reshape(-1, n_known)
                weighed = seen.T * weight.reshape(-1)
                found = np.linalg.solve(weighed @ seen + ridges, (weighed @ told.reshape(-1))[:, None])
                lines[:, weekday, ahead] = found[:, :, 0]
        return lines

    def errors(self, correction: ForecastCorrection, first: int) -> FloatArray:
        """Return squared relative errors on days from `first` on, weighed, `(n_products, n_weeks)`.

        All days ahead are in them; a week without a known day has 0.
        """
        corrected = correction.corrected(
            self.forecasts, self.sales, self.ran_out, weekday=self.weekday, is_known=self.is_known
        )
        n_products, n_days = self.sales.shape
        found = np.zeros((n_products, (n_days - first - 1) // N_WEEKDAYS + 1))
        for ahead in range(self.forecasts.shape[2]):
            days = np.arange(first, n_days - ahead)
            told, weight = self._relative_errors(corrected, days, ahead)
            by_week = np.add.reduceat(weight * told**2, np.arange(0, len(days), N_WEEKDAYS), axis=1)
            found[:, : by_week.shape[1]] += by_week / len(days)
        return found

    def _relative_errors(self, made: FloatArray, days: IntArray, ahead: int) -> tuple[FloatArray, FloatArray]:
        """Return what demand differs from the forecasts that were made, in the given ones, and what that counts."""
        forecast = np.maximum(self.forecasts[:, days, ahead], _LEAST_FORECAST)
        made_of = np.maximum(made[:, days, ahead], _LEAST_FORECAST)
        told = (self.demand[:, days + ahead] - made_of) / forecast
        return told, np.where(self.is_known[:, days + ahead], _weight(forecast), 0.0)


def _is_shown(less: FloatArray) -> bool:
    """Return whether products' weeks err less by more than a standard error of their mean."""
    cells = less.reshape(-1)
    spread = float(cells.std(ddof=1)) / len(cells) ** 0.5 if len(cells) > 1 else float("inf")
    return float(cells.mean()) > spread


def _weekdays(weekday: IntArray | None, n_days: int) -> IntArray:
    return np.arange(n_days) % N_WEEKDAYS if weekday is None else weekday


def _weight(forecast: FloatArray) -> FloatArray:
    """Return the inverse of a relative error's variance, up to a factor: Poisson, and a tenth that forecasts miss."""
    return np.asarray(1 / (1 / forecast + 0.1))


def _sums_before(values: FloatArray) -> FloatArray:
    """Return sums of all days before each, `(n_products, n_days)`."""
    sums = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=sums[:, 1:])
    return sums
