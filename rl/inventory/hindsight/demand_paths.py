"""The demand that a hindsight learner is led through: what was logged, and draws where the log holds a bound alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.censored_demand import FittedDemand, completed, fit_demand
from rl.inventory.order_log import OrderLog


@dataclass(frozen=True)
class DemandPaths:
    """Products' days, one product a row; every array is `(n_products, n_days)`.

    Attributes:
        sales: units sold.
        ran_out: True where demand may have been more.
        strata: whose law a day's demand is drawn from.
        fitted: the law of each stratum.
        features: what is known when the day's order is placed, `(n_products, n_days, n_features)`; None for nothing.
        n_forecasts: features, the first, that are forecasts of a day's demand in units.
        wait_shares: of orders that come a day before they were promised, on the day, a day late, and so on; None where
            all come as promised.
        weight: of a product's cost, such as its price over the usual one, `(n_products,)`; None where all count alike.
    """

    sales: IntArray
    ran_out: BoolArray
    strata: IntArray
    fitted: Mapping[int, FittedDemand]
    features: FloatArray | None = None
    n_forecasts: int = 0
    wait_shares: FloatArray | None = None
    weight: FloatArray | None = None

    def __post_init__(self) -> None:
        shapes = {self.sales.shape, self.ran_out.shape, self.strata.shape}
        if self.sales.ndim != 2 or len(shapes) > 1 or not self.sales.size:
            raise InventoryError(f"sales, ran_out and strata have shapes {shapes}; expected one (n_products, n_days)")
        if self.features is not None and self.features.shape[:2] != self.sales.shape:
            raise InventoryError(f"features have shape {self.features.shape}, expected (*{self.sales.shape}, n)")
        if not 0 <= self.n_forecasts <= self.n_features:
            raise InventoryError(f"{self.n_forecasts} of {self.n_features} features are forecasts; expected no more")
        if self.weight is not None and (self.weight.shape != self.sales.shape[:1] or (self.weight <= 0).any()):
            raise InventoryError(f"weights have shape {self.weight.shape}; expected ({len(self.sales)},), all above 0")
        if missing := sorted(set(np.unique(self.strata).tolist()) - set(self.fitted)):
            raise InventoryError(f"no demand was fitted to strata {missing}; fit all of them (fit_in_strata)")

    @property
    def n_days(self) -> int:
        return int(self.sales.shape[1])

    @property
    def n_features(self) -> int:
        return 0 if self.features is None else int(self.features.shape[2])

    @cached_property
    def scale(self) -> float:
        """Mean demand of a day, in units: what networks measure stock in."""
        counts = {stratum: int(np.count_nonzero(self.strata == stratum)) for stratum in self.fitted}
        total = sum(self.fitted[stratum].distribution.mean * count for stratum, count in counts.items())
        return max(total / self.sales.size, 1e-3)

    def drawn(self, generator: np.random.Generator) -> IntArray:
        """Return demand with days that ran out drawn anew from their law given the bound, `(n_products, n_days)`."""
        return completed(self.sales, self.ran_out, self.strata, self.fitted, generator)

    def days(self, first: int, last: int) -> DemandPaths:
        """Return the days from `first` up to, not with, `last`, under the same laws."""
        cut = slice(first, last)
        features = None if self.features is None else self.features[:, cut]
        return replace(
            self,
            sales=self.sales[:, cut],
            ran_out=self.ran_out[:, cut],
            strata=self.strata[:, cut],
            features=features,
        )

    def folded(self, n_parts: int) -> DemandPaths:
        """Return each product's days as so many products of consecutive days, which are replayed side by side.

        Days that don't fill a part are left out at the end.
        """
        length = self.n_days // n_parts
        if n_parts < 1 or length < 1:
            raise InventoryError(f"{self.n_days} days can't be folded into {n_parts} parts of at least one day")
        whole = self.days(0, length * n_parts)
        rows = (len(self.sales) * n_parts, length)
        features = None if whole.features is None else whole.features.reshape(*rows, self.n_features)
        return replace(
            whole,
            sales=whole.sales.reshape(rows),
            ran_out=whole.ran_out.reshape(rows),
            strata=whole.strata.reshape(rows),
            features=features,
            weight=None if whole.weight is None else np.repeat(whole.weight, n_parts),
        )


def paths_of(log: OrderLog, fitted: FittedDemand | None = None) -> DemandPaths:
    """Return the paths of one product in one stratum.

    Args:
        log: the product's periods.
        fitted: law of its demand; None for the Kaplan-Meier estimate of this very log.
    """
    sales, ran_out = log.sales[None], log.ran_out[None]
    law = fit_demand(log.sales, log.ran_out) if fitted is None else fitted
    return DemandPaths(sales, ran_out, np.zeros(sales.shape, dtype=np.int64), {0: law})
