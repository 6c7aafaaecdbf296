"""Stock of products from one period to the next, in whole units: arrival, order, demand, cost.

In each period, in this order: what is due arrives; an order is placed, which arrives `lead_time` periods later; demand
takes from the stock; units left over are held, and demand beyond the stock is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError


@dataclass(frozen=True)
class StockRules:
    """What a period costs, in money per unit, and how long an order takes.

    Attributes:
        lead_time: periods from order to arrival, at least 1.
        holding_cost: of a unit that is left over after a period's demand.
        penalty: of a unit of demand that is lost: the margin it would have brought, and whatever else it costs.
    """

    lead_time: int
    holding_cost: float
    penalty: float

    def __post_init__(self) -> None:
        found = [] if self.lead_time >= 1 else [f"lead_time is {self.lead_time}, expected at least 1 period"]
        found += [
            f"{name} is {value:g}, expected a finite cost above 0"
            for name, value in (("holding_cost", self.holding_cost), ("penalty", self.penalty))
            if not (np.isfinite(value) and value > 0)
        ]
        if found:
            raise InventoryError("the rules of stock don't hold: " + "; ".join(found))

    @property
    def critical_ratio(self) -> float:
        """The share of days on which demand should be met, were every day on its own."""
        return self.penalty / (self.penalty + self.holding_cost)


@dataclass(frozen=True)
class StockStates:
    """What is there when an order is placed, one row a product.

    Attributes:
        pipeline: units, `(n, lead_time)`: in column 0 the stock after today's arrival, in column k what arrives in k
            periods.
        features: what else is known at that moment, `(n, n_features)`; None where nothing is.
    """

    pipeline: IntArray
    features: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.pipeline.ndim != 2 or self.pipeline.shape[1] < 1:
            raise InventoryError(f"stock has shape {self.pipeline.shape}, expected (n, lead_time)")
        if self.features is not None and len(self.features) != len(self.pipeline):
            raise InventoryError(f"features have {len(self.features)} rows, expected {len(self.pipeline)}")

    @property
    def stock(self) -> IntArray:
        """Units on hand, `(n,)`."""
        return self.pipeline[:, 0]

    @property
    def position(self) -> IntArray:
        """Inventory position: units on hand and on the way, `(n,)`."""
        return np.asarray(self.pipeline.sum(axis=1))

    @property
    def lead_time(self) -> int:
        return int(self.pipeline.shape[1])


class OrderingPolicy(Protocol):
    """Says how much to order, from what is known before the period's demand."""

    def order(self, states: StockStates) -> IntArray:
        """Return the order of each product in whole units, at least 0, `(n,)`."""
        ...


@dataclass(frozen=True)
class PeriodUnits:
    """What a period did to the stock, in units, `(n,)` each.

    Attributes:
        sales: demand that was met.
        left_over: stock after demand.
        lost: demand beyond the stock; no log holds it.
    """

    sales: IntArray
    left_over: IntArray
    lost: IntArray


def checked_orders(policy: OrderingPolicy, states: StockStates) -> IntArray:
    """Return the policy's orders.

    Raises:
        InventoryError: orders that are no whole numbers from 0 on, or not one a product.
    """
    orders = np.asarray(policy.order(states))
    name = type(policy).__name__
    if orders.shape != (len(states.pipeline),) or not np.issubdtype(orders.dtype, np.integer):
        raise InventoryError(
            f"{name} ordered {orders.dtype} of shape {orders.shape}, expected integers ({len(states.pipeline)},)"
        )
    if len(orders) and int(orders.min()) < 0:
        raise InventoryError(f"{name} ordered {int(orders.min())} units; an order is at least 0")
    return orders.astype(np.int64)


def after_period(states: StockStates, orders: IntArray, demand: IntArray) -> tuple[StockStates, PeriodUnits]:
    """Return the states when the next order is placed, and what the period did; features are not carried on.

    Args:
        states: when the order is placed.
        orders: units, `(n,)`.
        demand: units asked for in the period, `(n,)`.
    """
    sales = np.minimum(states.stock, demand)
    left_over = states.stock - sales
    following = np.column_stack([states.pipeline[:, 1:], orders])
    following[:, 0] += left_over
    return StockStates(following), PeriodUnits(sales, left_over, demand - sales)
