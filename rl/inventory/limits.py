"""What a supplier and a shelf allow: whole packs, a least order, and room for so many units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import InventoryError
from rl.inventory.stock import OrderingPolicy, StockStates, checked_orders

NO_LIMIT = 2**40
"""Units that stand for as many as there may be."""


@dataclass(frozen=True)
class UnitLimits:
    """What a scenario allows of every product's orders, in units.

    Attributes:
        least_order: of an order, if there is one; 0 for none.
        most_units: on hand and on the way after an order; None for no limit.
    """

    least_order: int = 0
    most_units: int | None = None

    def of_packs(self, pack_size: IntArray) -> OrderLimits:
        """Return the limits of products of these pack sizes, `(n_products,)`."""
        most = NO_LIMIT if self.most_units is None else self.most_units
        return OrderLimits(pack_size, np.full_like(pack_size, self.least_order), np.full_like(pack_size, most))

    def __str__(self) -> str:
        most = "none" if self.most_units is None else self.most_units
        return f"least_order {self.least_order} and most_units {most}"


@dataclass(frozen=True)
class OrderLimits:
    """Limits of each product, `(n_products,)` each.

    Attributes:
        pack_size: units that are sold to the shop together, at least 1.
        least_order: units that an order has at least, if there is one; 0 for no such limit.
        storage: units that are kept at most. Orders keep stock and all that is on the way within it, so that there is
            room even if nothing is sold until it arrives.
    """

    pack_size: IntArray
    least_order: IntArray
    storage: IntArray

    def __post_init__(self) -> None:
        shapes = {self.pack_size.shape, self.least_order.shape, self.storage.shape}
        if len(shapes) > 1 or self.pack_size.ndim != 1:
            raise InventoryError(f"limits have shapes {sorted(shapes)}; expected one (n_products,)")
        least = (("pack_size", 1), ("least_order", 0), ("storage", 0))
        if found := [f"{name} below {bound}" for name, bound in least if (getattr(self, name) < bound).any()]:
            raise InventoryError(f"limits of orders: {'; '.join(found)}")

    def of(self, rows: BoolArray | IntArray) -> OrderLimits:
        """Return the limits of some of the products, in their order."""
        return OrderLimits(self.pack_size[rows], self.least_order[rows], self.storage[rows])

    @property
    def smallest(self) -> IntArray:
        """The smallest order that there may be, in whole packs, `(n_products,)`."""
        return np.asarray(np.maximum(-(-self.least_order // self.pack_size), 1) * self.pack_size)

    def nearest(self, wished: IntArray, position: IntArray, *, needs_some: BoolArray | None = None) -> IntArray:
        """Return the allowed order nearest to each wish, `(n_products,)`; the larger of two as near.

        Args:
            wished: units, `(n_products,)`.
            position: units on hand and on the way, `(n_products,)`.
            needs_some: products whose order is the smallest one, where the nearest is none, `(n_products,)`; None for
                no product.
        """
        room = np.maximum(self.storage - position, 0) // self.pack_size * self.pack_size
        packs = (2 * wished + self.pack_size) // (2 * self.pack_size) * self.pack_size
        smallest = self.smallest
        is_some = 2 * wished >= smallest if needs_some is None else (2 * wished >= smallest) | needs_some
        order = np.where(packs < smallest, np.where(is_some, smallest, 0), packs)
        order = np.minimum(order, room)
        return np.where(order < smallest, 0, order).astype(np.int64)

    def allowed(self, orders: IntArray, position: IntArray) -> BoolArray:
        """Return which of the orders each product may have, `(n_products, n_orders)`: a mask for learners.

        Args:
            orders: units that actions stand for, `(n_orders,)`; ordering nothing is always allowed.
            position: units on hand and on the way, `(n_products,)`.
        """
        units = orders[None, :]
        fits = (units % self.pack_size[:, None] == 0) & (units >= self.least_order[:, None])
        return np.asarray((units == 0) | (fits & (units + position[:, None] <= self.storage[:, None])))


@dataclass(frozen=True)
class WithinLimits:
    """A policy whose orders are brought to the nearest that is allowed.

    Attributes:
        policy: says what it would order.
        limits: of the products, in the order of the states' rows.
    """

    policy: OrderingPolicy
    limits: OrderLimits

    def order(self, states: StockStates) -> IntArray:
        if len(states.pipeline) != len(self.limits.pack_size):
            raise InventoryError(f"{len(states.pipeline)} products, limits of {len(self.limits.pack_size)}")
        return self.limits.nearest(checked_orders(self.policy, states), states.position)
