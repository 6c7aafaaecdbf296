"""Policies that look at the inventory position alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.stock import StockRules, StockStates


@dataclass(frozen=True)
class BaseStock:
    """Orders up to a level: what is missing from it, on hand and on the way.

    Attributes:
        level: units, at least 0.
        cap: an order is at most this many units; None for no limit (capped base-stock otherwise).

    Source: Xin, Understanding the Performance of Capped Base-Stock Policies in Lost-Sales Inventory Models (2021).
    """

    level: int
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.level < 0 or (self.cap is not None and self.cap < 1):
            raise InventoryError(f"base-stock level {self.level}, cap {self.cap}; expected at least 0 and 1 units")

    def order(self, states: StockStates) -> IntArray:
        missing = np.maximum(self.level - states.position, 0)
        return np.asarray(missing if self.cap is None else np.minimum(missing, self.cap))


def newsvendor_level(demand: DemandDistribution, rules: StockRules) -> int:
    """Return the least stock for one period's demand at which another unit isn't worth its holding cost.

    Source: Arrow, Harris and Marschak, Optimal Inventory Policy (1951).
    """
    return demand.quantile(rules.critical_ratio)


def newsvendor(demand: DemandDistribution, rules: StockRules) -> BaseStock:
    """Return base-stock at the newsvendor's level for demand from the order to the period of its arrival.

    The best base-stock level if unmet demand came back instead of being lost, so where it is lost it is too high.

    Source: Zipkin, Foundations of Inventory Management (2000), section 9.4.
    """
    return BaseStock(newsvendor_level(demand.over_periods(rules.lead_time + 1), rules))
