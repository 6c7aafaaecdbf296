"""Stock for a log that counts none: a declared rule orders, over the demand that the log does show.

A log of sales alone tells nothing of stock, so nothing of what ran out. It is declared that what was sold is what was
asked for, and that orders were placed by a rule that somebody states; what comes of both is a simulation, and every
page and figure made of it has to say so (`DeclaredStock.sentence`).

Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains (2017), section 6.9, for the
order-up-to level of mean and standard deviation of the days until the next order has arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.limits import OrderLimits
from rl.inventory.order_days import EVERY_DAY, OrderDays
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.stock import StockRules, StockStates

_LEAST_DAYS = 2


@dataclass(frozen=True)
class DeclaredStock:
    """What is declared of a shop's ordering.

    Attributes:
        lead_time: days from an order to its arrival, at least 1.
        safety: standard deviations that the rule orders above the mean of the days until the next order has arrived.
        recent_days: of whose sales both are, the last before a morning, at least 2.
        order_days: on which orders are placed.
    """

    lead_time: int
    safety: float
    recent_days: int = 28
    order_days: OrderDays = EVERY_DAY

    def __post_init__(self) -> None:
        if self.lead_time < 1 or not np.isfinite(self.safety) or self.recent_days < _LEAST_DAYS:
            raise InventoryError(
                f"safety {self.safety:g} over {self.recent_days} days, orders that take {self.lead_time}; expected a "
                f"finite safety, at least {_LEAST_DAYS} days, and orders that take 1 or more"
            )

    @property
    def sentence(self) -> str:
        """What every page and figure made of this stock has to say."""
        lead = "a day" if self.lead_time == 1 else f"{self.lead_time} days"
        return (
            "Stock is simulated, since the log counts none: what was sold is taken for all that was asked for, and the "
            f"shop is taken to order {self.order_days} up to the mean sales of the days until the next order has "
            f"arrived and {self.safety:g} standard deviations more, both as of the last {self.recent_days} days. "
            f"Orders arrive after {lead}; a product begins with an empty shelf."
        )

    def levels(self, sold: IntArray, is_known: BoolArray, weekday: IntArray) -> IntArray:
        """Return levels on each morning, and on that after the last day, `(n_products, n_days + 1)`.

        A morning sees sales of known days before it alone; without any the level is 0.

        Args:
            sold: units, `(n_products, n_days)`.
            is_known: days of which the log tells sales, likewise.
            weekday: of each day, 0 Monday, `(n_days,)`.
        """
        known = is_known.astype(np.float64)
        n, total, squares = (
            self._recent(values) for values in (known, sold * known, sold.astype(np.float64) ** 2 * known)
        )
        mean = total / np.maximum(n, 1)
        variance = np.maximum(squares / np.maximum(n, 1) - mean**2, 0)
        following = (weekday[-1:] + 1) % 7
        days = self.lead_time + np.maximum(self.order_days.gaps(np.append(weekday, following)), 1)
        wished = mean * days + self.safety * np.sqrt(variance * days)
        # Sums of whole numbers that come out whole don't depend on how they were added.
        return np.asarray(np.maximum(np.ceil(np.round(wished, 6)), 0), dtype=np.int64)

    def _recent(self, values: FloatArray) -> FloatArray:
        """Return sums over the last days before each morning, `(n_products, n_days + 1)`."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        before = np.maximum(np.arange(total.shape[1]) - self.recent_days, 0)
        return np.asarray(total - total[:, before])

    def simulated(
        self,
        demand: IntArray,
        levels: IntArray,
        weekday: IntArray,
        *,
        limits: OrderLimits | None = None,
        shelf_days: IntArray | None = None,
    ) -> ReplayedUnits:
        """Return the stock, orders and sales that the rule would have had, from empty shelves on.

        Args:
            demand: units sold in the log, `(n_products, n_days)`.
            levels: of each morning, units, likewise.
            weekday: of each day, 0 Monday, likewise.
            limits: of the products' orders; None for none.
            shelf_days: on which a unit of each product can be sold, 0 where it keeps, `(n_products,)`; None for all.

        Raises:
            InventoryError: demand that is none, or levels that don't fit it.
        """
        places = self.order_days.gaps(weekday) > 0
        return replayed(
            UpToLevels(limits),
            demand,
            StockRules(self.lead_time, 1.0, 1.0),  # nothing is reckoned in money here
            features=np.stack([levels, places], axis=2).astype(np.float64),
            opening=np.zeros((len(demand), self.lead_time), dtype=np.int64),
            shelf_days=shelf_days,
        )


@dataclass(frozen=True)
class UpToLevels:
    """Orders up to a state's first feature, where its second one says that orders are placed.

    Attributes:
        limits: of the products, in the order of the states' rows; None for none.
    """

    limits: OrderLimits | None

    def order(self, states: StockStates) -> IntArray:
        if states.features is None:
            raise InventoryError("levels stand in the features of a state; there are none")
        level, places = states.features[:, 0].astype(np.int64), states.features[:, 1] > 0
        wished = np.where(places, np.maximum(level - states.position, 0), 0)
        if self.limits is None:
            return wished
        return np.where(places, self.limits.nearest(wished, states.position), 0)
