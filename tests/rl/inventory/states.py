"""States and demand of tests."""

from __future__ import annotations

import numpy as np

from rl.inventory.demand import DemandDistribution
from rl.inventory.stock import StockRules, StockStates

POISSON = DemandDistribution.poisson(5.0)
SMALL = DemandDistribution(np.array([0.3, 0.2, 0.1, 0.25, 0.15]))


def rules(lead_time: int = 2, penalty: float = 9.0, holding_cost: float = 1.0) -> StockRules:
    return StockRules(lead_time, holding_cost, penalty)


def states(*pipelines: tuple[int, ...]) -> StockStates:
    return StockStates(np.array(pipelines, dtype=np.int64))
