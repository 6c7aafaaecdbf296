"""The hindsight learner against the best heuristic, given the same forecasts, over a simulated shop of many products.

Both keep the shared storage in the same way, and have their price of room from the same days. The learner reads sales
of the last days beside the forecasts, as a correction that it fits to the log first (`forecast_correction`); heuristics
that are handed its corrected forecasts are reported, too, so that what the network adds stands by itself. Nothing that
is learned or chosen looks at the judged days.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import norm

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.censored_demand import fit_in_strata
from rl.inventory.clairvoyant import clairvoyant_bound
from rl.inventory.forecast_correction import ForecastCorrection, fit_correction
from rl.inventory.hindsight.demand_paths import DemandPaths
from rl.inventory.hindsight.forecast_features import forecast_features, forecast_line, with_weekdays
from rl.inventory.hindsight.priced_hindsight import PricedHindsight
from rl.inventory.hindsight.target_network import HindsightPolicy
from rl.inventory.hindsight.training import HindsightSettings, train_in_hindsight
from rl.inventory.on_the_way import drawn_waits
from rl.inventory.policies.forecast_levels import ForecastBaseStock, ForecastProjectedLevel, fitted_variance
from rl.inventory.replay import replayed
from rl.inventory.shared_room import PricedSafety, best_price
from rl.inventory.stock import OrderingPolicy
from rl.ope.intervals.two_way import paired_interval
from rl.shops.inventory.many_products import (
    ManyProducts,
    ProductsLog,
    days_over_limit,
    simulate_products,
    true_units,
)

N_BANDS = 12
TRAINING, TEST = 0.625, 0.25
OFFSETS = (-1.2, -0.8, -0.4, 0.0, 0.4)
TUNING_DAYS = 182
N_DRAWS = 3
PRICES = (0.0, 0.02, 0.05, 0.1, 0.2)
KINDS: dict[str, Any] = {"base-stock": ForecastBaseStock, "projected level": ForecastProjectedLevel}
SETTINGS = HindsightSettings(hidden_units=(32, 32), n_updates=500, learning_rate=2e-3)

Costs = Callable[[OrderingPolicy], float]


@dataclass(frozen=True)
class Learning:
    """The days that may be learned from, and how policies are told apart on them.

    Attributes:
        shop: its rules.
        log: of the shop; its true demand isn't looked at.
        forecasts: what policies are told, of all days, `(n_products, n_days, lead_time + 1)`.
        n_training: days for gradients.
        n_days: days for gradients, and after them those that choose.
        seed: of draws.
    """

    shop: ManyProducts
    log: ProductsLog
    forecasts: FloatArray
    n_training: int
    n_days: int
    seed: int

    def paths(self, variance: tuple[float, float]) -> DemandPaths:
        """Return the days for the learner, all products in strata by forecast and promotion."""
        log, days = self.log, slice(0, self.n_days)
        forecast = self.forecasts[:, days, 0]
        edges = np.quantile(forecast, np.linspace(0, 1, N_BANDS + 1)[1:-1])
        strata = np.searchsorted(edges, forecast) * 2 + log.is_promoted[:, days, 0]
        sales, ran_out = log.sales[:, days], log.ran_out[:, days]
        fitted = fit_in_strata(sales.reshape(-1), ran_out.reshape(-1), strata.reshape(-1))
        return DemandPaths(
            sales,
            ran_out,
            strata,
            fitted,
            self.features(variance)[:, days],
            self.shop.lead_time + 1,
            wait_shares=log.known_wait_shares,
        )

    def features(self, variance: tuple[float, float]) -> FloatArray:
        """Return what the learner sees of all days, `(n_products, n_days, lead_time + 10)`."""
        found = forecast_features(self.forecasts, variance, wait_variance=self.shop.wait_variance)
        return with_weekdays(found)

    def corrected(self, demand: FloatArray) -> tuple[Learning, ForecastCorrection]:
        """Return the same days with forecasts that follow their errors, and how they do.

        Args:
            demand: of the days that may be learned from, units, `(n_products, n_days)`.
        """
        log, known = self.log, slice(0, self.n_days)
        found = fit_correction(
            self.forecasts[:, known], log.sales[:, known], log.ran_out[:, known], demand, n_training=self.n_training
        )
        return replace(self, forecasts=found.corrected(self.forecasts, log.sales, log.ran_out)), found

    def waits(self) -> IntArray | None:
        """Return waits drawn by what the log tells of them, `(n_products, n_days)`."""
        shares, generator = self.log.known_wait_shares, np.random.default_rng([self.seed, 2])
        if shares is None:
            return None
        return drawn_waits(shares, self.shop.lead_time, (self.shop.n_products, self.n_days), generator)

    def costs(self, demand: IntArray, features: FloatArray, days: slice) -> Costs:
        """Return what a policy costs on demand that was fitted to the log and drawn where it ran out."""
        waits = self.waits()
        rules = self.shop.rules

        def cost(policy: OrderingPolicy) -> float:
            units = replayed(
                policy,
                demand[:, days],
                rules,
                features=features[:, days],
                waits=None if waits is None else waits[:, days],
            )
            return float(units.cost(rules).mean())

        return cost

    @property
    def highest(self) -> float:
        """The price of room at which no unit is worth keeping."""
        return self.shop.penalty

    @property
    def prices(self) -> tuple[float, ...]:
        return (0.0,) if self.log.limit is None else PRICES


def row(seed: int, *, shop: ManyProducts, settings: HindsightSettings = SETTINGS, name: str = "full") -> dict[str, Any]:
    """Return what learner and heuristics cost on the true demand of the last days, learned from those before."""
    started = time.process_time()
    log, weeks = simulate_products(shop, seed=seed), shop.n_days // 7
    last, first = 7 * round(weeks * (1 - TEST)), 7 * round(weeks * TRAINING)
    learning = Learning(shop, log, log.forecasts, first, last, seed)
    variance = _variance(learning)
    drawn = learning.paths(variance).drawn(np.random.default_rng(seed))
    tuned = {kind: _tuned(learning, kind, drawn, variance) for kind in KINDS}
    draws = [_drawn(learning, draw) for draw in range(N_DRAWS)]
    corrected, correction = learning.corrected(np.mean(draws, axis=0))
    corrected_variance = _variance(corrected)
    features = corrected.features(corrected_variance)
    paths = corrected.paths(corrected_variance)
    redrawn = paths.drawn(np.random.default_rng(seed))
    retuned = {kind: _tuned(corrected, kind, redrawn, corrected_variance) for kind in KINDS}
    safety = float(norm.ppf(shop.rules.critical_ratio)) + retuned["base-stock"][2]["offset"]
    learner, told = _learned(corrected, paths, redrawn, features, settings, safety)
    test = slice(last, shop.n_days)
    units = {kind: true_units(policy, log, shop, test) for kind, (policy, _, _) in tuned.items()}
    for kind, (policy, _, _) in retuned.items():
        units[f"{kind}, corrected"] = true_units(policy, log, shop, test, corrected.forecasts)
    units["hindsight"] = true_units(learner, log, shop, test, features)
    costs = {name: found.cost(shop.rules) for name, found in units.items()}
    best = min(tuned, key=lambda kind: tuned[kind][1])
    best_corrected = min(retuned, key=lambda kind: retuned[kind][1]) + ", corrected"
    blocks = "products_and_weeks" if log.limit is None else "weeks"
    found = paired_interval(costs["hindsight"], costs[best], blocks=blocks)
    beside = paired_interval(costs["hindsight"], costs[best_corrected], blocks=blocks)
    mean, mean_corrected = float(costs[best].mean()), float(costs[best_corrected].mean())
    oracle = Learning(shop, log, log.true_means, first, last, seed)
    knowing = _tuned(oracle, "base-stock", drawn, _variance(oracle))[0]
    waits = None if log.waits is None else log.waits[:, test]
    opening = np.repeat(
        np.maximum(np.round(log.true_demand[:, test].mean(axis=1)), 1)[:, None], shop.lead_time, axis=1
    ).astype(np.int64)
    return {
        "bench": "inventory",
        "method": "many products",
        "shop": name,
        "seed": seed,
        "ran_out": round(float(log.ran_out.mean()), 3),
        **{name: round(float(cost.mean()), 3) for name, cost in costs.items()},
        "best_heuristic": best,
        "percent_against_best": round(100 * found.value / mean, 2),
        "lower": round(100 * found.lower / mean, 2),
        "upper": round(100 * found.upper / mean, 2),
        "best_corrected_heuristic": best_corrected,
        "percent_against_corrected": round(100 * beside.value / mean_corrected, 2),
        "lower_against_corrected": round(100 * beside.lower / mean_corrected, 2),
        "upper_against_corrected": round(100 * beside.upper / mean_corrected, 2),
        "independent": blocks.replace("_", " "),
        "knows_the_week": round(float(true_units(knowing, log, shop, test, log.true_means).cost(shop.rules).mean()), 3),
        "clairvoyant": round(
            clairvoyant_bound(
                log.true_demand[:, test],
                shop.rules,
                opening=opening,
                waits=waits,
                room=None if log.limit is None else log.room,
                limit=log.limit,
            ),
            3,
        ),
        "service": {name: round(found.service, 4) for name, found in units.items()},
        "days_over_limit": {name: days_over_limit(found, log) for name, found in units.items()},
        "days_at_limit": {name: _days_near_limit(found.positions, log) for name, found in units.items()},
        "numbers": {kind: numbers for kind, (_, _, numbers) in tuned.items()}
        | {f"{kind}, corrected": numbers for kind, (_, _, numbers) in retuned.items()}
        | {"hindsight": told, "correction": {"steadiness": correction.steadiness}},
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def _variance(learning: Learning) -> tuple[float, float]:
    """Return the variance of demand around the forecasts, on days that didn't run out and, drawn, on those that did."""
    days = slice(0, learning.n_days)
    return fitted_variance(_drawn(learning, 0), learning.forecasts[:, days, 0])


def _drawn(learning: Learning, draw: int) -> IntArray:
    """Return demand of the days that may be learned from, drawn on those that ran out, `(n_products, n_days)`."""
    more = [draw] if draw else []
    return learning.paths((1.0, 0.0)).drawn(np.random.default_rng([learning.seed, 3, *more]))


def _tuned(
    learning: Learning, kind: str, demand: IntArray, variance: tuple[float, float]
) -> tuple[OrderingPolicy, float, dict[str, float]]:
    """Return the heuristic of least cost on the last days for learning, its cost, and its numbers.

    Its safety is searched coarsely without a price of room, then the price, then the safety again around it.
    """
    shop, log = learning.shop, learning.log
    cost = learning.costs(demand, learning.forecasts, slice(learning.n_days - TUNING_DAYS, learning.n_days))
    seen: dict[tuple[float, float], float] = {}

    def policy(offset: float, price: float) -> OrderingPolicy:
        priced = PricedSafety(
            lambda safety: KINDS[kind](safety, shop.lead_time, variance, shop.wait_variance),
            shop.rules,
            log.room,
            offset,
        )
        return log.within(priced, price, learning.highest)

    def at(offset: float, price: float) -> float:
        key = round(offset, 2), price
        if key not in seen:
            seen[key] = cost(policy(*key))
        return seen[key]

    def finest(price: float, offset: float, step: float) -> float:
        return min((offset + step * k for k in (-1, 0, 1)), key=lambda one: at(one, price))

    offset = min(OFFSETS, key=lambda one: at(one, 0.0))
    price = best_price(lambda price: at(offset, price), learning.prices)[0]
    for step in (0.2, 0.1, 0.05):
        offset = finest(price, offset, step)
    (offset, price), least = min(seen.items(), key=lambda item: item[1])
    return policy(offset, price), least, {"offset": offset, "price": price}


def _learned(
    learning: Learning,
    paths: DemandPaths,
    demand: IntArray,
    features: FloatArray,
    settings: HindsightSettings,
    safety: float,
) -> tuple[OrderingPolicy, dict[str, float]]:
    """Return the trained network within the storage, at the price that costs least on the days that choose.

    Before training it is base-stock on the forecasts with the given safety.
    """
    shop, log = learning.shop, learning.log
    cost = learning.costs(demand, features, slice(learning.n_training, learning.n_days))

    def within(policy: HindsightPolicy, price: float) -> OrderingPolicy:
        if log.limit is None:
            return policy
        priced = PricedHindsight(policy, shop.rules, log.room)
        return log.within(priced, price, learning.highest)

    trained = train_in_hindsight(
        paths.days(0, learning.n_training),
        paths.days(learning.n_training, learning.n_days),
        shop.rules,
        level=0.0,
        settings=settings,
        seed=learning.seed,
        line=forecast_line(shop.lead_time + paths.n_features, shop.lead_time, safety),
        judge=lambda policy: cost(within(policy, 0.0)),
    )
    price, least = best_price(lambda price: cost(within(trained.policy, price)), learning.prices)
    return within(trained.policy, price), {"price": price, "update": trained.update, "cost": round(least, 3)}


def _days_near_limit(positions: IntArray, log: ProductsLog) -> float:
    """Return the share of days on which 99% of the storage or more is taken."""
    if log.limit is None:
        return 0.0
    return round(float(np.mean(log.room @ positions >= 0.99 * log.limit)), 3)
