"""A trained network at a price of room: its targets fall as far as the rule's whose safety the price lowers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.hindsight.target_network import HindsightPolicy
from rl.inventory.shared_room import least_ratio
from rl.inventory.stock import StockRules, StockStates


@dataclass(frozen=True)
class PricedHindsight:
    """A network as a `PricedPolicy`; it was trained where room costs nothing.

    Attributes:
        policy: trained on features that `forecast_features` made, the first of its features.
        rules: lead time and costs.
        room: of a unit of each product, `(n_products,)`.
    """

    policy: HindsightPolicy
    rules: StockRules
    room: IntArray

    def order_at(self, states: StockStates, price: float) -> IntArray:
        lead_time = self.rules.lead_time
        if states.features is None or states.features.shape[1] < lead_time + 3:
            raise InventoryError("a price moves a network by the forecast's spread; give it forecast_features first")
        forecasts, spread = states.features[:, : lead_time + 1], states.features[:, lead_time + 1]
        fall = ndtri(least_ratio(self.rules, self.room, price)) - ndtri(self.rules.critical_ratio)
        targets = self.policy.targets(states) + fall * spread * np.maximum(forecasts.mean(axis=1), 1e-3)
        return np.asarray(np.maximum(np.floor(targets - states.position + 0.5), 0), dtype=np.int64)
