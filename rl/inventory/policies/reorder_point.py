"""The (s, S) policy, for orders that cost something whatever their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.policies.base_stock import newsvendor_level
from rl.inventory.stock import StockRules, StockStates


@dataclass(frozen=True)
class ReorderPoint:
    """Orders up to S once the position is at s or below.

    Attributes:
        reorder_point: s, units, at least 0: an empty stock is always filled.
        level: S, units, above s.
    """

    reorder_point: int
    level: int

    def __post_init__(self) -> None:
        if not 0 <= self.reorder_point < self.level:
            raise InventoryError(f"(s, S) is ({self.reorder_point}, {self.level}); expected 0 <= s < S")

    def order(self, states: StockStates) -> IntArray:
        position = states.position
        return np.where(position <= self.reorder_point, self.level - position, 0)


def reorder_point(demand: DemandDistribution, rules: StockRules, order_cost: float) -> ReorderPoint:
    """Return the (s, S) of least cost per period if unmet demand came back, with a cost of each order.

    Args:
        demand: of a period.
        rules: lead time, holding cost, and penalty of a unit that waits, per period.
        order_cost: of an order, whatever its size, in money, above 0.

    Raises:
        InventoryError: a cost of an order that isn't above 0, or no demand.
    """
    point, level, _ = best_reorder_point(demand, demand.over_periods(rules.lead_time + 1), rules, order_cost)
    return ReorderPoint(max(point, 0), max(level, 1))


def best_reorder_point(
    demand: DemandDistribution, exposed: DemandDistribution, rules: StockRules, order_cost: float
) -> tuple[int, int, float]:
    """Return s, S and their cost per period where unmet demand waits; s may be below 0.

    Args:
        demand: of a period.
        exposed: demand from an order to the end of the period of its arrival.
        rules: the costs; the lead time stands in `exposed`.
        order_cost: of an order, in money, above 0.

    Source: Zheng and Federgruen, Finding Optimal (s, S) Policies Is About as Simple as Evaluating a Single Policy
        (1991), whose algorithm this is.
    """
    if not (np.isfinite(order_cost) and order_cost > 0):
        raise InventoryError(f"(s, S) needs a cost of an order above 0, got {order_cost:g}; use base-stock")
    if demand.probabilities[0] >= 1:
        raise InventoryError("nothing is ever asked for, so no order pays")
    costs = _CycleCosts(demand, exposed, rules, order_cost)
    level = newsvendor_level(exposed, rules)
    point = level - 1
    while costs.per_period(point, level) > costs.at(point):
        point -= 1
    least, further = costs.per_period(point, level), level + 1
    while costs.at(further) <= least:
        if costs.per_period(point, further) < least:
            level = further
            while point + 1 < level and costs.per_period(point, level) <= costs.at(point + 1):
                point += 1
            least = costs.per_period(point, level)
        further += 1
    return point, level, least


class _CycleCosts:
    """Costs of ordering up to a level from a point on, between one order and the next."""

    def __init__(
        self, demand: DemandDistribution, exposed: DemandDistribution, rules: StockRules, order_cost: float
    ) -> None:
        self._period, self._exposed, self._rules = demand.probabilities, exposed, rules
        self._order_cost = order_cost
        self._visits = [1.0 / (1.0 - float(self._period[0]))]

    def at(self, position: int) -> float:
        """Return what a period costs at a position, in money."""
        units = position - np.arange(len(self._exposed.probabilities))
        cost = np.where(units > 0, self._rules.holding_cost * units, -self._rules.penalty * units)
        return float(self._exposed.probabilities @ cost)

    def per_period(self, point: int, level: int) -> float:
        """Return the cost per period of ordering from `point` up to `level`, in money."""
        n_levels = level - point
        while len(self._visits) < n_levels:
            place = len(self._visits)
            sold = np.arange(1, min(place, len(self._period) - 1) + 1)
            # Mean periods spent so far below the level: those spent above, and the demand that leads from there.
            reached = sum(float(self._period[units]) * self._visits[place - units] for units in sold)
            self._visits.append(reached / (1.0 - float(self._period[0])))
        visits = np.asarray(self._visits[:n_levels])
        cost = np.array([self.at(level - place) for place in range(n_levels)])
        return float((self._order_cost + visits @ cost) / visits.sum())
