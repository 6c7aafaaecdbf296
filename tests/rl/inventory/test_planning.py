"""The plan against published optima, brute force, and its own limits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.planning import plan
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
