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
class Plan:
    """A table of orders; a policy.

    Attributes:
        orders: units by stock and by what is on the way, `(largest stock + 1, largest order + 1, ...)`; states beyond
            are read at the edge.
        least_cost: no policy costs less per period, in money.
        most_cost: the plan costs no more; both are exact for the demand planned on, up to the table's edges.
    """

    orders: IntArray
    least_cost: float
    most_cost: float

    def order(self, states: StockStates) -> IntArray:
        if states.lead_time != self.orders.ndim:
            raise InventoryError(f"the plan is for a lead time of {self.orders.ndim}, stock is of {states.lead_time}")
        edges = np.asarray(self.orders.shape) - 1
        return np.asarray(self.orders[tuple(np.minimum(states.pipeline, edges).T)])


def plan(
    rules: StockRules,
    demand: DemandDistribution,
    *,
    largest_stock: int | None = None,
    largest_order: int | None = None,
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
    shape = (largest_stock + 1, *[largest_order + 1] * (rules.lead_time - 1))
    n_cells = int(np.prod([float(size) for size in shape])) * (largest_order + 1)
    if n_cells > _MOST_CELLS:
        raise InventoryError(
            f"a plan over {n_cells} states and orders is too large (at most {_MOST_CELLS}); use a policy with few "
            "numbers, such as the projected inventory level, or plan in packs"
        )
    left = demand.left_over_chances(largest_stock + 1)
    left_over = demand.expected_left_over(largest_stock + 1)
    lost = demand.mean - (np.arange(largest_stock + 1) - left_over)
    cost = (rules.holding_cost * left_over + rules.penalty * lost).reshape(-1, *[1] * (rules.lead_time - 1))
    values = np.zeros(shape)
    for _ in range(most_sweeps):
        ahead = _ahead(values, left, largest_order)
        backed_up = cost + ahead.min(axis=-1)
        change = backed_up - values
        least, most = float(change.min()), float(change.max())
        if most - least < tolerance:
            return Plan(ahead.argmin(axis=-1).astype(np.int64), least, most)
        # Half a step has the same fixed point, and never goes round in circles.
        values += 0.5 * (change - change.flat[0])
    raise InventoryError(f"no plan within {most_sweeps} sweeps over {n_cells} states and orders; raise the tolerance")


def _ahead(values: FloatArray, left: FloatArray, largest_order: int) -> FloatArray:
    """Return the expected value after the period by state and order, `(*values.shape, largest_order + 1)`."""
    n_levels = len(left)
    arriving = np.arange(largest_order + 1)
    after = np.minimum(np.arange(n_levels)[None, :] + arriving[:, None], n_levels - 1)
    if values.ndim == 1:
        return np.asarray(left @ values[after].T)
    # (what arrives next, units left over, the rest of the pipeline): averaged over what is left over.
    moved = values[after].reshape(len(arriving), n_levels, -1)
    averaged = np.matmul(left, moved)
    return np.ascontiguousarray(averaged.transpose(1, 0, 2)).reshape(n_levels, len(arriving), *values.shape[1:])
