"""Orders on the way whose arrival is a matter of chance: promised for a day, here on it, before it or after it.

A policy sees the stock, and what was ordered by the day that it was promised for; what is late it sees as due
tomorrow, since nobody knows better. When an order arrives doesn't depend on how much was ordered (declared), so a
replay takes each day's wait as it takes each day's demand.
"""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.stock import StockStates


class OrdersOnTheWay:
    """Stock and orders of products, day by day."""

    def __init__(self, opening: IntArray, waits: IntArray) -> None:
        """Begin with a stock.

        Args:
            opening: stock on hand, and what is promised for each of the next days, which arrives then,
                `(n_products, lead_time)`.
            waits: days from order to arrival, at least 1, of an order of each product and day, `(n_products, n_days)`.

        Raises:
            InventoryError: a lead time of one day, in which nothing late could be told from the stock, or waits that
                don't fit.
        """
        n_products, lead_time = opening.shape
        if lead_time < 2:
            raise InventoryError("orders that may come late need a promised lead time of at least 2 days; got 1")
        is_whole = np.issubdtype(waits.dtype, np.integer)
        if waits.ndim != 2 or len(waits) != n_products or not waits.size or not is_whole or int(waits.min()) < 1:
            raise InventoryError(
                f"waits are {waits.dtype} of shape {waits.shape}; expected whole days of at least 1, ({n_products}, n)"
            )
        self._waits, self._lead_time = waits, lead_time
        self._orders = np.zeros_like(waits)
        self._stock = opening[:, 0].astype(np.int64)
        # By days until promised; in column 0, what should be here and isn't.
        self._promised = np.column_stack([np.zeros(n_products, dtype=np.int64), opening[:, 1:], self._stock * 0])
        self._opening = self._promised.copy()
        self._day = 0

    @property
    def states(self) -> StockStates:
        """What a policy sees of the day, after its arrivals and before its order."""
        pipeline = np.column_stack([self._stock, self._promised[:, 1 : self._lead_time]])
        pipeline[:, 1] += self._promised[:, 0]
        return StockStates(pipeline)

    def after(self, orders: IntArray, left_over: IntArray) -> None:
        """Place the day's orders, keep what demand left over, and take in what arrives on the next day.

        Args:
            orders: units, `(n_products,)`.
            left_over: units on hand after the day's demand, `(n_products,)`.
        """
        self._orders[:, self._day] = orders
        self._promised[:, self._lead_time] = orders
        self._stock = left_over.astype(np.int64)
        self._day += 1
        late, due = self._promised[:, 0], self._promised[:, 1]
        self._promised = np.column_stack([late + due, self._promised[:, 2:], np.zeros_like(due)])
        if self._day < self._lead_time:
            self._arrive(self._opening[:, self._day], 0)
        for wait in range(1, min(self._day, int(self._waits.max())) + 1):
            placed = self._day - wait
            self._arrive(self._orders[:, placed] * (self._waits[:, placed] == wait), max(self._lead_time - wait, 0))

    def _arrive(self, units: IntArray, days_early: int) -> None:
        self._stock = self._stock + units
        self._promised[:, days_early] -= units


def drawn_waits(
    shares: FloatArray, lead_time: int, shape: int | tuple[int, ...], generator: np.random.Generator
) -> IntArray:
    """Return independent waits in days.

    Args:
        shares: of orders that come a day early, as promised, a day late, and so on.
        lead_time: promised, days.
        shape: of the waits.
        generator: of the draws.
    """
    early = generator.choice(len(shares), shape, p=np.asarray(shares) / np.sum(shares))
    return np.asarray(np.maximum(lead_time - 1 + early, 1), dtype=np.int64)
