"""The plan against published optima, brute force, and its own limits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.planning import Lattice, _left_over, plan
from rl.inventory.stock import StockStates
from rl.inventory.stock_chain import long_run
from tests.rl.inventory.states import POISSON, rules, states


class _Table:
    def __init__(self, orders: tuple[int, ...]) -> None:
        self.orders = np.array(orders)

    def order(self, at: StockStates) -> np.ndarray:
        return self.orders[np.minimum(at.stock, len(self.orders) - 1)]


def test_no_table_of_orders_costs_less() -> None:
    """All 3^4 tables of at most two units over four levels of stock, and the plan over the same."""
    demand = DemandDistribution(np.array([0.35, 0.4, 0.25]))
    given = rules(1, penalty=3.5)
    costs = []
    for orders in product(range(3), repeat=4):
        try:
            costs.append(long_run(_Table(orders), given, demand, most_states=50).cost)
        except InventoryError:
            continue  # orders without end
    found = plan(given, demand, largest_stock=8, largest_order=2, tolerance=1e-9)
    assert found.least_cost == pytest.approx(min(costs), abs=1e-8)


def test_no_table_of_orders_costs_less_where_an_order_costs_something() -> None:
    """The same with a cost of each order, which makes the best table wait: each table's chain is solved for."""
    demand, given, cost = DemandDistribution(np.array([0.35, 0.4, 0.25])), rules(1, penalty=3.5), 0.8
    costs = [_with_order_cost(orders, cost, demand, 3.5) for orders in product(range(4), repeat=4)]
    found = plan(given, demand, largest_stock=12, largest_order=3, order_cost=cost, tolerance=1e-9)
    assert found.least_cost == pytest.approx(min(costs), abs=1e-8)
    assert found.least_cost > plan(given, demand, largest_stock=12, largest_order=3).least_cost + 0.3


def _with_order_cost(orders: tuple[int, ...], order_cost: float, demand: DemandDistribution, penalty: float) -> float:
    """What a table for stock of 0 to 3 and more units costs a day, reckoned over stocks of up to 12."""
    n = 13
    moves, cost = np.zeros((n, n)), np.zeros(n)
    for stock in range(n):
        order = orders[min(stock, 3)]
        for units, chance in enumerate(demand.probabilities):
            left = max(stock - units, 0)
            moves[stock, min(left + order, n - 1)] += chance
            cost[stock] += chance * (left + penalty * max(units - stock, 0))
        cost[stock] += order_cost * (order > 0)
    share = np.full(n, 1 / n)
    for _ in range(3000):
        share = (share + share @ moves) / 2
    # Tables that order without end pile up at the edge, where they cost more than any other.
    return float(share @ cost)


def test_a_coarse_lattice_keeps_demand_s_mean_and_comes_near() -> None:
    """In twos and fours, read at the nearest state: within 9% of single units; a step must be whole grains."""
    given = rules(2)
    fine, coarse = plan(given, POISSON), plan(given, POISSON, lattice=Lattice(2, 4))
    assert set(np.unique(coarse.orders % 4).tolist()) == {0}
    assert fine.least_cost - 1e-6 <= long_run(coarse, given, POISSON).cost <= 1.09 * fine.least_cost
    left, mean = _left_over(POISSON, 4, 8)
    np.testing.assert_allclose(left.sum(axis=1), 1.0)
    np.testing.assert_allclose(4 * left @ np.arange(8), mean)
    np.testing.assert_allclose(mean, POISSON.expected_left_over(29)[::4])
    with pytest.raises(InventoryError, match="expected a whole multiple"):
        Lattice(2, 3)


def test_larger_tables_change_nothing() -> None:
    narrow, wide = plan(rules(2), POISSON), plan(rules(2), POISSON, largest_stock=40, largest_order=20)
    assert narrow.least_cost == pytest.approx(wide.least_cost, abs=2e-6)


def test_a_lead_time_of_four_agrees_with_the_published_cost() -> None:
    found = plan(rules(4, penalty=4), POISSON, largest_stock=25, largest_order=9, tolerance=1e-3)
    assert round(found.least_cost, 2) == 4.73


def test_a_plan_too_large_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(InventoryError, match="projected inventory level"):
        plan(rules(6), POISSON)


def test_a_plan_refuses_stock_of_another_lead_time() -> None:
    with pytest.raises(InventoryError, match="for a lead time of 2, stock is of 1"):
        plan(rules(2), POISSON).order(states((3,)))
