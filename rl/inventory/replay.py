"""Any policy led through demand that was logged: the stock it would have had, sold and lost, unit by unit.

Two declared assumptions: demand doesn't depend on what was ordered, and it is known on each day, or drawn from its law
given what sold (`censored_demand.completed`). Two policies that are led through the same demand differ by their orders
alone, so the difference of their costs is known far better than either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.on_the_way import OrdersOnTheWay
from rl.inventory.shelf_life import AgedStock
from rl.inventory.stock import OrderingPolicy, PeriodUnits, StockRules, StockStates, after_period, checked_orders


@dataclass(frozen=True)
class ReplayedUnits:
    """What happened to the stock of each product on each day, in units, `(n_products, n_days)` each.

    Attributes:
        stock: on hand before demand.
        order: placed.
        sales: demand that was met.
        left_over: on hand after demand, and after what went astray.
        lost: demand beyond the stock.
        opening: stock on hand and on the way before the first day, `(n_products,)`.
        closing: on hand and on the way after the last day, `(n_products,)`.
        wasted: that couldn't be sold on the next day, and are no part of `left_over`; None where all keep for good.
        astray: units that left without being sold; below 0 where more turned up. None where none ever do.
    """

    stock: IntArray
    order: IntArray
    sales: IntArray
    left_over: IntArray
    lost: IntArray
    opening: IntArray
    closing: IntArray
    wasted: IntArray | None = None
    astray: IntArray | None = None

    def money(self, *, margin: IntArray, holding_cost: IntArray) -> IntArray:
        """Return margin on units sold less holding cost, exact, in millionths, `(n_products, n_days)`.

        Args:
            margin: of a unit sold, millionths, `(n_products,)`.
            holding_cost: of a unit left over a day, millionths, `(n_products,)`.
        """
        for name, values in (("margin", margin), ("holding_cost", holding_cost)):
            if not np.issubdtype(values.dtype, np.integer) or values.shape != self.opening.shape:
                raise InventoryError(
                    f"{name} is {values.dtype} of shape {values.shape}; expected whole millionths {self.opening.shape}"
                )
        return np.asarray(margin[:, None] * self.sales - holding_cost[:, None] * self.left_over)

    def cost(self, rules: StockRules) -> FloatArray:
        """Return holding cost and penalty of each product and day, in money, `(n_products, n_days)`."""
        return np.asarray(rules.holding_cost * self.left_over + rules.penalty * self.lost)

    @property
    def positions(self) -> IntArray:
        """Units on hand and on the way after each day's order, before its demand, `(n_products, n_days)`."""
        gone = self.sales if self.wasted is None else self.sales + self.wasted
        gone = gone if self.astray is None else gone + self.astray
        gone_before = np.cumsum(gone, axis=1) - gone
        return np.asarray(self.opening[:, None] + np.cumsum(self.order, axis=1) - gone_before)

    @property
    def service(self) -> float:
        """Share of demand that was met."""
        demand = int(self.sales.sum() + self.lost.sum())
        return float(self.sales.sum()) / demand if demand else 1.0

    @property
    def stock_out(self) -> float:
        """Share of product-days on which demand exceeded the stock."""
        return float(np.mean(self.lost > 0))

    @property
    def turnover(self) -> float:
        """Units sold for each unit held, per day; infinite where nothing was ever held over."""
        held = float(self.left_over.mean())
        return float(self.sales.mean()) / held if held > 0 else float("inf")


def replayed(  # noqa: PLR0913 -- what happens to the stock, each told by its name
    policy: OrderingPolicy,
    demand: IntArray,
    rules: StockRules,
    *,
    features: FloatArray | None = None,
    opening: IntArray | None = None,
    waits: IntArray | None = None,
    starts: IntArray | None = None,
    shelf_days: IntArray | None = None,
    astray: IntArray | None = None,
) -> ReplayedUnits:
    """Return what the policy would have done to the stock.

    Args:
        policy: orders for all products together, day by day.
        demand: units, `(n_products, n_days)`.
        rules: the lead time.
        features: known when the day's order is placed, `(n_products, n_days, n_features)`.
        opening: pipelines to begin with, `(n_products, lead_time)`; None for the mean demand of each product due on
            each day.
        waits: days from order to arrival of each product's and day's order, `(n_products, n_days)`; None for the lead
            time.
        starts: day on which each product begins with its opening, `(n_products,)`; before it there is nothing of it,
            and the policy must order none. None for the first day.
        shelf_days: on which a unit of each product can be sold, 0 where it keeps for good, `(n_products,)`; what there
            is to begin with counts as arrived on that day. None where all keep.
        astray: units that leave unsold after each day's demand, below 0 where more turn up, `(n_products, n_days)`. No
            more leave than are there; what is missing is owed by those that turn up later, not by deliveries. None for
            none.

    Raises:
        InventoryError: demand below 0, arrays that don't fit, or orders that are none.
    """
    _check(demand, features=features, waits=waits, starts=starts, shelf_days=shelf_days, astray=astray)
    pipeline = _opening(demand, rules.lead_time) if opening is None else opening
    if pipeline.shape != (len(demand), rules.lead_time):
        raise InventoryError(f"opening stock has shape {pipeline.shape}, expected ({len(demand)}, {rules.lead_time})")
    n_products, n_days = demand.shape
    gone, strayed = np.zeros_like(demand), _Astray(n_products)
    begun = pipeline if starts is None else np.where((starts == 0)[:, None], pipeline, 0)
    states, on_the_way = StockStates(begun), None if waits is None else OrdersOnTheWay(pipeline, waits)
    aged = None if shelf_days is None else AgedStock(states.stock, shelf_days)
    names = ("stock", "order", "sales", "left_over", "lost", *(() if aged is None else ("wasted",)))
    columns: dict[str, IntArray] = {name: np.empty_like(demand) for name in names}
    for day in range(n_days):
        if starts is not None and day:
            states = StockStates(np.where((starts == day)[:, None], pipeline, states.pipeline))
            if aged is not None:
                aged.begin(starts == day, states.stock)
        seen = states if features is None else StockStates(states.pipeline, features[:, day])
        order = checked_orders(policy, seen)
        columns["stock"][:, day], columns["order"][:, day] = states.stock, order
        states, units = after_period(states, order, demand[:, day])
        if astray is not None:
            gone[:, day] = strayed.after(astray[:, day], units.left_over)
            states, units = _without(states, units, gone[:, day])
        if on_the_way is not None:
            on_the_way.after(order, units.left_over)
            states = on_the_way.states
        if aged is not None:
            columns["wasted"][:, day], states, units = _after_waste(aged, states, units, gone[:, day])
        for name in ("sales", "left_over", "lost"):
            columns[name][:, day] = getattr(units, name)
    told = None if astray is None else gone
    return ReplayedUnits(**columns, opening=pipeline.sum(axis=1), closing=states.position, astray=told)


def _check(
    demand: IntArray,
    *,
    features: FloatArray | None,
    waits: IntArray | None,
    starts: IntArray | None,
    shelf_days: IntArray | None,
    astray: IntArray | None,
) -> None:
    if demand.ndim != 2 or not demand.size or not np.issubdtype(demand.dtype, np.integer) or int(demand.min()) < 0:
        raise InventoryError(f"demand is {demand.dtype} of shape {demand.shape}; expected whole units of at least 0")
    n_products, n_days = demand.shape
    if features is not None and features.shape[:2] != demand.shape:
        raise InventoryError(f"features have shape {features.shape}, expected ({n_products}, {n_days}, n)")
    if waits is not None and waits.shape != demand.shape:
        raise InventoryError(f"waits have shape {waits.shape}, expected ({n_products}, {n_days})")
    if shelf_days is not None and waits is not None:
        raise InventoryError("units that don't keep are replayed where orders come as promised; leave out waits")
    if starts is not None and (starts.shape != (n_products,) or waits is not None):
        raise InventoryError(f"starts have shape {starts.shape}, expected ({n_products},), and go with no waits")
    if astray is not None and (astray.shape != demand.shape or waits is not None):
        raise InventoryError(
            f"astray has shape {astray.shape}, expected ({n_products}, {n_days}), and goes with no waits"
        )


class _Astray:
    """Units that leave products' stock unsold, or turn up, day by day: no more leave than are there.

    What is missing is owed by those that turn up later. What turned up on a day and is gone on the next was a count
    that the next one corrects: were it sold in between, whatever is left later owes it, so that no count makes stock.
    """

    def __init__(self, n_products: int) -> None:
        self._owed, self._lent, self._due = (np.zeros(n_products, dtype=np.int64) for _ in range(3))

    def after(self, astray: IntArray, left_over: IntArray) -> IntArray:
        """Return the units that leave what a day left over, below 0 where more turn up, `(n_products,)`."""
        leaving, found = np.maximum(astray, 0), np.maximum(-astray, 0)
        corrected = np.minimum(leaving, self._lent)
        given_back = np.minimum(corrected + self._due, left_over)
        self._due += corrected - given_back
        lost = np.minimum(leaving - corrected, left_over - given_back)
        self._owed += leaving - corrected - lost
        self._lent = np.maximum(found - self._owed, 0)
        self._owed -= found - self._lent
        return np.asarray(given_back + lost - self._lent)


def _without(states: StockStates, units: PeriodUnits, gone: IntArray) -> tuple[StockStates, PeriodUnits]:
    """Return the morning's states and the period's units without those that went astray, `(n_products,)`."""
    pipeline = states.pipeline.copy()
    pipeline[:, 0] -= gone
    return StockStates(pipeline), replace(units, left_over=units.left_over - gone)


def _after_waste(
    aged: AgedStock, states: StockStates, units: PeriodUnits, gone: IntArray
) -> tuple[IntArray, StockStates, PeriodUnits]:
    """Return the units that were wasted in the evening, and states and units without them.

    Of what went astray, `(n_products,)`, the oldest went; nobody knows the age of what turned up: it counts as arrived.
    """
    wasted = aged.after(units.sales + np.maximum(gone, 0))
    aged.arrive(states.stock - units.left_over + np.maximum(-gone, 0))
    kept = states.pipeline.copy()
    kept[:, 0] -= wasted
    return wasted, StockStates(kept), replace(units, left_over=units.left_over - wasted)


def _opening(demand: IntArray, lead_time: int) -> IntArray:
    mean = np.maximum(np.round(demand.mean(axis=1)), 1).astype(np.int64)
    return np.repeat(mean[:, None], lead_time, axis=1)
