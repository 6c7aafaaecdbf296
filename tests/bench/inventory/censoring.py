"""By how much the fitted 90% quantile of demand is off where days ran out, over logs whose true demand is known.

A buyer stocks up for promotions, and orders around a forecast that is right on average. Demand is fitted in strata
(promotion or none) with each tail that may be declared, pooled, and in the two ways that ask for no method: sales taken
for demand, and days that ran out left out. True demand is negative binomial, or lumpy: a fifth of days asks for more
than twice as much as the others, which no negative binomial law describes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.inventory.censored_demand import Tail, fit_demand, fit_in_strata
from rl.inventory.demand import DemandDistribution

SHARE = 0.9
# Mean and variance of a day's demand without and with promotion; stock as shares of the mean.
LAWS = {0: (20.0, 40.0), 1: (50.0, 130.0)}
LUMPY_SHARE, LUMPY_FACTOR = 0.2, 2.2
KINDS = ("negative binomial", "lumpy")
STOCKED = {"well stocked": (0.9, 1.8), "tight": (0.7, 1.45), "hardly ever enough": (0.5, 1.25)}
PROMOTION_SHARE = 0.3


def rows(*, n_logs: int, n_days: int = 2000) -> list[dict[str, Any]]:
    """Return one row for each law, way to stock and stratum, with biases in percent of the true quantile."""
    return [row for kind in KINDS for row in _rows(kind, n_logs, n_days)]


def _rows(kind: str, n_logs: int, n_days: int) -> list[dict[str, Any]]:
    found = []
    laws = {stratum: _law(kind, stratum) for stratum in LAWS}
    for number, (name, (low, high)) in enumerate(STOCKED.items()):
        ratios: dict[tuple[int, str], list[float]] = {}
        ran_out: dict[int, list[float]] = {stratum: [] for stratum in LAWS}
        for seed in range(n_logs):
            sales, is_out, strata = _log(np.random.default_rng([number, seed]), laws, n_days, (low, high))
            for stratum, ways in _quantiles(sales, is_out, strata).items():
                true = laws[stratum].quantile(SHARE)
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
                    "demand": kind,
                    "stocked": name,
                    "stratum": "promotion" if stratum else "no promotion",
                    "ran_out": round(float(np.mean(ran_out[stratum])), 3),
                    "logs": n_logs,
                    "days": n_days,
                }
                | biases
            )
    return found


def _log(
    generator: np.random.Generator, laws: dict[int, DemandDistribution], n_days: int, stocked: tuple[float, float]
) -> tuple[IntArray, BoolArray, IntArray]:
    strata = (generator.random(n_days) < PROMOTION_SHARE).astype(np.int64)
    demand, forecast = np.zeros(n_days, dtype=np.int64), np.zeros(n_days)
    for stratum, (mean, _) in LAWS.items():
        own = strata == stratum
        demand[own] = laws[stratum].draw(int(own.sum()), generator)
        forecast[own] = mean
    stock = np.round(forecast * generator.uniform(*stocked, n_days)).astype(np.int64)
    return np.minimum(demand, stock), demand >= stock, strata


def _quantiles(sales: IntArray, ran_out: BoolArray, strata: IntArray) -> dict[int, dict[str, float]]:
    pooled = fit_demand(sales, ran_out).distribution.quantile(SHARE)
    tails: tuple[Tail, ...] = ("negative_binomial", "geometric", "at_bound")
    fitted = {tail: fit_in_strata(sales, ran_out, strata, tail=tail) for tail in tails}
    return {
        stratum: {
            **{f"in strata, {tail}": fitted[tail][stratum].distribution.quantile(SHARE) for tail in tails},
            "pooled": pooled,
            "sales as demand": float(np.quantile(sales[strata == stratum], SHARE)),
            "days that ran out left out": float(np.quantile(sales[(strata == stratum) & ~ran_out], SHARE)),
        }
        for stratum in fitted[tails[0]]
    }


def _law(kind: str, stratum: int) -> DemandDistribution:
    mean, variance = LAWS[stratum]
    if kind == "negative binomial":
        return DemandDistribution.negative_binomial(mean, variance)
    usual = mean / (1 - LUMPY_SHARE + LUMPY_SHARE * LUMPY_FACTOR)
    parts = [
        DemandDistribution.poisson(usual).probabilities,
        DemandDistribution.poisson(usual * LUMPY_FACTOR).probabilities,
    ]
    chances = np.zeros(len(parts[1]))
    chances[: len(parts[0])] = (1 - LUMPY_SHARE) * parts[0]
    return DemandDistribution(np.asarray(chances + LUMPY_SHARE * parts[1]))
