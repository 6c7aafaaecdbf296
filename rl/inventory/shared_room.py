"""Any policy within a room that products share: today's price of room is the least at which all orders fit.

A price of room makes every unit, on hand or on the way, cost that much a day more for the room it takes, so a policy
that knows the price orders less, and least of what takes most room for what it brings. The usual price is found on
validation days. On a day whose orders don't fit at it, the day's own price is raised until they do, which keeps the
limit exactly.

Source: Hadley and Whitin, Analysis of Inventory Systems (1963), section 6.2; Madeka et al., Deep Inventory Management
(2022, arXiv 2210.03137), section 6, for policies that are asked at a price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates

_HALVINGS = 12
_LEAST_RATIO = 1e-4


class PricedPolicy(Protocol):
    """Says how much to order where room has a price."""

    def order_at(self, states: StockStates, price: float) -> IntArray:
        """Return the order of each product in whole units, at least 0, `(n,)`.

        Args:
            states: as of `OrderingPolicy`.
            price: of a unit of room for a day, in money; 0 where there is room for everything.
        """
        ...


@dataclass(frozen=True)
class SharedRoom:
    """Orders of products that share a room; a policy over all of them at once.

    Attributes:
        policy: says what it would order at a price.
        room: that a unit of each product takes, whole numbers above 0, `(n_products,)`.
        limit: of stock and all that is on the way together, in units of room.
        price: usual price of a unit of room for a day, in money.
        highest: price at which next to nothing is ordered.
    """

    policy: PricedPolicy
    room: IntArray
    limit: int
    price: float
    highest: float

    def __post_init__(self) -> None:
        if not (self.limit >= 0 and 0 <= self.price <= self.highest and np.isfinite(self.highest)):
            raise InventoryError(
                f"limit {self.limit}, price {self.price:g}, highest price {self.highest:g} of room; expected a limit "
                "of at least 0 and prices from 0 to the highest"
            )
        if self.room.ndim != 1 or not np.issubdtype(self.room.dtype, np.integer) or not (self.room > 0).all():
            raise InventoryError("every product needs the room that a unit of it takes, a whole number above 0")

    def order(self, states: StockStates) -> IntArray:
        if len(states.pipeline) != len(self.room):
            raise InventoryError(f"{len(states.pipeline)} products, the room is shared by {len(self.room)}")
        left = self.limit - int(self.room @ states.position)
        orders = self.policy.order_at(states, self.price)
        if self._room(orders) <= left:
            return orders
        if left <= 0:
            return np.zeros_like(orders)
        orders = self.policy.order_at(states, self.highest)
        if (needed := self._room(orders)) > left:
            return np.asarray(orders * left // needed)
        low, high = self.price, self.highest
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            tried = self.policy.order_at(states, middle)
            if self._room(tried) <= left:
                orders, high = tried, middle
            else:
                low = middle
        return orders

    def _room(self, orders: IntArray) -> int:
        return int(self.room @ orders)


@dataclass(frozen=True)
class PricedSafety:
    """A policy of one safety, in standard deviations, at the safety that a price of room leaves each product.

    On a day that stood alone, the safety would be the normal quantile of the critical ratio, whose penalty the price of
    a unit's room lowers.

    Attributes:
        make: the policy of a safety for each product, `(n_products,)`.
        rules: holding cost and penalty.
        room: of a unit, `(n_products,)`.
        offset: standard deviations beside that quantile.
    """

    make: Callable[[FloatArray], OrderingPolicy]
    rules: StockRules
    room: IntArray
    offset: float

    def order_at(self, states: StockStates, price: float) -> IntArray:
        ratio = least_ratio(self.rules, self.room, price)
        return self.make(ndtri(ratio) + self.offset).order(states)


def least_ratio(rules: StockRules, room: IntArray, price: float) -> FloatArray:
    """Return the critical ratio of each product that is left at a price of room.

    It is kept a little above 0, where its normal quantile has an end.

    Args:
        rules: holding cost and penalty.
        room: of a unit of each product, `(n_products,)`.
        price: of a unit of room for a day, in money.
    """
    ratio = (rules.penalty - price * room) / (rules.penalty + rules.holding_cost)
    return np.asarray(np.maximum(ratio, _LEAST_RATIO), dtype=np.float64)


def best_price(cost_at: Callable[[float], float], prices: Sequence[float]) -> tuple[float, float]:
    """Return the price of least cost, of equals the least, and its cost.

    Args:
        cost_at: the cost of a replay of validation days that keeps the limit on every day, at a usual price.
        prices: to try, in money per unit of room and day; 0, no price, should be among them.
    """
    if not len(prices):
        raise InventoryError("no prices to try; expected at least 0")
    costs = [cost_at(price) for price in prices]
    least = min(costs)
    return min((price, cost) for price, cost in zip(prices, costs, strict=True) if cost == least)
