"""By how much the fitted 90% quantile of demand is off where days ran out, over logs whose true demand is known.

A buyer stocks up for promotions, and orders around a forecast that is right on average. Demand is fitted in strata
(promotion or none), pooled, and in the two ways that ask for no method: sales taken for demand, and days that ran out
left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.inventory.censored_demand import fit_demand, fit_in_strata
from rl.inventory.demand import DemandDistribution

SHARE = 0.9
# Mean and variance of a day's demand without and with promotion; stock as shares of the mean.
LAWS = {0: (20.0, 40.0), 1: (50.0, 130.0)}
STOCKED = {"well stocked": (0.9, 1.8), "tight": (0.7, 1.45), "hardly ever enough": (0.5, 1.25)}
PROMOTION_SHARE = 0.3


def rows(*, n_logs: int, n_days: int = 2000) -> list[dict[str, Any]]:
    """Return one row for each way to stock and each stratum, with biases in percent of the true quantile."""
    found = []
    for number, (name, (low, high)) in enumerate(STOCKED.items()):
        ratios: dict[tuple[int, str], list[float]] = {}
        ran_out: dict[int, list[float]] = {stratum: [] for stratum in LAWS}
        for seed in range(n_logs):
            sales, is_out, strata = _log(np.random.default_rng([number, seed]), n_days, low, high)
            for stratum, ways in _quantiles(sales, is_out, strata).items():
                true = _law(stratum).quantile(SHARE)
                ran_out[stratum].append(float(is_out[strata == stratum].mean()))
                for way, quantile in ways.items():
                    ratios.setdefault((stratum, way), []).append(quantile / true - 1)
        for stratum in LAWS:
            biases = {
                way: {
                    "bias_percent": round(100 * float(np.mean(values)), 2),
                    "spread_percent": round(100 * float(np.std(values)), 2),
                }
                for (own, way), values in ratios.items()
                if own == stratum
            }
            found.append(
                {
                    "bench": "inventory",
                    "method": "censoring",
                    "stocked": name,
                    "stratum": "promotion" if stratum else "no promotion",
                    "ran_out": round(float(np.mean(ran_out[stratum])), 3),
                    "logs": n_logs,
                    "days": n_days,
                }
                | biases
            )
    return found


def _log(generator: np.random.Generator, n_days: int, low: float, high: float) -> tuple[IntArray, BoolArray, IntArray]:
    strata = (generator.random(n_days) < PROMOTION_SHARE).astype(np.int64)
    demand, forecast = np.zeros(n_days, dtype=np.int64), np.zeros(n_days)
    for stratum, (mean, _) in LAWS.items():
        own = strata == stratum
        demand[own] = _law(stratum).draw(int(own.sum()), generator)
        forecast[own] = mean
    stock = np.round(forecast * generator.uniform(low, high, n_days)).astype(np.int64)
    return np.minimum(demand, stock), demand >= stock, strata


def _quantiles(sales: IntArray, ran_out: BoolArray, strata: IntArray) -> dict[int, dict[str, float]]:
    pooled = fit_demand(sales, ran_out).distribution.quantile(SHARE)
    fitted = fit_in_strata(sales, ran_out, strata)
    return {
        stratum: {
            "in strata": fit.distribution.quantile(SHARE),
            "pooled": pooled,
            "sales as demand": float(np.quantile(sales[strata == stratum], SHARE)),
            "days that ran out left out": float(np.quantile(sales[(strata == stratum) & ~ran_out], SHARE)),
        }
        for stratum, fit in fitted.items()
    }


def _law(stratum: int) -> DemandDistribution:
    return DemandDistribution.negative_binomial(*LAWS[stratum])
