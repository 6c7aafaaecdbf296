"""The hindsight learner against the best fitted baseline on a real log's demand, over a declared stock simulation.

Learned and chosen on the first nine months, judged on the rest by a replay. The log counts no stock and tells no cost
of goods: both are declared, and every row says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.censored_demand import fit_demand
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.demand_forecasts import best_rate, forecasts_ahead, smoothed_levels, weekday_shares
from rl.inventory.hindsight.demand_paths import DemandPaths
from rl.inventory.hindsight.forecast_features import forecast_features, forecast_line
from rl.inventory.hindsight.training import HindsightSettings, train_in_hindsight
from rl.inventory.policies.forecast_levels import ForecastBaseStock, ForecastProjectedLevel, fitted_variance
from rl.inventory.replay import replayed
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates
from rl.ope.intervals.two_way import paired_interval
from tests.bench.inventory.real_days import RealDays, read_days

N_PRODUCTS = 200
LEAD_TIME, HOLDING_COST, PENALTY = 3, 1.0, 9.0
FIRST_CHOOSING, FIRST_JUDGED = date(2011, 7, 1), date(2011, 9, 1)
RATES = (0.01, 0.02, 0.04, 0.08, 0.16)
SAFETIES = tuple(round(-0.8 + 0.1 * step, 1) for step in range(29))
SHARES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97)
N_FIRST = 28
DECLARED_SAFETY, DECLARED_DAYS = 1.3, 28
SETTINGS = HindsightSettings(hidden_units=(32, 32), n_updates=300, learning_rate=1e-3)

Costs = Callable[[OrderingPolicy], float]


@dataclass(frozen=True)
class OwnLevels:
    """Base-stock at each product's own level, which no forecast moves.

    Attributes:
        levels: units, `(n_products,)`.
    """

    levels: IntArray

    def order(self, states: StockStates) -> IntArray:
        return np.asarray(np.maximum(self.levels - states.position, 0))


@dataclass(frozen=True)
class Known:
    """Demand of the products, and what is known of it each morning; all fitted to days before the judged ones.

    Attributes:
        days: the log.
        forecasts: of the day and those until an order arrives, `(n_products, n_days, LEAD_TIME + 1)`.
        features: forecasts first, `(n_products, n_days, n_features)`.
        variance: of demand around forecasts.
        weight: price of a unit over the mean one's, `(n_products,)`.
        choosing, judged: index of the first of the days that choose, and of those that judge.
        rate: of the forecasts' smoothing.
    """

    days: RealDays
    forecasts: FloatArray
    features: FloatArray
    variance: tuple[float, float]
    weight: FloatArray
    choosing: int
    judged: int
    rate: float

    def cost(self, policy: OrderingPolicy, days: slice, opening: IntArray | None = None) -> FloatArray:
        """Return what a policy costs on days, in units held of the mean price, `(n_products, n_days)`."""
        units = replayed(policy, self.days.units[:, days], RULES, features=self.features[:, days], opening=opening)
        return np.asarray(units.cost(RULES) * self.weight[:, None])


RULES = StockRules(LEAD_TIME, HOLDING_COST, PENALTY)


def rows(folder: Path, *, seeds: Sequence[int], settings: HindsightSettings = SETTINGS) -> list[dict[str, Any]]:
    """Return one row for each seed of the learner."""
    known = known_of(read_days(folder))
    return [_row(known, seed, settings) for seed in seeds]


def known_of(log: RealDays) -> Known:
    """Return forecasts and features of the products that sold most before the judged days."""
    choosing, judged = log.day(FIRST_CHOOSING), log.day(FIRST_JUDGED)
    days = log.most_sold(N_PRODUCTS, judged)
    before = slice(0, judged)
    units, weekday, is_open = days.units, days.weekday, days.is_open
    shares = weekday_shares(units[:, before], weekday[before], is_open[before])
    rate = best_rate(
        units[:, before], shares, weekday[before], is_open[before], rates=RATES, n_ahead=LEAD_TIME + 1, n_first=N_FIRST
    )
    levels = {
        each: smoothed_levels(units, shares, weekday, is_open, rate=each, n_first=N_FIRST)
        for each in (rate, min(4 * rate, 0.5))
    }
    forecasts = forecasts_ahead(levels[rate], shares, weekday, LEAD_TIME + 1)
    fitted = slice(N_FIRST, judged)
    variance = fitted_variance(units[:, fitted], forecasts[:, fitted, 0])
    sold = smoothed_levels((units > 0).astype(np.int64), shares, weekday, is_open, rate=rate, n_first=N_FIRST)
    usual = np.maximum(levels[rate], 1e-3)
    more = [np.log(np.clip(levels[min(4 * rate, 0.5)] / usual, 0.1, 10)), np.clip(sold, 0, 2)]
    features = np.concatenate([forecast_features(forecasts, variance), np.stack(more, axis=2)], axis=2)
    weight = days.price / float(days.price.mean())
    return Known(days, forecasts, features, variance, weight, choosing, judged, rate)


def _row(known: Known, seed: int, settings: HindsightSettings) -> dict[str, Any]:
    started = time.process_time()
    choose, judge = slice(known.choosing, known.judged), slice(known.judged, known.days.units.shape[1])
    baselines = _baselines(known)
    chosen = {name: float(known.cost(policy, choose).mean()) for name, policy in baselines.items()}
    best = min(chosen, key=lambda name: chosen[name])
    declared = DeclaredStock(LEAD_TIME, DECLARED_SAFETY, DECLARED_DAYS)
    units, weekday = known.days.units, known.days.weekday
    everywhere = np.ones_like(units, dtype=np.bool_)
    levels = declared.levels(units, everywhere, weekday)[:, :-1]
    simulated = declared.simulated(units, levels, np.broadcast_to(weekday, units.shape))
    opening = _pipeline_at(simulated.stock, simulated.order, known.judged)
    tuned = baselines["base-stock"]
    learner, update = _learned(known, seed, settings, float(getattr(tuned, "safety", 0.0)))
    costs = {name: known.cost(policy, judge, opening) for name, policy in baselines.items()}
    costs["hindsight"] = known.cost(learner, judge, opening)
    costs["declared rule"] = (simulated.cost(RULES) * known.weight[:, None])[:, judge]
    mean = float(costs[best].mean())
    found = paired_interval(costs["hindsight"], costs[best])
    return {
        "bench": "inventory",
        "method": "real",
        "declared": f"{declared.sentence} A unit that is lost costs {PENALTY:g} times a unit held over a day, both by "
        "its price.",
        "seed": seed,
        "products": len(known.days.items),
        "judged_days": int(judge.stop - judge.start),
        "lines": known.days.n_lines,
        "sales": known.days.n_sales,
        "cancelled_same_day": known.days.n_cancelled,
        "rate": known.rate,
        "best_baseline": best,
        "update": update,
        **{name: round(float(cost.mean()), 4) for name, cost in costs.items()},
        "percent_against_best": round(100 * found.value / mean, 2),
        "lower": round(100 * found.lower / mean, 2),
        "upper": round(100 * found.upper / mean, 2),
        "is_better": bool(found.upper < 0),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def _baselines(known: Known) -> dict[str, OrderingPolicy]:
    """Return the policies of few numbers, each fitted on all days before the judged ones."""
    fitted = slice(N_FIRST, known.judged)

    def cheapest(policies: list[OrderingPolicy]) -> OrderingPolicy:
        return min(policies, key=lambda policy: float(known.cost(policy, fitted).mean()))

    kinds: dict[str, Any] = {"base-stock": ForecastBaseStock, "projected level": ForecastProjectedLevel}
    variances = {"": known.variance, ", safety by forecast": (0.0, 1.0)}
    found = {
        name + which: cheapest([kind(safety, LEAD_TIME, variance) for safety in SAFETIES])
        for name, kind in kinds.items()
        for which, variance in variances.items()
    }
    units = known.days.units[:, fitted]
    sums = np.stack([units[:, k : units.shape[1] - LEAD_TIME + k] for k in range(LEAD_TIME + 1)]).sum(axis=0)
    levels = [np.ceil(np.quantile(sums, share, axis=1)).astype(np.int64) for share in SHARES]
    return found | {"own levels": cheapest([OwnLevels(level) for level in levels])}


def _learned(known: Known, seed: int, settings: HindsightSettings, safety: float) -> tuple[OrderingPolicy, int]:
    """Return the network, which begins as base-stock on the forecasts with the given safety, and its update."""
    units = known.days.units
    never = np.zeros(units.shape, dtype=bool)
    paths = DemandPaths(
        units,
        never,
        never.astype(np.int64),
        {0: fit_demand(units.reshape(-1), never.reshape(-1))},
        known.features,
        LEAD_TIME + 1,
        weight=known.weight,
    )
    choose = slice(known.choosing, known.judged)
    trained = train_in_hindsight(
        paths.days(N_FIRST, known.choosing),
        paths.days(known.choosing, known.judged),
        RULES,
        level=0.0,
        settings=settings,
        seed=seed,
        line=forecast_line(LEAD_TIME + paths.n_features, LEAD_TIME, safety),
        judge=lambda policy: float(known.cost(policy, choose).mean()),
    )
    return trained.policy, trained.update


def _pipeline_at(stock: IntArray, order: IntArray, day: int) -> IntArray:
    """Return stock and orders on the way on a morning of the simulation, `(n_products, LEAD_TIME)`."""
    return np.column_stack([stock[:, day], order[:, day - LEAD_TIME + 1 : day]])
