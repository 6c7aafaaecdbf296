"""By how much demand of a night's days that ran out is off: what is drawn for them in sum, and the fitted 90% quantile.

Days are of products of half a unit to 40 a day, whose stock is drawn evenly between two shares of their forecast.
True demand is Poisson, negative binomial (with variance m + m^2/4), lumpy as in `censoring`, or Poisson around
forecasts that are wrong by 25% for seven days each. Quantiles are of demand over its forecast, by band of forecasts:
all fitted demand beside all true demand, on the same days.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.censored_demand import Tail
from rl.orders.demand_laws import DemandLaws, LawDays, fit_laws
from tests.bench.inventory.censoring import LUMPY_FACTOR, LUMPY_SHARE, SHARE

KINDS = ("negative binomial", "Poisson", "forecasts wrong by 25%", "lumpy")
LEAST_STOCKED, MOST_STOCKED = 0.4, (3.0, 2.0, 1.6, 1.25)
TAILS: tuple[Tail, ...] = ("negative_binomial", "geometric", "at_bound")
N_DRAWS = 10  # of all days, behind each quantile


def rows(*, n_logs: int, n_days: int = 6000) -> list[dict[str, Any]]:
    """Return one row for each law of demand, most stock and tail, with biases in percent and their spread over logs."""
    return [row for kind in KINDS for most in MOST_STOCKED for row in _rows(kind, most, n_logs, n_days)]


def _rows(kind: str, most_stocked: float, n_logs: int, n_days: int) -> list[dict[str, Any]]:
    found: dict[Tail, list[dict[str, Any]]] = {tail: [] for tail in TAILS}
    for seed in range(n_logs):
        days, demand, means = _log(np.random.default_rng([seed, 7]), kind, most_stocked, n_days)
        true = _in_forecasts(_demand(np.random.default_rng([seed, 8]), kind, np.tile(means, N_DRAWS)), days)
        for tail, biases in found.items():
            biases.append(_biases(fit_laws(days, tail=tail), days, demand, true))
    named = {"bench": "inventory", "method": "night_demand", "demand": kind, "most_stocked": most_stocked}
    return [named | {"tail": tail, "logs": n_logs, "days": n_days} | _told(biases) for tail, biases in found.items()]


def _log(
    generator: np.random.Generator, kind: str, most_stocked: float, n: int
) -> tuple[LawDays, IntArray, FloatArray]:
    """Return days, their true demand and its mean."""
    forecasts = np.exp(generator.uniform(np.log(0.5), np.log(40), n))
    errors = np.exp(generator.normal(-(0.25**2) / 2, 0.25, n // 7 + 1))[np.arange(n) // 7]
    means = forecasts * errors if "25%" in kind else forecasts
    demand = _demand(generator, kind, means)
    stock = np.floor(forecasts * generator.uniform(LEAST_STOCKED, most_stocked, n) + 1).astype(np.int64)
    week = np.arange(n, dtype=np.int64) // 100
    days = LawDays(np.minimum(demand, stock), demand >= stock, forecasts, np.zeros(n, dtype=bool), week)
    return days, demand, means


def _demand(generator: np.random.Generator, kind: str, means: FloatArray) -> IntArray:
    if kind == "negative binomial":
        means = generator.gamma(4, means / 4)
    elif kind == "lumpy":
        lumps = np.where(generator.random(len(means)) < LUMPY_SHARE, LUMPY_FACTOR, 1.0)
        means = means * lumps / (1 - LUMPY_SHARE + LUMPY_SHARE * LUMPY_FACTOR)
    return generator.poisson(means)


def _in_forecasts(demand: IntArray, days: LawDays) -> FloatArray:
    return np.asarray(demand / np.tile(days.forecasts, N_DRAWS))


def _biases(laws: DemandLaws, days: LawDays, demand: IntArray, true: FloatArray) -> dict[str, Any]:
    """Return figures of one log, as shares; quantiles by the bands of the laws."""
    generator = np.random.default_rng(0)
    drawn = [
        laws.completed(days.sold, days.ran_out, days.forecasts, days.is_promoted, generator).sum() for _ in range(5)
    ]
    forecasts, is_promoted = np.tile(days.forecasts, N_DRAWS), np.tile(days.is_promoted, N_DRAWS)
    nothing = np.zeros(len(forecasts), dtype=np.int64)
    all_out = laws.completed(nothing, np.ones_like(is_promoted), forecasts, is_promoted, generator)
    fitted, strata = _in_forecasts(all_out, days), laws.strata(forecasts, is_promoted)
    more = float(np.mean(drawn)) - float(demand.sum())
    return {
        "ran_out": float(days.ran_out.mean()),
        "declared": laws.declared_chance(days.forecasts, days.is_promoted),
        "sum": more / float(demand.sum()),
        "sum_of_days_that_ran_out": more / float(demand[days.ran_out].sum()),
        "quantile": _ratio(fitted, true),
        "quantile_by_band": [
            _ratio(fitted[strata == one], true[strata == one]) for one in np.unique(laws.stratum).tolist()
        ],
    }


def _ratio(fitted: FloatArray, true: FloatArray) -> float:
    return float(np.quantile(fitted, SHARE) / np.quantile(true, SHARE)) - 1


def _told(logs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over logs in percent, and how far single logs are from them."""
    told: dict[str, Any] = {}
    for name in logs[0]:
        values = 100 * np.array([log[name] for log in logs])
        told[f"{name}_percent"] = np.round(values.mean(axis=0), 1).tolist()
        if name not in ("ran_out", "declared"):
            told[f"{name}_spread"] = np.round(values.std(axis=0), 1).tolist()
    return told
