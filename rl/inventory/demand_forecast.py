"""A forecast of each product's demand from its own days: a level that follows them, weekdays, the lift of promotions.

A product's level is a weighted mean of its past days, freed of their weekday and promotion, the latest weighing most.
On a day that ran out demand was at least what was sold: the forecast stands in where it is larger, so that empty
shelves don't talk the level down. A factor of a product that sold little is drawn towards that of all products. Days on
which hardly anything is ever sold, such as those that the shop is closed on, tell no level.

Source: Gardner, Exponential smoothing: the state of the art, part II (2006), section 3, for level and seasonal factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.forecast_correction import ForecastCorrection
from rl.inventory.order_days import WEEKDAY_NAMES

_DAYS = 7
_RATES = (0.03, 0.06, 0.1, 0.15, 0.25)
_ROUNDS = 4
_OWN_UNITS = 60.0  # sold by a product, of a weekday or in promotions, until its own factor counts for half
_FIRST_WEIGHT = 0.5  # of a newcomer's expected level, in days of its own
_LEAST_LEVEL = 0.02
_LEAST_TELLING = 0.1  # factor of a day that tells a level: on others a single sale would count more than ten times


@dataclass(frozen=True)
class DemandDays:
    """Products' days as they were logged; every array is `(n_products, n_days)`.

    Attributes:
        sold: units.
        ran_out: True where demand may have been more.
        is_known: False where the product wasn't in the range, or its day isn't known.
        is_promoted: of the day itself.
        weekday: of each day, 0 Monday to 6 Sunday, `(n_days,)`.
    """

    sold: IntArray
    ran_out: BoolArray
    is_known: BoolArray
    is_promoted: BoolArray
    weekday: IntArray

    def __post_init__(self) -> None:
        shapes = {self.sold.shape, self.ran_out.shape, self.is_known.shape, self.is_promoted.shape}
        if len(shapes) > 1 or self.sold.ndim != 2 or self.weekday.shape != self.sold.shape[1:]:
            raise InventoryError(f"days have shapes {sorted(shapes)}, weekdays {self.weekday.shape}; expected one")

    def of(self, rows: IntArray) -> DemandDays:
        """Return the days of some products, by row."""
        return DemandDays(
            self.sold[rows], self.ran_out[rows], self.is_known[rows], self.is_promoted[rows], self.weekday
        )


@dataclass(frozen=True)
class DemandForecaster:
    """What was fitted; products that it doesn't know get the factors of all.

    Attributes:
        rate: weight of the last day in the level.
        first_level: units a day that a newcomer is expected to sell.
        weekday: factor of each weekday over all products, `(7,)`.
        lift: factor of promotions over all products.
        own_weekday: factors by product, each `(7,)`.
        own_lift: factor by product.
        correction: how forecasts follow their errors of the last days; None where they don't.
    """

    rate: float
    first_level: float
    weekday: FloatArray
    lift: float
    own_weekday: Mapping[str, FloatArray]
    own_lift: Mapping[str, float]
    correction: ForecastCorrection | None = None

    def forecasts(
        self, products: tuple[str, ...], days: DemandDays, promoted_ahead: BoolArray, *, has_next: bool = False
    ) -> FloatArray:
        """Return what is forecast on mornings, of each one's day and those after it, units.

        Args:
            products: of the rows.
            days: from the first known day on.
            promoted_ahead: whether each morning's day and those after it are promoted, of all mornings or the last,
                `(n_products, n_mornings, n_ahead)`; a correction needs the `WINDOWS` mornings before.
            has_next: whether the last morning is that of the day after all.

        Returns:
            Of the shape of `promoted_ahead`; each column knows the days before it.

        Raises:
            InventoryError: a forecast that isn't a finite number.
        """
        n_mornings, end = promoted_ahead.shape[1], days.sold.shape[1] + has_next
        made = slice(end - n_mornings, end)
        weekday = np.append(days.weekday, (days.weekday[-1] + 1) % _DAYS)[made]
        found = self.ahead(products, self.levels(products, days)[:, made], weekday, promoted_ahead)
        if self.correction is None:
            return found
        # Of the day after all nothing is known, and nothing is looked at.
        more = ((0, 0), (0, 1))
        return self.correction.corrected(
            found,
            np.pad(days.sold, more)[:, made].astype(np.int64),
            np.pad(days.ran_out, more)[:, made].astype(np.bool_),
            weekday=weekday,
            is_known=np.pad(days.is_known, more)[:, made].astype(np.bool_),
        )

    def levels(self, products: tuple[str, ...], days: DemandDays) -> FloatArray:
        """Return the level that is known on the morning of each day and, last, of the day after all, units.

        Args:
            products: of the rows.
            days: from the first known day on.

        Returns:
            `(n_products, n_days + 1)`; column d knows the days before d.
        """
        factor = self.factors(products, days.weekday, days.is_promoted)
        return _levels(days, factor, self.rate, self.first_level)

    def factors(self, products: tuple[str, ...], weekday: IntArray, is_promoted: BoolArray) -> FloatArray:
        """Return what a level is multiplied by, of the shape of `is_promoted`, `(n_products, n_days)`."""
        weekdays = np.array([self.own_weekday.get(one, self.weekday) for one in products]).reshape(-1, _DAYS)
        lifts = np.array([self.own_lift.get(one, self.lift) for one in products])
        return np.asarray(weekdays[:, weekday] * np.where(is_promoted, lifts[:, None], 1.0))

    def ahead(
        self, products: tuple[str, ...], levels: FloatArray, weekday: IntArray, promoted_ahead: BoolArray
    ) -> FloatArray:
        """Return forecasts of each day and those after it, units, `(n_products, n_days, n_ahead)`.

        Args:
            products: of the rows.
            levels: known on the morning of each day, `(n_products, n_days)`.
            weekday: of each day, `(n_days,)`.
            promoted_ahead: whether each day and those after it are promoted, `(n_products, n_days, n_ahead)`.

        Raises:
            InventoryError: a forecast that isn't a finite number, with its product and weekday.
        """
        found = np.stack(
            [
                levels * self.factors(products, (weekday + ahead) % _DAYS, promoted_ahead[:, :, ahead])
                for ahead in range(promoted_ahead.shape[2])
            ],
            axis=2,
        )
        if len(strange := np.argwhere(~np.isfinite(found))):
            row, day, ahead = strange[0].tolist()
            weekday_name = WEEKDAY_NAMES[(int(weekday[day]) + ahead) % _DAYS]
            raise InventoryError(
                f"{len(strange)} forecasts aren't finite numbers; the first is {found[row, day, ahead]} of product "
                f"{products[row]} for a {weekday_name}; fit the forecast again, and "
                "check what was sold on such days"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        correction = {} if self.correction is None else {"correction": self.correction.to_json()}
        return {
            "rate": self.rate,
            "first_level": self.first_level,
            "weekday": self.weekday.tolist(),
            "lift": self.lift,
            "own_weekday": {name: values.tolist() for name, values in self.own_weekday.items()},
            "own_lift": dict(self.own_lift),
        } | correction

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DemandForecaster:
        """Return the forecaster that `to_json` wrote."""
        return cls(
            rate=float(content["rate"]),
            first_level=float(content["first_level"]),
            weekday=np.array(content["weekday"], dtype=np.float64),
            lift=float(content["lift"]),
            own_weekday={name: np.array(values) for name, values in content["own_weekday"].items()},
            own_lift={name: float(value) for name, value in content["own_lift"].items()},
            correction=ForecastCorrection.from_json(content["correction"]) if "correction" in content else None,
        )


def fit_forecaster(products: tuple[str, ...], days: DemandDays) -> DemandForecaster:
    """Return the forecaster whose forecasts of the next day miss least, each error against the usual one of its size.

    Args:
        products: of the rows.
        days: to learn from; later days are never looked at.

    Raises:
        InventoryError: fewer than two weeks, or nothing sold.
    """
    if days.sold.shape[1] < 2 * _DAYS or not days.sold[days.is_known].any():
        raise InventoryError(
            f"{days.sold.shape[1]} days with {int(days.sold[days.is_known].sum())} units sold; a forecast needs two "
            "weeks or more, with sales"
        )
    tried = [_fitted(products, days, rate) for rate in _RATES]
    return min(tried, key=lambda one: _miss(one, products, days))


def _miss(found: DemandForecaster, products: tuple[str, ...], days: DemandDays) -> float:
    expected = found.levels(products, days)[:, :-1] * found.factors(products, days.weekday, days.is_promoted)
    # The first weeks tell more of how levels begin than of how they follow.
    seen = days.is_known & ~days.ran_out & (np.arange(days.sold.shape[1]) >= _DAYS)
    error = (days.sold - expected) ** 2 / (expected + 0.05 * expected**2 + 0.1)
    return float(error[seen].mean()) if seen.any() else float("inf")


def _fitted(products: tuple[str, ...], days: DemandDays, rate: float) -> DemandForecaster:
    n_products = len(products)
    first_level = max(float(days.sold[days.is_known].mean()), _LEAST_LEVEL)
    own_weekday, own_lift = np.ones((n_products, _DAYS)), np.ones(n_products)
    weekday, lift = np.ones(_DAYS), 1.0
    for _ in range(_ROUNDS):
        promoted = np.where(days.is_promoted, own_lift[:, None], 1.0)
        by_weekday = own_weekday[:, days.weekday]
        levels = _levels(days, by_weekday * promoted, rate, first_level)[:, :-1]
        demand = _filled(days, levels * by_weekday * promoted)
        weekday, own_weekday = _weekdays(days, demand, levels * promoted)
        lift, own_lift = _lifts(days, demand, levels * own_weekday[:, days.weekday])
    return DemandForecaster(
        rate=rate,
        first_level=first_level,
        weekday=weekday,
        lift=lift,
        own_weekday=dict(zip(products, own_weekday, strict=True)),
        own_lift=dict(zip(products, own_lift.tolist(), strict=True)),
    )


def _levels(days: DemandDays, factor: FloatArray, rate: float, first_level: float) -> FloatArray:
    n_products, n_days = days.sold.shape
    found = np.empty((n_products, n_days + 1))
    total = np.full(n_products, _FIRST_WEIGHT * rate * first_level)
    weight = np.full(n_products, _FIRST_WEIGHT * rate)
    for day in range(n_days + 1):
        found[:, day] = np.maximum(total / weight, _LEAST_LEVEL)
        if day == n_days:
            break
        expected = found[:, day] * factor[:, day]
        sold = days.sold[:, day].astype(np.float64)
        demand = np.where(days.ran_out[:, day], np.maximum(sold, expected), sold)
        known = days.is_known[:, day] & (factor[:, day] >= _LEAST_TELLING)
        told = demand / np.maximum(factor[:, day], _LEAST_TELLING)
        total = np.where(known, (1 - rate) * total + rate * told, total)
        weight = np.where(known, (1 - rate) * weight + rate, weight)
    return found


def _filled(days: DemandDays, expected: FloatArray) -> FloatArray:
    """Return demand, with the expected one where a day ran out and that is more, 0 where nothing is known."""
    demand = np.where(days.ran_out, np.maximum(days.sold, expected), days.sold)
    return np.where(days.is_known, demand, 0.0)


def _weekdays(days: DemandDays, demand: FloatArray, expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the factors of weekdays over all products, `(7,)`, and of each, `(n_products, 7)`, with mean 1."""
    known = np.where(days.is_known, expected, 0.0)
    one_hot = np.eye(_DAYS)[days.weekday]
    sold, usual = demand @ one_hot, known @ one_hot
    whole = sold.sum(axis=0) / np.maximum(usual.sum(axis=0), _LEAST_LEVEL)
    whole = whole / whole.mean()
    own = (sold + _OWN_UNITS * whole) / (usual + _OWN_UNITS)
    return whole, own / own.mean(axis=1, keepdims=True)


def _lifts(days: DemandDays, demand: FloatArray, expected: FloatArray) -> tuple[float, FloatArray]:
    """Return the factor of promotions over all products, and of each, `(n_products,)`."""
    counted = days.is_known & days.is_promoted
    sold, usual = np.where(counted, demand, 0.0).sum(axis=1), np.where(counted, expected, 0.0).sum(axis=1)
    whole = float(sold.sum() / usual.sum()) if usual.sum() > 0 else 1.0
    return whole, (sold + _OWN_UNITS * whole) / (usual + _OWN_UNITS)
