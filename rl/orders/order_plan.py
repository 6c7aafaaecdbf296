"""The plan of a night: value iteration for each product, on the law of its own days' demand.

A table is over stock and every order on the way, so it grows with the lead time as a power. Its lattice is the finest
that keeps it within LARGEST_TABLE; orders are whole packs. Where even steps of a third of the batch that the cost of an
order makes best (or a pack, if that is more) don't fit, the product has no table and is ordered by the projected level:
coarser tables are further from the best than that.

Demand moves with the forecast. Days are put in a few sizes of demand, each with the law of the days in it and its own
table; between two sizes, stock is read in proportion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import structlog

from rl.data.logged_episodes import FloatArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.order_policy import OrderPolicy
from rl.inventory.plan_tables import PlanTable, PlanTables
from rl.inventory.planning import Lattice, plan, table_cells
from rl.inventory.stock import StockRules
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import OrderSpan

LARGEST_TABLE = 500_000
"""States and orders that a table goes over at most."""
SIZE_RATIO = 1.6
"""Of the largest to the smallest demand that one table is for: the cost of an order weighs by demand."""
_USUAL_DAYS = (0.05, 0.95)
_LEAST_DEMAND = 0.05
_MOST_STRIDE = 6
_COARSEST = 3
"""Steps to a batch, at least: a third costs .3 to .6%. Without a cost of orders, two units of five a day cost 1%."""
_BATCHES = 1.5
_SURELY = 0.9995
_CLOSE = 2e-5
"""Between a plan's cost and the least possible, in what a day of demand brings."""
_MOST_SWEEPS = 3000


@dataclass(frozen=True)
class PlannedProducts:
    """Which products have a plan.

    Attributes:
        tables: None where no product has one.
        others: why not, by product; they are ordered by the projected level.
    """

    tables: PlanTables | None
    others: Mapping[str, str]


def with_plan(policy: OrderPolicy, basis: OrderBasis, span: OrderSpan) -> tuple[OrderPolicy, PlannedProducts]:
    """Return the policy with tables of all products that a table fits, and which these are.

    Args:
        policy: whose costs are planned for.
        basis: knows the laws of demand.
        span: days whose sizes of demand are planned for.
    """
    tables: dict[str, tuple[PlanTable, ...]] = {}
    others: dict[str, str] = {}
    for row, name in enumerate(span.history.products):
        try:
            tables[name] = tuple(_planned(policy, basis, span, row))
        except InventoryError as error:
            others[name] = str(error)
    structlog.get_logger().info("planned", n_products=len(tables), n_others=len(others))
    found = PlanTables.of(tables, policy.costs.lead_time) if tables else None
    return replace(policy, plan=found), PlannedProducts(found, others)


def _planned(policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, row: int) -> Iterator[PlanTable]:
    costs = policy.costs
    rules = StockRules(costs.lead_time, costs.holding_cost, float(costs.margins((span.history.products[row],))[0]))
    known = np.flatnonzero(span.is_known[row])
    if not len(known):
        raise InventoryError("no known training day")
    usual = np.maximum(span.forecasts[row, known].mean(axis=1), _LEAST_DEMAND)
    strata = basis.laws.strata(span.forecasts[row, known, 0], span.is_promoted[row, known])
    sizes = demand_sizes(usual)
    nearest = np.argmin(np.abs(np.log(usual)[:, None] - np.log(sizes)), axis=1)
    for size in np.unique(nearest).tolist():
        counts = np.bincount(strata[nearest == size], minlength=len(basis.laws.fitted))
        demand = basis.laws.law(counts / counts.sum(), float(sizes[size]))
        found = product_plan(rules, demand, pack=int(span.history.pack_size[row]), order_cost=costs.order_cost)
        yield replace(found, mean=float(sizes[size]))


def demand_sizes(usual: FloatArray) -> FloatArray:
    """Return the sizes of demand that tables are made for, in equal ratios, from most days' least to their largest.

    Args:
        usual: a day's demand until an order arrives, by the forecasts of each day, units above 0, `(n_days,)`.
    """
    least, largest = np.quantile(usual, _USUAL_DAYS).tolist()
    n = max(int(np.ceil(np.log(largest / least) / np.log(SIZE_RATIO))), 1)
    return np.asarray(least * (largest / least) ** ((np.arange(n) + 0.5) / n))


def product_plan(rules: StockRules, demand: DemandDistribution, *, pack: int, order_cost: float) -> PlanTable:
    """Return a product's plan on the finest lattice that keeps its table within LARGEST_TABLE.

    Args:
        rules: lead time and costs.
        demand: of a day, independent of all others.
        pack: units that are ordered together.
        order_cost: of an order, whatever its size, in money.

    Raises:
        InventoryError: no such lattice, no demand, or no plan within the sweeps.
    """
    if demand.mean <= 0:
        raise InventoryError("nothing is ever asked for")
    batch = float(np.sqrt(2 * order_cost * demand.mean / rules.holding_cost))
    more = int(np.ceil(_BATCHES * batch))
    exposed = demand.over_periods(rules.lead_time + 1)
    largest_order = max(demand.quantile(_SURELY), 1) + more
    largest_stock = exposed.quantile(rules.critical_ratio) + 2 + more + (pack if pack > 1 else 0)
    lattice = fitting_lattice(largest_stock, largest_order, rules.lead_time, pack=pack, batch=batch)
    found = plan(
        rules,
        demand,
        largest_stock=largest_stock,
        largest_order=largest_order,
        order_cost=order_cost,
        lattice=lattice,
        tolerance=_CLOSE * rules.penalty * demand.mean,
        most_sweeps=_MOST_SWEEPS,
    )
    return PlanTable(demand.mean, lattice.grain, lattice.step, found.orders // lattice.step)


def fitting_lattice(largest_stock: int, largest_order: int, lead_time: int, *, pack: int, batch: float) -> Lattice:
    """Return the lattice of the smallest step, in whole packs, whose table is within LARGEST_TABLE.

    Stock is counted in finer grains than orders where that fits: its levels count once, those of orders as a power.

    Args:
        largest_stock: units.
        largest_order: units.
        lead_time: days.
        pack: units that are ordered together.
        batch: units that the cost of an order makes best; a step is at most a third of that, or a pack.

    Raises:
        InventoryError: no such step.
    """
    step = pack
    while step <= max(batch / _COARSEST, pack):
        n_orders = 1 + -(-largest_order // step)
        for stride in range(min(step, _MOST_STRIDE), 0, -1):
            grain = step // stride
            is_fine = step % stride == 0 and (stride > 1 or step == 1)
            cells = table_cells(1 + -(-largest_stock // grain), n_orders, lead_time)
            if is_fine and cells <= LARGEST_TABLE:
                return Lattice(grain, step)
        step += pack
    raise InventoryError(
        f"a table over up to {largest_stock} units of stock and orders of up to {largest_order} on each of "
        f"{lead_time} days is larger than {LARGEST_TABLE:,}, even in steps of a third of a batch"
    )
