"""A shop of many products with weekdays, seasons and promotions, and a buyer who orders by forecast.

Everything in it is the simulation's word: demand, forecasts that are right on average and wrong on the day, and the log
that is left of it, which holds no demand that was lost. Orders may come early or late, and all products may share a
storage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.inventory.on_the_way import drawn_waits
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.shared_room import PricedPolicy, SharedRoom
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates

_BUYERS_HIGHEST = 1.0
_FORTNIGHTS = 61


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
        lead_shares: of orders that come a day early, as promised, a day late, and so on; None where all come as
            promised.
        storage_days: what fits into the storage, stock and all that is on the way together, in days of all products'
            usual demand; None for no limit.
        largest_room: that a unit takes; each product's is drawn evenly from 1 to this.
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
    lead_shares: tuple[float, ...] | None = None
    storage_days: float | None = None
    largest_room: int = 4

    def __post_init__(self) -> None:
        if self.n_products < 1 or self.n_days < 7 * (self.lead_time + 1) or not 0 <= self.promotion_share <= 1:
            raise ShopError(f"no shop is like {self}; expected products, some weeks, and shares from 0 to 1")

        if self.storage_days is not None and self.storage_days < self.lead_time + 1:
            raise ShopError(
                f"{self.storage_days} days of storage are less than an order waits; expected {self.lead_time + 1}"
            )

    @property
    def rules(self) -> StockRules:
        return StockRules(self.lead_time, self.holding_cost, self.penalty)

    @property
    def wait_variance(self) -> float:
        """Variance of the days from order to arrival."""
        if self.lead_shares is None:
            return 0.0
        shares, days = np.array(self.lead_shares) / sum(self.lead_shares), np.arange(len(self.lead_shares))
        return float(shares @ days**2 - (shares @ days) ** 2)


FULL_SHOP = ManyProducts(lead_shares=(0.15, 0.6, 0.2, 0.05), storage_days=5.0)
"""Everything at once: seasons, promotions, lost sales, orders that come early or late, a storage that all share."""


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
        true_means: what forecasts of the same shape would say who knew each week's error.
        ordered: units, `(n_products, n_days)`.
        waits: days from order to arrival; the log tells those of days with an order, `(n_products, n_days)`. None where
            all come as promised.
        room: that a unit takes in the storage, `(n_products,)`.
        limit: of the storage; None where there is none.
    """

    sales: IntArray
    ran_out: BoolArray
    forecasts: FloatArray
    is_promoted: BoolArray
    true_demand: IntArray
    true_means: FloatArray
    ordered: IntArray
    waits: IntArray | None
    room: IntArray
    limit: int | None

    @property
    def known_wait_shares(self) -> FloatArray | None:
        """Shares of logged orders that came a day early, as promised, a day late, and so on."""
        if self.waits is None:
            return None
        early = self.forecasts.shape[2] - 2  # days from order to arrival of what comes a day early
        counts = np.bincount(np.maximum(self.waits[self.ordered > 0] - early, 0))
        return np.asarray(counts / counts.sum())

    def within(self, policy: PricedPolicy, price: float, highest: float) -> OrderingPolicy:
        """Return the policy at a usual price of room, its orders within the storage where there is one."""
        limit = np.iinfo(np.int64).max // 4 if self.limit is None else self.limit
        return SharedRoom(policy, self.room, limit, price, highest)


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
    # Of a stream of their own: a shop without them has the same demand.
    more = np.random.default_rng([seed, 1])
    room = more.integers(1, shop.largest_room, shop.n_products, endpoint=True)
    shares = None if shop.lead_shares is None else np.array(shop.lead_shares)
    waits = None if shares is None else drawn_waits(shares, shop.lead_time, demand.shape, more)
    limit = None if shop.storage_days is None else int(shop.storage_days * float(room @ expected.mean(axis=1)))
    order: OrderingPolicy = buyer
    if limit is not None:
        order = SharedRoom(_CarelessBuyer(buyer), room, limit, 0.0, _BUYERS_HIGHEST)
    units = replayed(order, demand, shop.rules, features=features, waits=waits)
    return ProductsLog(
        sales=units.sales,
        ran_out=units.left_over == 0,
        forecasts=forecasts,
        is_promoted=_ahead(promoted.astype(np.float64), shop.n_days, shop.lead_time) > 0,
        true_demand=demand,
        true_means=_ahead(mean, shop.n_days, shop.lead_time),
        ordered=units.order,
        waits=waits,
        room=room,
        limit=limit,
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


@dataclass(frozen=True)
class _CarelessBuyer:
    """The buyer where all orders don't fit: each product's is cut alike."""

    buyer: _Buyer

    def order_at(self, states: StockStates, price: float) -> IntArray:
        orders = self.buyer.order(states)
        return np.asarray(np.floor(orders * (1 - price / _BUYERS_HIGHEST)), dtype=np.int64)


def expected_demand(
    shop: ManyProducts, n_days: int, generator: np.random.Generator, *, n_more: int = 0, more_seed: int = 0
) -> tuple[FloatArray, BoolArray]:
    """Return the mean demand that a forecast knows, and promotions, `(n_products, n_days + n_more)` each.

    Args:
        shop: what it is made of.
        n_days: drawn together.
        generator: source of their chance.
        n_more: days behind them, which change none of them.
        more_seed: of the promotions of further fortnights, each of which has a chance of its own.
    """
    n, day = shop.n_products, np.arange(n_days + n_more)
    base = np.exp(generator.normal(1.6, 0.9, (n, 1))).clip(0.5, 60)
    weekday = generator.dirichlet(np.full(7, 30.0), n)[:, day % 7] * 7
    peak = generator.uniform(0, 364, (n, 1))
    season = 1 + generator.uniform(0.1, 0.6, (n, 1)) * np.cos(2 * np.pi * (day[None, :] - peak) / 364)
    fortnights = -(-n_days // 14)
    chance = [generator.random((n, fortnights))]
    further = range(fortnights, -(-len(day) // 14))
    chance += [np.random.default_rng([more_seed, _FORTNIGHTS, one]).random((n, 1)) for one in further]
    promoted = np.repeat(np.concatenate(chance, axis=1) < shop.promotion_share, 14, axis=1)[:, : len(day)]
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


def true_units(
    policy: OrderingPolicy, log: ProductsLog, shop: ManyProducts, days: slice, features: FloatArray | None = None
) -> ReplayedUnits:
    """Return what the policy does on true demand and true waits.

    Args:
        policy: seen with forecasts, or with the given features.
        log: of the shop.
        shop: its rules.
        days: that are replayed.
        features: of all days, `(n_products, n_days, n_features)`; None for the forecasts.
    """
    waits = None if log.waits is None else log.waits[:, days]
    shown = log.forecasts if features is None else features
    return replayed(policy, log.true_demand[:, days], shop.rules, features=shown[:, days], waits=waits)


def cost_per_day(policy: OrderingPolicy, log: ProductsLog, shop: ManyProducts, days: slice) -> FloatArray:
    """Return what the policy costs on true demand, each product and day, in money, `(n_products, n_days)`."""
    return true_units(policy, log, shop, days).cost(shop.rules)


def days_over_limit(units: ReplayedUnits, log: ProductsLog) -> int:
    """Return the number of days on which stock and orders take more room than there is; 0 where there is no limit."""
    return 0 if log.limit is None else int(np.count_nonzero(log.room @ units.positions > log.limit))
