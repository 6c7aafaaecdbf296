"""Plans of many products as tables that a policy reads: NumPy alone, flat arrays that safetensors hold.

A product has a table for each of a few sizes of demand. A day's forecasts choose the nearest, and stock is read in
proportion: what a table says of demand of 10 a day holds, a tenth larger, of 11 a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import PolicyError

PREFIX = "plan."
_COUNTS = ("first", "grain", "step", "n_stock", "n_orders")
_LEAST_DEMAND = 0.01
_HALF = 0.5 - 1e-9


@dataclass(frozen=True)
class PlanTable:
    """One product's plan for one size of demand.

    Attributes:
        mean: demand a day that it is for, units, above 0.
        grain: units between two levels of stock.
        step: units between two orders.
        orders: in steps, by stock and by what is on the way, `(n_stock, n_orders, ...)`.
    """

    mean: float
    grain: int
    step: int
    orders: IntArray


@dataclass(frozen=True)
class PlanTables:
    """All products' tables, one after the other.

    Attributes:
        products: natural keys of those that have tables.
        first: first table of each product, and the number of all, `(n_products + 1,)`.
        mean: as of `PlanTable`, `(n_tables,)`.
        grain, step: likewise.
        n_stock: levels of stock of each table, `(n_tables,)`.
        n_orders: levels of orders of each.
        orders: in steps, the tables flat, one after the other.
        lead_time: days from an order to its arrival.
    """

    products: tuple[str, ...]
    first: IntArray
    mean: FloatArray
    grain: IntArray
    step: IntArray
    n_stock: IntArray
    n_orders: IntArray
    orders: IntArray
    lead_time: int

    def __post_init__(self) -> None:
        sizes = self.n_stock * self.n_orders ** (self.lead_time - 1)
        fits = (
            len(self.first) == len(self.products) + 1
            and self.first[0] == 0
            and self.first[-1] == len(self.mean)
            and (np.diff(self.first) > 0).all()
            and len(self.orders) == int(sizes.sum())
            and bool(np.isfinite(self.mean).all())
            and all(bool((one > 0).all()) for one in (self.mean, self.grain, self.step, self.n_stock, self.n_orders))
        )
        if not fits:
            raise PolicyError(
                f"tables of {len(self.products)} products don't fit together: {len(self.mean)} tables with "
                f"{int(sizes.sum())} states, {len(self.orders)} orders"
            )

    @classmethod
    def of(cls, tables: Mapping[str, Sequence[PlanTable]], lead_time: int) -> PlanTables:
        """Return the tables of products, each of which has at least one."""
        found = [one for own in tables.values() for one in own]

        def whole(values: list[int]) -> IntArray:
            return np.array(values, dtype=np.int64)

        return cls(
            products=tuple(tables),
            first=np.cumsum([0, *(len(own) for own in tables.values())], dtype=np.int64),
            mean=np.array([one.mean for one in found], dtype=np.float64),
            grain=whole([one.grain for one in found]),
            step=whole([one.step for one in found]),
            n_stock=whole([one.orders.shape[0] for one in found]),
            n_orders=whole([1 if lead_time == 1 else one.orders.shape[1] for one in found]),
            orders=np.concatenate([np.zeros(0, dtype=np.int64), *(one.orders.reshape(-1) for one in found)]),
            lead_time=lead_time,
        )

    def rows(self, products: tuple[str, ...]) -> IntArray:
        """Return the row of each product among those with tables, -1 where it has none, `(n,)`."""
        return np.array([self._places.get(one, -1) for one in products], dtype=np.int64)

    def read(self, rows: IntArray, pipeline: FloatArray, usual: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Return up to what is ordered, in units and parts of them, and whether anything is, `(n,)` each.

        A state between levels is read at all that surround it: something is ordered where those that order weigh half
        or more by their distance, up to the mean of what they order up to.

        Args:
            rows: of products with tables, as of `rows`, `(n,)`.
            pipeline: units by day of arrival, at least 0, `(n, lead_time)`.
            usual: a day's demand until an order arrives and on that day, by the forecasts, `(n,)`.
        """
        table = self._nearest(rows, usual)
        scale = self.mean[table] / np.maximum(usual, _LEAST_DEMAND)
        lead = self.lead_time
        unit = np.column_stack([self.grain[table], *[self.step[table]] * (lead - 1)])
        edge = np.column_stack([self.n_stock[table], *[self.n_orders[table]] * (lead - 1)]) - 1
        place = np.minimum(pipeline * scale[:, None] / unit, edge)
        below = np.minimum(np.floor(place), edge).astype(np.int64)
        part = place - below
        ordering, up_to = np.zeros(len(rows)), np.zeros(len(rows))
        for corner in product((0, 1), repeat=lead):
            at = np.minimum(below + np.array(corner), edge)
            weight = np.prod(np.where(np.array(corner) == 1, part, 1 - part), axis=1)
            order = self.step[table] * self._orders_at(table, at)
            weight = weight * (order > 0)
            ordering += weight
            up_to += weight * ((at * unit).sum(axis=1) + order)
        is_ordering = ordering >= _HALF
        level = np.where(is_ordering, up_to / np.maximum(ordering, _HALF) / scale, 0.0)
        return level, is_ordering

    def to_tensors(self) -> dict[str, Any]:
        """Return everything but the products' keys as named arrays."""
        counts = {f"{PREFIX}{name}": getattr(self, name).astype(np.int32) for name in _COUNTS}
        return counts | {f"{PREFIX}mean": self.mean, f"{PREFIX}orders": self.orders.astype(np.int16)}

    @classmethod
    def from_tensors(cls, products: Sequence[str], tensors: Mapping[str, Any], lead_time: int) -> PlanTables:
        """Return the tables that `to_tensors` wrote.

        Raises:
            PolicyError: arrays that don't fit together.
            KeyError: an array is missing.
        """
        counts = {name: tensors[f"{PREFIX}{name}"].astype(np.int64) for name in (*_COUNTS, "orders")}
        return cls(products=tuple(products), mean=tensors[f"{PREFIX}mean"], lead_time=lead_time, **counts)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.products)}

    @cached_property
    def _offsets(self) -> IntArray:
        sizes = self.n_stock * self.n_orders ** (self.lead_time - 1)
        return np.asarray(np.cumsum(sizes) - sizes)

    def _nearest(self, rows: IntArray, usual: FloatArray) -> IntArray:
        """Return the table of each row whose demand is nearest in proportion, `(n,)`; of equals the smaller."""
        n_own = self.first[rows + 1] - self.first[rows]
        most = int(n_own.max()) if len(rows) else 1
        own = np.minimum(np.arange(most)[None, :], n_own[:, None] - 1) + self.first[rows][:, None]
        distance = np.abs(np.log(self.mean[own]) - np.log(np.maximum(usual, _LEAST_DEMAND))[:, None])
        return np.asarray(own[np.arange(len(rows)), np.argmin(distance, axis=1)])

    def _orders_at(self, table: IntArray, at: IntArray) -> IntArray:
        place = at[:, 0]
        for column in at.T[1:]:
            place = place * self.n_orders[table] + column
        return np.asarray(self.orders[self._offsets[table] + place])
