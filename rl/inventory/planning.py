"""The best policy for known demand, by relative value iteration over stock and orders on the way.

Source: Puterman, Markov Decision Processes (1994), section 8.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.stock import StockRules, StockStates

_MOST_CELLS = 5_000_000


@dataclass(frozen=True)
class Lattice:
    """What a table counts in.

    Attributes:
        grain: units of stock between two rows; what is left between two of them counts for both, by its distance.
        step: units between two orders, a whole number of grains.
    """

    grain: int = 1
    step: int = 1

    def __post_init__(self) -> None:
        if self.grain < 1 or self.step % self.grain or self.step < 1:
            raise InventoryError(f"orders in steps of {self.step}, stock in {self.grain}; expected a whole multiple")


@dataclass(frozen=True)
class Plan:
    """A table of orders; a policy.

    Attributes:
        orders: units by stock and by what is on the way, `(levels of stock, levels of orders, ...)`; states between two
            levels are read at the nearest, states beyond at the edge.
        least_cost: no policy costs less per period, in money.
        most_cost: the plan costs no more; both are exact for the demand planned on, up to the table's edges, where it
            counts in single units.
        lattice: that it counts in.
    """

    orders: IntArray
    least_cost: float
    most_cost: float
    lattice: Lattice = Lattice()

    def order(self, states: StockStates) -> IntArray:
        if states.lead_time != self.orders.ndim:
            raise InventoryError(f"the plan is for a lead time of {self.orders.ndim}, stock is of {states.lead_time}")
        edges = np.asarray(self.orders.shape) - 1
        unit = np.array([self.lattice.grain, *[self.lattice.step] * (states.lead_time - 1)])
        places = (2 * states.pipeline + unit) // (2 * unit)
        return np.asarray(self.orders[tuple(np.minimum(places, edges).T)])


def plan(
    rules: StockRules,
    demand: DemandDistribution,
    *,
    largest_stock: int | None = None,
    largest_order: int | None = None,
    order_cost: float = 0.0,
    lattice: Lattice | None = None,
    tolerance: float = 1e-6,
    most_sweeps: int = 20_000,
) -> Plan:
    """Return the plan of least average cost.

    Args:
        rules: lead time and costs.
        demand: of a period, independent of all others.
        largest_stock: units on hand that the table holds; None for a little more than the base-stock level that would
            be best if lost demand came back, above which no order pays.
        largest_order: units; None for what a period's demand exceeds once in two thousand.
        order_cost: of an order, whatever its size, in money.
        lattice: that stock and orders are counted in; None for single units.
        tolerance: between the plan's cost and the least possible, in money per period.
        most_sweeps: over all states.

    Raises:
        InventoryError: a table too large to fill, or a plan that isn't found within the sweeps.

    Source: Zipkin, Old and New Methods for Lost-Sales Inventory Systems (2008), for the state and its bounds.
    """
    if largest_stock is None:
        largest_stock = demand.over_periods(rules.lead_time + 1).quantile(rules.critical_ratio) + 2
    if largest_order is None:
        largest_order = max(demand.quantile(0.9995), 1)
    lattice = lattice or Lattice()
    n_stock, n_orders = 1 + -(-largest_stock // lattice.grain), 1 + -(-largest_order // lattice.step)
    shape = (n_stock, *[n_orders] * (rules.lead_time - 1))
    if (n_cells := table_cells(n_stock, n_orders, rules.lead_time)) > _MOST_CELLS:
        raise InventoryError(
            f"a plan over {n_cells} states and orders is too large (at most {_MOST_CELLS}); use a policy with few "
            "numbers, such as the projected inventory level, or plan in packs"
        )
    left, left_over = _left_over(demand, lattice.grain, n_stock)
    lost = demand.mean - (lattice.grain * np.arange(n_stock) - left_over)
    cost = (rules.holding_cost * left_over + rules.penalty * lost).reshape(-1, *[1] * (rules.lead_time - 1))
    paid = order_cost * (np.arange(n_orders) > 0)
    values = np.zeros(shape)
    for _ in range(most_sweeps):
        ahead = _ahead(values, left, lattice.step // lattice.grain * np.arange(n_orders)) + paid
        backed_up = cost + ahead.min(axis=-1)
        change = backed_up - values
        least, most = float(change.min()), float(change.max())
        if most - least < tolerance:
            return Plan(lattice.step * ahead.argmin(axis=-1).astype(np.int64), least, most, lattice)
        # Half a step has the same fixed point, and never goes round in circles.
        values += 0.5 * (change - change.flat[0])
    raise InventoryError(f"no plan within {most_sweeps} sweeps over {n_cells} states and orders; raise the tolerance")


def table_cells(n_stock: int, n_orders: int, lead_time: int) -> int:
    """Return how many states and orders a table goes over: levels of stock, and of orders on the way and placed."""
    return int(n_stock * n_orders**lead_time)


def _left_over(demand: DemandDistribution, grain: int, n_stock: int) -> tuple[FloatArray, FloatArray]:
    """Return chances of what a level of stock leaves over, `(n_stock, n_stock)`, and its mean in units, `(n_stock,)`.

    What is left between two levels counts for both, by its distance from each, so that its mean stays.
    """
    left, mean = np.zeros((n_stock, n_stock)), np.zeros(n_stock)
    for level in range(n_stock):
        stock = level * grain
        chances = demand.probabilities[:stock]
        units = stock - np.arange(len(chances))
        below, part = np.divmod(units, grain)
        left[level] = np.bincount(below, chances * (1 - part / grain), minlength=n_stock)
        left[level] += np.bincount(below + 1, chances * (part / grain), minlength=n_stock + 1)[:n_stock]
        left[level, 0] += max(1.0 - float(chances.sum()), 0.0)
        mean[level] = chances @ units
    return left, mean


def _ahead(values: FloatArray, left: FloatArray, arriving: IntArray) -> FloatArray:
    """Return the expected value after the period by state and order, `(*values.shape, n_orders)`.

    Args:
        values: by state.
        left: chances of what a level of stock leaves over.
        arriving: each order, in levels of stock, `(n_orders,)`.
    """
    n_levels = len(left)
    after = np.minimum(np.arange(n_levels)[None, :] + arriving[:, None], n_levels - 1)
    if values.ndim == 1:
        return np.asarray(left @ values[after].T)
    # (what arrives next, units left over, the rest of the pipeline): averaged over what is left over.
    moved = values[after].reshape(len(arriving), n_levels, -1)
    averaged = np.matmul(left, moved)
    return np.ascontiguousarray(averaged.transpose(1, 0, 2)).reshape(n_levels, len(arriving), *values.shape[1:])
