"""Stock for a log that counts none: a declared rule orders, over the demand that the log does show.

A log of sales alone tells nothing of stock, so nothing of what ran out. It is declared that what was sold is what was
asked for, and that orders were placed by a rule that somebody states; what comes of both is a simulation, and every
page and figure made of it has to say so (`DeclaredStock.sentence`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.stock import StockRules


@dataclass(frozen=True)
class DeclaredStock:
    """What is declared of a shop's ordering.

    Attributes:
        rules: lead time and costs; the penalty and the holding cost of a unit are declared too.
        safety: standard deviations that the rule orders above its forecast until arrival.
        variance: `a` and `b` of demand around the forecast, `a * forecast + b * forecast**2`.
        opening_days: of each product's first forecast, on hand at first and due on each day until the first order
            arrives.
    """

    rules: StockRules
    safety: float
    variance: tuple[float, float] = (1.0, 0.0)
    opening_days: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.safety) and self.opening_days >= 0):
            raise InventoryError(
                f"safety {self.safety:g}, {self.opening_days:g} opening days; expected at least 0 days"
            )

    @property
    def rule(self) -> ForecastBaseStock:
        """The rule that orders."""
        return ForecastBaseStock(self.safety, self.rules.lead_time, self.variance)

    @property
    def sentence(self) -> str:
        """What every page and figure made of this stock has to say."""
        return (
            "Stock is simulated, since the log counts none: what was sold is taken for what was asked for, and orders "
            f"follow the forecast with {self.safety:g} standard deviations of safety, arriving after "
            f"{self.rules.lead_time} days, from {self.opening_days:g} days of stock on."
        )

    def opening(self, forecasts: FloatArray) -> IntArray:
        """Return the pipelines at first, `(n_products, lead_time)`.

        Args:
            forecasts: of the first day and those after it, units, `(n_products, lead_time + 1)`.
        """
        days = np.ceil(self.opening_days * forecasts[:, : self.rules.lead_time])
        return np.asarray(days, dtype=np.int64)

    def simulated(self, demand: IntArray, forecasts: FloatArray) -> ReplayedUnits:
        """Return the stock, orders and sales that the rule would have had.

        Args:
            demand: units sold in the log, `(n_products, n_days)`.
            forecasts: known on each day, of it and the days after it, units, `(n_products, n_days, lead_time + 1)`.

        Raises:
            InventoryError: demand that is none, or forecasts that don't fit it.
        """
        opening = self.opening(forecasts[:, 0])
        return replayed(self.rule, demand, self.rules, features=forecasts, opening=opening)
