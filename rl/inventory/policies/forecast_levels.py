"""Policies for demand that forecasts move: levels that follow the forecast, with one number of safety.

The first features of a state are forecasts of demand: of the day itself, and of each day until the next order arrives:
that of tomorrow, where orders are placed every day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import nnls
from scipy.special import ndtr

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.replay import replayed
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates

P = TypeVar("P", bound=OrderingPolicy)


@dataclass(frozen=True)
class ForecastBaseStock:
    """Orders up to the forecast of the days until the next order arrives, and a safety above.

    Attributes:
        safety: in standard deviations of that demand; one for all, or each product's, `(n_products,)`.
        lead_time: days.
        variance: of a day's demand over its forecast, and over the forecast's square: `a * forecast + b * forecast**2`.
        wait_variance: of the days from order to arrival; 0 where all come as promised.
        review_days: from one order to the next.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains (2017), section 6.10, for
        waits that vary.
    """

    safety: float | FloatArray
    lead_time: int
    variance: tuple[float, float] = (1.0, 0.0)
    wait_variance: float = 0.0
    review_days: int = 1

    def order(self, states: StockStates) -> IntArray:
        level = self.levels(_forecasts(states, self.lead_time + self.review_days), self.safety)
        return _whole(level - states.position)

    def levels(self, forecasts: FloatArray, safety: float | FloatArray) -> FloatArray:
        """Return what is ordered up to, in units and parts of them, `(n,)`."""
        variance = _variances(forecasts, self.variance).sum(axis=1) + self.wait_variance * forecasts.mean(axis=1) ** 2
        return np.asarray(forecasts.sum(axis=1) + safety * np.sqrt(variance))


@dataclass(frozen=True)
class ForecastProjectedLevel:
    """Orders what the stock expected on the day of arrival lacks to the forecast from then on, and a safety above.

    The forecast is that of the days until the next order arrives. Stock is projected day by day at its mean, with
    normal demand around the forecast, so that demand beyond it is lost.

    Attributes:
        safety: in standard deviations of the demand until the next order arrives; one, or each product's.
        lead_time: days.
        variance, wait_variance, review_days: as of `ForecastBaseStock`.
    """

    safety: float | FloatArray
    lead_time: int
    variance: tuple[float, float] = (1.0, 0.0)
    wait_variance: float = 0.0
    review_days: int = 1

    def order(self, states: StockStates) -> IntArray:
        return _whole(projected_shortfall(self, states, self.safety))


def projected_shortfall(rule: ForecastProjectedLevel, states: StockStates, safety: float | FloatArray) -> FloatArray:
    """Return what the stock expected on the day of arrival lacks to the level; below 0 where it is more, `(n,)`.

    Args:
        rule: lead time, variances and days between orders; its own safety isn't looked at.
        states: whose first features are forecasts, 0 for days that the order needn't last for.
        safety: in standard deviations, one for all or one each, `(n,)`.
    """
    forecasts = _forecasts(states, rule.lead_time + rule.review_days)
    variances = _variances(forecasts, rule.variance)
    stock = states.stock.astype(np.float64)
    for day in range(rule.lead_time):
        stock = _expected_left_over(stock, forecasts[:, day], np.sqrt(variances[:, day]))
        if day + 1 < rule.lead_time:
            stock = stock + states.pipeline[:, day + 1]
    spread = np.sqrt(variances.sum(axis=1) + rule.wait_variance * forecasts.mean(axis=1) ** 2)
    return np.asarray(forecasts[:, rule.lead_time :].sum(axis=1) + safety * spread - stock)


def fitted_variance(demand: IntArray, forecasts: FloatArray) -> tuple[float, float]:
    """Return `a` and `b` of demand's variance around its forecasts, `a * forecast + b * forecast**2`, at least 0 each.

    Args:
        demand: units, of any shape.
        forecasts: of the same days, units, of the same shape.

    Raises:
        InventoryError: shapes that differ, or no forecast above 0.
    """
    if demand.shape != forecasts.shape or not (forecasts > 0).any():
        raise InventoryError(
            f"demand has shape {demand.shape}, forecasts {forecasts.shape}; expected the same, and some above 0"
        )
    known = forecasts > 0
    mean, squared = forecasts[known], (demand[known] - forecasts[known]) ** 2
    # Small products' days are weighed like large ones': squared errors scatter as the square of their mean.
    weight = 1.0 / (mean + 0.05 * mean**2)
    found, _ = nnls(np.column_stack([mean, mean**2]) * weight[:, None], squared * weight)
    return float(found[0]), float(found[1])


def tuned_safety(
    make: Callable[[float], P],
    demand: IntArray,
    rules: StockRules,
    features: FloatArray,
    safeties: Sequence[float],
) -> TunedSafety[P]:
    """Return the policy whose safety costs least in a replay.

    Args:
        make: the policy of a safety.
        demand: units, `(n_products, n_days)`.
        rules: lead time and costs.
        features: of each day, `(n_products, n_days, n_features)`.
        safeties: to try.
    """
    if not len(safeties):
        raise InventoryError("no safeties to try; expected at least one")
    costs = [float(replayed(make(safety), demand, rules, features=features).cost(rules).mean()) for safety in safeties]
    best = int(np.argmin(costs))
    return TunedSafety(make(safeties[best]), safeties[best], costs[best])


@dataclass(frozen=True)
class TunedSafety(Generic[P]):
    """A policy and the safety that was found for it.

    Attributes:
        policy: the best.
        safety: in standard deviations.
        cost: per product and day in the replay, in money.
    """

    policy: P
    safety: float
    cost: float


def _forecasts(states: StockStates, n_days: int) -> FloatArray:
    if states.features is None or states.features.shape[1] < n_days:
        n_features = 0 if states.features is None else states.features.shape[1]
        raise InventoryError(f"the states have {n_features} features; expected {n_days} forecasts first")
    return states.features[:, :n_days]


def _whole(missing: FloatArray) -> IntArray:
    """Return what is missing in whole units, at least 0."""
    return np.asarray(np.maximum(np.floor(missing + 0.5), 0), dtype=np.int64)


def _variances(forecasts: FloatArray, variance: tuple[float, float]) -> FloatArray:
    return np.asarray(variance[0] * forecasts + variance[1] * forecasts**2)


def _expected_left_over(stock: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the expected stock beyond normal demand, at least 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (stock - mean) / spread
        smooth = (stock - mean) * ndtr(distance) + spread * np.exp(-(distance**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.minimum(np.where(spread > 0, smooth, np.maximum(stock - mean, 0.0)), stock))
