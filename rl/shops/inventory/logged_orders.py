"""The log that a buyer of the test bed leaves: levels that wander around a center, and now and then any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import ShopError
from rl.inventory.order_log import OrderLog
from rl.shops.inventory.test_bed import Cell


@dataclass(frozen=True)
class Buyer:
    """How the log's orders came about; deterministic but for the level of the day and the odd order.

    Attributes:
        center: of the levels that are ordered up to, units.
        spread: levels are drawn evenly from `center - spread` to `center + spread`, each period anew.
        odd_share: of periods with an order drawn evenly from 0 to `largest_odd` instead.
        largest_odd: units.
    """

    center: int
    spread: int = 3
    odd_share: float = 0.05
    largest_odd: int = 15

    def __post_init__(self) -> None:
        if self.spread < 0 or self.largest_odd < 0 or not 0 <= self.odd_share <= 1 or self.center < 0:
            raise ShopError(f"no buyer orders like {self}; expected units of at least 0 and a share from 0 to 1")


def buyer_of(cell: Cell, shift: int = 0) -> Buyer:
    """Return the buyer whose levels lie around the best base-stock level, or so many units beside it."""
    return Buyer(center=cell.best_base_stock.policy.level + shift)


def simulate_orders(cell: Cell, buyer: Buyer, *, n_periods: int, seed: int) -> tuple[OrderLog, IntArray]:
    """Return the log of the buyer's periods, from an empty stock on, and the true demand, which the log doesn't hold.

    Args:
        cell: the product.
        buyer: orders.
        n_periods: at least 1.
        seed: of demand, levels and odd orders, each with draws of its own.

    Returns:
        The log, and demand `(n_periods,)`.
    """
    if n_periods < 1:
        raise ShopError(f"a log of {n_periods} periods; expected at least 1")
    of_demand, of_levels, of_odd = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(3))
    demand = cell.demand.draw(n_periods, of_demand)
    levels = of_levels.integers(buyer.center - buyer.spread, buyer.center + buyer.spread, n_periods, endpoint=True)
    is_odd = of_odd.random(n_periods) < buyer.odd_share
    odd = of_odd.integers(0, buyer.largest_odd, n_periods, endpoint=True)
    # Plain numbers: a loop over scalars of NumPy takes ten times as long.
    waiting = [0] * cell.lead_time
    pipelines, orders = [], []
    columns = (demand.tolist(), levels.tolist(), np.where(is_odd, odd, -1).tolist())
    for asked, level, odd_order in zip(*columns, strict=True):
        order = odd_order if odd_order >= 0 else max(level - sum(waiting), 0)
        pipelines.append(waiting)
        orders.append(order)
        left = max(waiting[0] - asked, 0)
        waiting = [*waiting[1:], order]
        waiting[0] += left
    pipeline, order_units = np.array(pipelines, dtype=np.int64), np.array(orders, dtype=np.int64)
    return OrderLog(pipeline, order_units, np.minimum(pipeline[:, 0], demand)), demand
