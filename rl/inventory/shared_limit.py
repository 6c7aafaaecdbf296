"""One limit that products share, such as a budget or a room: a price on what it limits, and a list that keeps it.

Each further pack of a product is worth less than the one before. At a price, every product takes the packs that are
worth more than the room they take, and no product needs to know of the others. The price is found on validation days;
on the day itself the limit is kept exactly, pack by pack, those that bring most for their room first.

Source: Hadley and Whitin, Analysis of Inventory Systems (1963), section 6.2, for the price of a shared limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.replay import replayed
from rl.inventory.stock import StockRules, StockStates


@dataclass(frozen=True)
class PackValues:
    """What packs of each product are worth beyond what it has.

    Attributes:
        exposed: demand of each product from an order to the end of the period of its arrival.
        penalty: of a unit that is missing, in money, `(n_products,)`.
        holding_cost: of a unit that is left over, in money, `(n_products,)`.
        pack_size: units, `(n_products,)`.
        most_packs: that an order may have.
    """

    exposed: Sequence[DemandDistribution]
    penalty: FloatArray
    holding_cost: FloatArray
    pack_size: IntArray
    most_packs: int

    def __post_init__(self) -> None:
        n = len(self.exposed)
        if {len(self.penalty), len(self.holding_cost), len(self.pack_size)} != {n} or self.most_packs < 1:
            raise InventoryError(f"penalty, holding cost and pack size are needed of each of {n} products, and packs")
        if (self.penalty <= 0).any() or (self.holding_cost <= 0).any() or (self.pack_size < 1).any():
            raise InventoryError("penalties and holding costs are above 0, packs have at least one unit; some don't")

    def of(self, position: IntArray) -> FloatArray:
        """Return the money that each next pack saves, `(n_products, most_packs)`, falling along each row.

        A unit saves the penalty where demand reaches it, and costs holding where it doesn't.
        """
        values = np.empty((len(position), self.most_packs))
        for row, demand in enumerate(self.exposed):
            size = int(self.pack_size[row])
            units = int(position[row]) + np.arange(size * self.most_packs)
            reached = 1.0 - demand.cumulative[np.minimum(units, demand.largest)]
            saved = self.penalty[row] * reached - self.holding_cost[row] * (1.0 - reached)
            values[row] = saved.reshape(self.most_packs, size).sum(axis=1)
        return values


@dataclass(frozen=True)
class PricedOrders:
    """Orders of products that share a limit; a policy over all of them at once.

    Attributes:
        values: of packs.
        room: that a unit of each product takes of the limit, such as its volume in cubic centimeters or its cost in
            millionths, above 0, `(n_products,)`; whole numbers, so that the limit is kept exactly.
        limit: of stock and all that is on the way together, in units of room.
        price: of a unit of room, in money.
    """

    values: PackValues
    room: IntArray
    limit: int
    price: float

    def __post_init__(self) -> None:
        if not (self.limit >= 0 and np.isfinite(self.price) and self.price >= 0):
            raise InventoryError(f"limit {self.limit} and price {self.price:g} of room; expected at least 0")
        is_whole = np.issubdtype(self.room.dtype, np.integer)
        if not is_whole or len(self.room) != len(self.values.exposed) or not (self.room > 0).all():
            raise InventoryError("every product needs the room that a unit of it takes, a whole number above 0")

    def order(self, states: StockStates) -> IntArray:
        position = states.position
        if len(position) != len(self.room):
            raise InventoryError(f"{len(position)} products, the limit is shared by {len(self.room)}")
        left = self.limit - int(self.room @ position)
        packs = packs_within(self.values.of(position), self.room * self.values.pack_size, left, self.price)
        return packs * self.values.pack_size


def packs_within(values: FloatArray, sizes: IntArray, left: int, price: float) -> IntArray:
    """Return the packs of each product: those worth more than the price of their room, best first, while they fit.

    A product whose next pack doesn't fit takes no further ones; smaller packs of others still may.

    Args:
        values: of each next pack, `(n_products, most_packs)`, in money.
        sizes: room of a pack, `(n_products,)`.
        left: room that is left; below 0 nothing is ordered.
        price: of a unit of room, in money.
    """
    worth = values / sizes[:, None]
    products, places = np.nonzero((worth > price) & (values > 0))
    order = np.lexsort((places, products, -worth[products, places]))
    packs = np.zeros(len(values), dtype=np.int64)
    for product, place in zip(products[order].tolist(), places[order].tolist(), strict=True):
        if place == packs[product] and int(sizes[product]) <= left:
            packs[product] += 1
            left -= int(sizes[product])
    return packs


def price_on_validation(
    policy_at: Callable[[float], PricedOrders], demand: IntArray, rules: StockRules, prices: Sequence[float]
) -> tuple[float, FloatArray]:
    """Return the price of least cost in a replay of the validation days, and the cost at each; of equals the least.

    Each replay keeps the limit on every day, as tomorrow's list will.

    Args:
        policy_at: the policy at a price.
        demand: units, `(n_products, n_days)`.
        rules: lead time; costs are those of the policy's products.
        prices: to try, in money per unit of room; 0, no price, should be among them.
    """
    if not len(prices):
        raise InventoryError("no prices to try; expected at least 0")
    costs = np.empty(len(prices))
    for place, price in enumerate(prices):
        policy = policy_at(price)
        opening = np.zeros((len(demand), rules.lead_time), dtype=np.int64)  # nothing takes room before the first order
        units = replayed(policy, demand, rules, opening=opening)
        values = policy.values
        money = values.holding_cost[:, None] * units.left_over + values.penalty[:, None] * units.lost
        costs[place] = float(money.mean())
    cheapest = [price for price, cost in zip(prices, costs.tolist(), strict=True) if cost == costs.min()]
    return float(min(cheapest)), costs
