"""The numbers of simple policies, tuned on a distribution of demand by what they cost in the long run.

The demand is what a log was fitted to, so the numbers come from the log alone; on true demand they are the best that
such a policy can have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from rl.inventory.demand import DemandDistribution
from rl.inventory.policies.base_stock import BaseStock, newsvendor
from rl.inventory.policies.projected_level import ProjectedLevel
from rl.inventory.stock import OrderingPolicy, StockRules
from rl.inventory.stock_chain import long_run

_PATIENCE = 2  # steps without gain before a search along falling levels ends

P = TypeVar("P", bound=OrderingPolicy)


@dataclass(frozen=True)
class Tuned(Generic[P]):
    """A policy and what it costs.

    Attributes:
        policy: the best found.
        cost: per period on the demand that it was tuned on, in money.
    """

    policy: P
    cost: float


def tuned_base_stock(demand: DemandDistribution, rules: StockRules) -> Tuned[BaseStock]:
    """Return the best base-stock level: from the newsvendor's, which is too high where demand is lost, downwards."""
    return _downwards(BaseStock, newsvendor(demand, rules).level + 1, demand, rules)


def tuned_capped_base_stock(demand: DemandDistribution, rules: StockRules) -> Tuned[BaseStock]:
    """Return the best base-stock level with the best cap on an order, which both are searched for.

    With a cap, higher levels pay: they fill up slowly. Levels to a third above the newsvendor's are tried.
    """
    highest = newsvendor(demand, rules).level
    top = highest + max(highest // 3, 2)
    found: list[Tuned[BaseStock]] = []
    for cap in range(max(int(np.ceil(demand.mean)), 1), max(demand.quantile(0.999), 2) + 1):
        found.append(_downwards(lambda level, cap=cap: BaseStock(level, cap), top, demand, rules))  # type: ignore[misc]
        if len(found) > _PATIENCE and all(one.cost > min(f.cost for f in found) for one in found[-_PATIENCE:]):
            break
    return min(found, key=lambda one: one.cost)


def tuned_projected_level(
    demand: DemandDistribution, rules: StockRules, *, step: float = 0.05
) -> Tuned[ProjectedLevel]:
    """Return the best projected level, in steps of the given units: first over whole units, then finer around it."""
    top = demand.quantile(0.9999) + 1
    whole = _downwards(lambda level: ProjectedLevel(float(level), demand), top, demand, rules)
    levels = np.arange(max(whole.policy.level - 1, 0) + step, whole.policy.level + 1, step)
    found = [_judged(ProjectedLevel(round(float(level), 6), demand), demand, rules) for level in levels]
    return min([whole, *found], key=lambda one: one.cost)


def _downwards(make: Callable[[int], P], top: int, demand: DemandDistribution, rules: StockRules) -> Tuned[P]:
    """Return the best of the levels from `top` down, until costs have risen for some levels."""
    best: Tuned[P] | None = None
    worse = 0
    for level in range(top, 0, -1):
        judged = _judged(make(level), demand, rules)
        worse = 0 if best is None or judged.cost < best.cost else worse + 1
        best = judged if best is None or judged.cost < best.cost else best
        if worse > _PATIENCE:
            break
    assert best is not None  # noqa: S101  (top is at least 1)
    return best


def _judged(policy: P, demand: DemandDistribution, rules: StockRules) -> Tuned[P]:
    return Tuned(policy, long_run(policy, rules, demand).cost)
