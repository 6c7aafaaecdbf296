"""An ordering policy of tests, and the products that it knows."""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.inventory.demand_forecast import DemandForecaster
from rl.inventory.order_policy import OrderCosts, OrderPolicy
from rl.policy.network import DenseNetwork

PRODUCTS = ("apple", "pear", "plum")
LEAD = 2


def a_network(seed: int = 0, n_outputs: int = 1) -> DenseNetwork:
    """Of the inputs that a policy of this lead time gives, to a level of some days' demand, or values of levels."""
    generator = np.random.default_rng(seed)
    first = generator.normal(0, 0.1, (4, 2 * LEAD + 3)).astype(np.float32)
    last = generator.normal(0, 0.1, (n_outputs, 4)).astype(np.float32)
    return DenseNetwork((first, last), (np.zeros(4, np.float32), np.full(n_outputs, 4.0, np.float32)))


def a_policy(**given: Any) -> OrderPolicy:
    costs = OrderCosts(
        lead_time=LEAD,
        holding_cost=0.1,
        order_cost=0.5,
        margin={"apple": 0.4, "pear": 0.9, "plum": 9.9},
        usual_margin=0.9,
    )
    forecaster = DemandForecaster(0.1, 3.0, np.ones(7), 2.0, {"apple": np.linspace(0.7, 1.3, 7)}, {"pear": 1.5})
    values: dict[str, Any] = {
        "name": "base_stock-1",
        "method": "base_stock",
        "costs": costs,
        "forecaster": forecaster,
        "variance": (1.0, 0.0),
        "dataset_digest": "d",
    }
    return OrderPolicy(**(values | given))
