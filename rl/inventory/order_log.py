"""What a shop knows of its own ordering: stock, orders and sales, and never the demand that it lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import InventoryError


@dataclass(frozen=True)
class OrderLog:
    """One product's periods, one a row, in order of time.

    Attributes:
        pipeline: units when the order was placed, `(n, lead_time)`, as in `StockStates`.
        order: units ordered, `(n,)`.
        sales: units sold in the period, `(n,)`.
    """

    pipeline: IntArray
    order: IntArray
    sales: IntArray

    def __post_init__(self) -> None:
        if found := self._violations():
            raise InventoryError("the log of orders is inconsistent: " + "; ".join(found))

    @property
    def n_periods(self) -> int:
        return len(self.order)

    @property
    def lead_time(self) -> int:
        return int(self.pipeline.shape[1])

    @property
    def ran_out(self) -> BoolArray:
        """True where nothing was left over: demand was at least the sales, `(n,)`."""
        return np.asarray(self.sales == self.pipeline[:, 0])

    @property
    def left_over(self) -> IntArray:
        """Units left over after each period's sales, `(n,)`."""
        return np.asarray(self.pipeline[:, 0] - self.sales)

    @property
    def closing_pipeline(self) -> IntArray:
        """The pipeline after the last period, `(1, lead_time)`."""
        return self.following_pipelines()[-1:]

    def following_pipelines(self, orders: IntArray | None = None) -> IntArray:
        """Return the pipelines one period later, `(n, lead_time)`, had `orders` been placed instead of the logged."""
        following = np.column_stack([self.pipeline[:, 1:], self.order if orders is None else orders])
        following[:, 0] += self.left_over
        return following

    def rows(self, first: int, last: int) -> OrderLog:
        """Return the periods from `first` up to, not with, `last`."""
        return OrderLog(self.pipeline[first:last], self.order[first:last], self.sales[first:last])

    def _violations(self) -> list[str]:
        n = len(self.order)
        if self.pipeline.ndim != 2 or len(self.pipeline) != n or len(self.sales) != n or not n:
            return [
                f"{len(self.pipeline)} pipelines, {n} orders and {len(self.sales)} sales; expected as many, and some"
            ]
        found = [
            f"{name} has values below 0"
            for name in ("pipeline", "order", "sales")
            if int(getattr(self, name).min()) < 0
        ]
        if len(rows := np.flatnonzero(self.sales > self.pipeline[:, 0])):
            found.append(f"rows {rows[:5].tolist()} sell more than their stock; count what was received first")
        differs = (self.following_pipelines()[:-1] != self.pipeline[1:]).any(axis=1)
        if len(rows := np.flatnonzero(differs)):
            found.append(
                f"after rows {rows[:5].tolist()} stock isn't what was there, less sales, plus what was due; name the "
                "shrinkage, or the late delivery"
            )
        return found
