"""Whether the least that can be ordered is worth it, where what is missing is too little to be rounded up to it.

A wish below half a pack rounds to nothing. Where the shelf would be empty until a later order arrives, that may cost
more than a pack that lies there for long: a product with large packs would sell out and never be ordered again. Waiting
for the next order loses the part of that order's days that the stock doesn't cover; ordering now holds the pack for as
much longer. What a lost day is worth is what a pack brings over all days that it lasts for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.inventory.order_days import DemandAhead

_LEAST_DEMAND = 1e-6


@dataclass(frozen=True)
class PackMoney:
    """What a product's pack brings and costs, in money, `(n_products,)` each.

    Attributes:
        margin: of a unit sold.
        holding: of a unit held over a day, what the room of it costs included.
        order_cost: of an order, whatever its size.
        shelf_days: on which a unit can be sold, 0 where it keeps for good; None where all keep.
        waste: what a unit costs that can't be sold; None where it costs nothing by itself.
    """

    margin: FloatArray
    holding: FloatArray
    order_cost: float
    shelf_days: IntArray | None = None
    waste: FloatArray | None = None

    def per_day(self, pack: IntArray, demand: FloatArray) -> FloatArray:
        """Return what a pack brings on each day that it lasts for, in money, `(n_products,)`.

        Args:
            pack: units, `(n_products,)`.
            demand: of a usual day, units, `(n_products,)`.
        """
        rate = np.maximum(demand, _LEAST_DEMAND)
        lasts = pack / rate
        if self.shelf_days is not None:
            lasts = np.where(self.shelf_days > 0, np.minimum(lasts, self.shelf_days), lasts)
        sold = np.minimum(rate * lasts, pack)
        wasted = pack - sold
        # Sold evenly, a unit at a time: half of what is sold, and all that is wasted, lie there on an average day.
        held = lasts * ((sold + 1) / 2 + wasted)
        paid = self.holding * held + self.order_cost + (0.0 if self.waste is None else self.waste * wasted)
        return np.asarray((self.margin * sold - paid) / lasts)


def is_worth_a_pack(position: IntArray, pack: IntArray, ahead: DemandAhead, money: PackMoney) -> BoolArray:
    """Return which products lose more by waiting for the next order than the pack costs to hold so long.

    Args:
        position: units on hand and on the way, `(n_products,)`.
        pack: the least that can be ordered, units, `(n_products,)`.
        ahead: what is expected to be asked for.
        money: what a pack brings and costs.
    """
    covered = ahead.covered
    n_days = ahead.lead_time + ahead.gaps
    later = covered[:, ahead.lead_time :].sum(axis=1)
    short = np.clip((covered.sum(axis=1) - position) / np.maximum(later, _LEAST_DEMAND), 0.0, 1.0)
    held = money.holding * pack
    return np.asarray(short * (money.per_day(pack, covered.sum(axis=1) / n_days) + held) > held)
