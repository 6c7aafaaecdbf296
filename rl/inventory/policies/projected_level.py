"""The projected inventory level policy: every order brings the expected stock at its arrival to one level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.stock import StockStates


@dataclass(frozen=True)
class ProjectedLevel:
    """Orders what the stock expected on the day of arrival, before the order comes in, lacks to a level.

    The expectation knows that demand beyond the stock is lost, which base-stock doesn't: what base-stock deducts for
    the periods until arrival is all that may be asked for, though an empty shelf sells nothing.

    Attributes:
        level: units, above 0; orders are rounded to whole ones.
        demand: of a period.

    Source: van Jaarsveld and Arts, Projected Inventory-Level Policies for Lost Sales Inventory Systems: Asymptotic
        Optimality in Two Regimes (2024), equation 3.
    """

    level: float
    demand: DemandDistribution

    def __post_init__(self) -> None:
        if not (np.isfinite(self.level) and self.level > 0):
            raise InventoryError(f"the projected level is {self.level:g} units, expected above 0")

    def order(self, states: StockStates) -> IntArray:
        missing = self.level - projected_stock(states, self.demand)
        return np.maximum(np.floor(missing + 0.5), 0).astype(np.int64)


def projected_stock(states: StockStates, demand: DemandDistribution) -> FloatArray:
    """Return the units expected on hand when an order placed now arrives, without it, `(n,)`."""
    pipeline = states.pipeline
    if not len(pipeline):
        return np.zeros(0)
    chances = np.zeros((len(pipeline), int(pipeline.sum(axis=1).max()) + 1))
    chances[np.arange(len(pipeline)), states.stock] = 1.0
    left = demand.left_over_chances(chances.shape[1])
    for period in range(states.lead_time):
        chances = chances @ left
        if period + 1 < states.lead_time:
            chances = _with_arrivals(chances, pipeline[:, period + 1])
    return np.asarray(chances @ np.arange(chances.shape[1]))


def _with_arrivals(chances: FloatArray, arriving: IntArray) -> FloatArray:
    """Return the chances of each stock after what arrives was added, `(n, n_levels)`."""
    places = np.arange(chances.shape[1])[None, :] - arriving[:, None]
    moved = np.take_along_axis(chances, np.maximum(places, 0), axis=1)
    return np.asarray(np.where(places >= 0, moved, 0.0))
