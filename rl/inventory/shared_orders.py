"""Orders in whole packs within a limit that products share: the day's price of room, and what still fits beside it.

As in `rl.inventory.shared_room`, the day's price is the least at which all orders fit. Orders in packs jump with the
price, so what the price leaves free goes to the packs that a slightly lower price would order, those of the largest
margin for their room first. Whatever a policy wishes, no order takes the stock beyond the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.limits import OrderLimits

_HALVINGS = 12


@dataclass(frozen=True)
class Room:
    """A limit that products share.

    Attributes:
        per_unit: that a piece of each product takes, whole numbers above 0, `(n_products,)`.
        limit: of all stock, on hand and on the way.
        taken: by what isn't among these products and has its room all the same, at least 0.
    """

    per_unit: IntArray
    limit: int
    taken: int = 0

    def __post_init__(self) -> None:
        is_whole = np.issubdtype(self.per_unit.dtype, np.integer) and self.per_unit.ndim == 1
        if not is_whole or not (self.per_unit > 0).all() or self.limit < 0 or self.taken < 0:
            raise InventoryError(
                f"a limit of {self.limit}, {self.taken} of it taken: every product needs the room that a piece of it "
                "takes, a whole number above 0, and limits are at least 0"
            )

    def of(self, rows: IntArray | BoolArray) -> Room:
        """Return the same limit for some of the products, in that order; the others take nothing."""
        return Room(self.per_unit[rows], self.limit, self.taken)

    def left(self, position: IntArray) -> int:
        """Return what is left beside units on hand and on the way, `(n_products,)`; below 0 where they exceed it."""
        return self.limit - self.taken - self.needed(position)

    def needed(self, units: IntArray) -> int:
        """Return what units of each product take, `(n_products,)`."""
        return int(self.per_unit @ units)


def orders_within(
    ask: Callable[[float], IntArray],
    position: IntArray,
    room: Room,
    limits: OrderLimits,
    *,
    price: float,
    worth: FloatArray,
) -> tuple[float, IntArray]:
    """Return the day's price of a unit of room, in money, and orders that fit into what is left.

    Args:
        ask: what would be ordered at a price, within the limits of each product, `(n_products,)`.
        position: units on hand and on the way, `(n_products,)`.
        room: that is shared.
        limits: of each product.
        price: usual price, at least 0.
        worth: of a piece sold, money above 0, `(n_products,)`.
    """
    left = room.left(position)
    orders = ask(price)
    if room.needed(orders) <= left:
        return price, orders
    per_room = worth / room.per_unit
    high = max(float(per_room.max()), price)
    if left <= 0:
        return high, np.zeros_like(orders)
    low, wished, kept = price, orders, ask(high)
    if room.needed(kept) > left:
        # Even where room costs all that it brings, more is ordered than fits: what fits is a choice among these.
        return high, _filled(np.zeros_like(kept), kept, left, room, limits, per_room)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = ask(middle)
        if room.needed(tried) <= left:
            kept, high = tried, middle
        else:
            wished, low = tried, middle
    return high, _filled(kept, wished, left, room, limits, per_room)


def _filled(
    kept: IntArray, wished: IntArray, left: int, room: Room, limits: OrderLimits, per_room: FloatArray
) -> IntArray:
    """Return the kept orders with the packs of the wished ones that still fit, best first."""
    found, left = kept.copy(), left - room.needed(kept)
    smallest = limits.smallest
    more = np.flatnonzero(wished > kept)
    for row in more[np.argsort(-per_room[more], kind="stable")].tolist():
        pack = int(limits.pack_size[row])
        fits = min(int(wished[row] - found[row]), left // int(room.per_unit[row])) // pack * pack
        if fits > 0 and found[row] + fits >= smallest[row]:
            found[row] += fits
            left -= fits * int(room.per_unit[row])
    return found
