"""A shop of many products with weekdays, seasons and promotions, and a buyer who orders by forecast.

Everything in it is the simulation's word: demand, forecasts that are right on average and wrong on the day, and the log
that is left of it, which holds no demand that was lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import replayed
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates


@dataclass(frozen=True)
class ManyProducts:
    """What a shop is made of.

    Attributes:
        n_products: with mean demand from half a unit to some dozens a day.
        n_days: of the log; days start on a Monday.
        lead_time: days from order to arrival.
        holding_cost: of a unit over night.
        penalty: of a unit of demand that is lost.
        promotion_share: of a product's fortnights.
        forecast_error: standard deviation of the logarithm of demand's mean over its forecast, each week anew.
        extra_variance: demand's variance over its mean is 1 plus this share of the mean.
        buyer_safety: standard deviations that the buyer adds to the forecast, drawn evenly each day within one of it.
    """

    n_products: int = 60
    n_days: int = 728
    lead_time: int = 3
    holding_cost: float = 1.0
    penalty: float = 9.0
    promotion_share: float = 0.15
    forecast_error: float = 0.25
    extra_variance: float = 0.05
    buyer_safety: float = 0.8

    def __post_init__(self) -> None:
        if self.n_products < 1 or self.n_days < 7 * (self.lead_time + 1) or not 0 <= self.promotion_share <= 1:
            raise ShopError(f"no shop is like {self}; expected products, some weeks, and shares from 0 to 1")

    @property
    def rules(self) -> StockRules:
        return StockRules(self.lead_time, self.holding_cost, self.penalty)


@dataclass(frozen=True)
class ProductsLog:
    """What is known of the products, and, apart, what is true of them.

    Attributes:
        sales: units, `(n_products, n_days)`.
        ran_out: True where nothing was left over.
        forecasts: of demand on the day itself and each day until an order placed on it arrives, units,
            `(n_products, n_days, lead_time + 1)`.
        is_promoted: the same for promotions, known in advance.
        true_demand: which no log holds, `(n_products, n_days)`.
    """

    sales: IntArray
    ran_out: BoolArray
    forecasts: FloatArray
    is_promoted: BoolArray
    true_demand: IntArray


def simulate_products(shop: ManyProducts, *, seed: int) -> ProductsLog:
    """Return the log that the shop's buyer leaves."""
    generator = np.random.default_rng(seed)
    n_known = shop.n_days + shop.lead_time
    expected, promoted = expected_demand(shop, n_known, generator)
    weeks = -(-n_known // 7)
    errors = generator.normal(-(shop.forecast_error**2) / 2, shop.forecast_error, (shop.n_products, weeks))
    mean = expected * np.exp(np.repeat(errors, 7, axis=1)[:, :n_known])
    demand = drawn_demand(mean[:, : shop.n_days], shop.extra_variance, generator)
    forecasts = _ahead(expected, shop.n_days, shop.lead_time)
    safety = generator.uniform(-1, 1, (shop.n_products, shop.n_days)) + shop.buyer_safety
    buyer = _Buyer(ForecastBaseStock(0.0, shop.lead_time), shop.lead_time)
    features = np.concatenate([forecasts, safety[:, :, None]], axis=2)
    units = replayed(buyer, demand, shop.rules, features=features)
    return ProductsLog(
        sales=units.sales,
        ran_out=units.left_over == 0,
        forecasts=forecasts,
        is_promoted=_ahead(promoted.astype(np.float64), shop.n_days, shop.lead_time) > 0,
        true_demand=demand,
    )


@dataclass(frozen=True)
class _Buyer:
    """Orders by forecast, with the safety of the day, which stands in the last feature."""

    rule: ForecastBaseStock
    lead_time: int

    def order(self, states: StockStates) -> IntArray:
        if states.features is None:
            raise ShopError("the buyer orders by forecasts; there are none")
        level = self.rule.levels(states.features[:, :-1], states.features[:, -1])
        return np.maximum(np.floor(level - states.position + 0.5), 0).astype(np.int64)


def expected_demand(shop: ManyProducts, n_days: int, generator: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Return the mean demand that a forecast knows, and promotions, `(n_products, n_days)` each."""
    n, day = shop.n_products, np.arange(n_days)
    base = np.exp(generator.normal(1.6, 0.9, (n, 1))).clip(0.5, 60)
    weekday = generator.dirichlet(np.full(7, 30.0), n)[:, day % 7] * 7
    peak = generator.uniform(0, 364, (n, 1))
    season = 1 + generator.uniform(0.1, 0.6, (n, 1)) * np.cos(2 * np.pi * (day[None, :] - peak) / 364)
    promoted = np.repeat(generator.random((n, -(-n_days // 14))) < shop.promotion_share, 14, axis=1)[:, :n_days]
    lift = np.where(promoted, generator.uniform(1.5, 3.0, (n, 1)), 1.0)
    return base * weekday * season * lift, promoted


def drawn_demand(mean: FloatArray, extra_variance: float, generator: np.random.Generator) -> IntArray:
    """Return demand around its mean, Poisson where there is no extra variance, else negative binomial."""
    if extra_variance <= 0:
        return generator.poisson(mean).astype(np.int64)
    return generator.poisson(generator.gamma(1 / extra_variance, mean * extra_variance)).astype(np.int64)


def _ahead(values: FloatArray, n_days: int, lead_time: int) -> FloatArray:
    """Return each day's value with those of the days until an order arrives, `(n_products, n_days, lead_time + 1)`."""
    return np.stack([values[:, ahead : ahead + n_days] for ahead in range(lead_time + 1)], axis=2)


def cost_per_day(policy: OrderingPolicy, log: ProductsLog, shop: ManyProducts, days: slice) -> FloatArray:
    """Return what the policy costs on true demand, each product and day, in money, `(n_products, n_days)`."""
    units = replayed(policy, log.true_demand[:, days], shop.rules, features=log.forecasts[:, days])
    return units.cost(shop.rules)
