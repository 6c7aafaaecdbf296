"""The hindsight learner against the best heuristic, on the same forecasts, over a simulated shop of many products."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.censored_demand import fit_in_strata
from rl.inventory.hindsight.demand_paths import DemandPaths
from rl.inventory.hindsight.training import HindsightSettings, train_in_hindsight
from rl.inventory.policies.forecast_levels import (
    ForecastBaseStock,
    ForecastProjectedLevel,
    TunedSafety,
    fitted_variance,
    tuned_safety,
)
from rl.ope.intervals.two_way import paired_interval
from rl.shops.inventory.many_products import ManyProducts, ProductsLog, cost_per_day, simulate_products

N_BANDS = 12
TRAINING, TEST = 0.625, 0.25
SAFETIES = tuple(round(-0.6 + 0.1 * step, 1) for step in range(37))


def row(seed: int, *, shop: ManyProducts, n_updates: int) -> dict[str, Any]:
    """Return what learner and heuristics cost on the true demand of the last days, learned from those before."""
    started = time.process_time()
    log, rules = simulate_products(shop, seed=seed), shop.rules
    weeks = shop.n_days // 7
    last, first = 7 * round(weeks * (1 - TEST)), 7 * round(weeks * TRAINING)
    paths = _paths(log, slice(0, last), shop.lead_time)
    drawn = paths.drawn(np.random.default_rng(seed))
    heuristics = _heuristics(drawn, log.forecasts[:, :last], shop)
    trained = train_in_hindsight(
        paths.days(0, first),
        paths.days(first, last),
        rules,
        level=(shop.lead_time + 1) * 1.1 * paths.scale,
        settings=HindsightSettings(n_updates=n_updates),
        seed=seed,
    )
    test = slice(last, shop.n_days)
    costs = {name: cost_per_day(found.policy, log, shop, test) for name, found in heuristics.items()}
    learner = cost_per_day(trained.policy, log, shop, test)
    best = min(heuristics, key=lambda name: heuristics[name].cost)
    found = paired_interval(learner, costs[best])
    mean = float(costs[best].mean())
    return {
        "bench": "inventory",
        "method": "many products",
        "seed": seed,
        "ran_out": round(float(log.ran_out.mean()), 3),
        "hindsight": round(float(learner.mean()), 3),
        **{name: round(float(cost.mean()), 3) for name, cost in costs.items()},
        "best_heuristic": best,
        "percent_against_best": round(100 * found.value / mean, 2),
        "lower": round(100 * found.lower / mean, 2),
        "upper": round(100 * found.upper / mean, 2),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def _paths(log: ProductsLog, days: slice, lead_time: int) -> DemandPaths:
    forecast = log.forecasts[:, days, 0]
    edges = np.quantile(forecast, np.linspace(0, 1, N_BANDS + 1)[1:-1])
    strata = np.searchsorted(edges, forecast) * 2 + log.is_promoted[:, days, 0]
    sales, ran_out = log.sales[:, days], log.ran_out[:, days]
    fitted = fit_in_strata(sales.reshape(-1), ran_out.reshape(-1), strata.reshape(-1))
    return DemandPaths(sales, ran_out, strata, fitted, log.forecasts[:, days], lead_time + 1)


def _heuristics(demand: IntArray, forecasts: FloatArray, shop: ManyProducts) -> dict[str, TunedSafety[Any]]:
    variance = fitted_variance(demand, forecasts[:, :, 0])
    kinds: dict[str, Any] = {"base-stock": ForecastBaseStock, "projected level": ForecastProjectedLevel}
    return {
        name: tuned_safety(
            lambda safety, kind=kind: kind(safety, shop.lead_time, variance),
            demand,
            shop.rules,
            forecasts,
            SAFETIES,
        )
        for name, kind in kinds.items()
    }
