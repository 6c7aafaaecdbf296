"""Stock that can be sold for some days alone: the oldest is sold first, and what is past its days is waste."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError

MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class ShelfLife:
    """How long products can be sold, and what a piece that can't be costs; `(n_products,)` each.

    Attributes:
        days: on which a piece can be sold, that of its arrival included; 0 where it keeps for good.
        cost: of a piece, whole millionths; None where it isn't told of all products that don't keep.
        is_charged: whether what is wasted is taken off what is earned.
    """

    days: IntArray
    cost: IntArray | None
    is_charged: bool

    def of(self, rows: IntArray | BoolArray) -> ShelfLife:
        """Return the same of some of the products, in that order."""
        return ShelfLife(self.days[rows], None if self.cost is None else self.cost[rows], self.is_charged)

    @property
    def charge(self) -> FloatArray | None:
        """What a wasted piece of each product takes off what is earned, in money, `(n_products,)`; None for nothing."""
        return None if self.cost is None or not self.is_charged else self.cost / MILLIONTHS


class AgedStock:
    """Units of products on hand by the days on which they can still be sold."""

    def __init__(self, stock: IntArray, days: IntArray) -> None:
        """Begin with stock that arrived today: nothing is known of its age.

        Args:
            stock: units, `(n_products,)`.
            days: as of `ShelfLife`, `(n_products,)`.

        Raises:
            InventoryError: days that don't fit.
        """
        if days.shape != stock.shape or not np.issubdtype(days.dtype, np.integer) or (days < 0).any():
            raise InventoryError(
                f"shelf days are {days.dtype} of shape {days.shape}; expected whole days {stock.shape}"
            )
        # Column k holds what can be sold today and on k further days; the last one what keeps for good.
        self._place = np.where(days > 0, days - 1, int(days.max(initial=0)))
        self._units = np.zeros((len(stock), int(days.max(initial=0)) + 1), dtype=np.int64)
        self.begin(np.ones(len(stock), dtype=np.bool_), stock)

    def begin(self, rows: BoolArray, stock: IntArray) -> None:
        """Put stock that arrived today in the place of what the rows, `(n_products,)`, held."""
        self._units[rows] = 0
        self._units[rows, self._place[rows]] = stock[rows]

    def take(self, units: IntArray) -> None:
        """Take units, `(n_products,)`, the oldest first, as far as there are."""
        older = np.cumsum(self._units, axis=1) - self._units
        self._units -= np.clip(units[:, None] - older, 0, self._units)

    def after(self, sales: IntArray) -> IntArray:
        """Take a day's sales, the oldest units first; return the units that can't be sold tomorrow, `(n_products,)`."""
        self.take(sales)
        keeps = self._units.shape[1] - 1
        wasted = self._units[:, 0].copy() if keeps else np.zeros(len(sales), dtype=np.int64)
        if keeps:
            self._units[:, : keeps - 1] = self._units[:, 1:keeps]
            self._units[:, keeps - 1] = 0
        return wasted

    def arrive(self, units: IntArray) -> None:
        """Take in what arrives on the next morning, `(n_products,)`."""
        self._units[np.arange(len(units)), self._place] += units
