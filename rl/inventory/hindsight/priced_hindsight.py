"""A network that was trained at many prices of room, asked at one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.hindsight.target_network import HindsightPolicy
from rl.inventory.stock import StockRules, StockStates

MOST_SHARE = 0.25  # of the penalty: a unit takes room for some days before it is sold, and at more none is worth it


@dataclass(frozen=True)
class PricedHindsight:
    """A trained network as a `PricedPolicy`.

    Attributes:
        policy: reads, as its last feature, the price of keeping a unit, as a share of the penalty.
        rules: the penalty.
        room: of a unit of each product, `(n_products,)`.
    """

    policy: HindsightPolicy
    rules: StockRules
    room: IntArray

    def order_at(self, states: StockStates, price: float) -> IntArray:
        share = price_share(price * self.room, self.rules)[:, None]
        features = share if states.features is None else np.column_stack([states.features, share])
        return self.policy.order(StockStates(states.pipeline, features))


def price_share(room_price: FloatArray, rules: StockRules) -> FloatArray:
    """Return the price of keeping a unit for a day as a share of the penalty, limited to what a network is shown."""
    return np.asarray(np.minimum(room_price / rules.penalty, MOST_SHARE))
