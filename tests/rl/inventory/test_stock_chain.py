"""Exact long-run costs against closed forms, published costs and long simulations."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.planning import plan
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.replay import replayed
from rl.inventory.stock import StockStates
from rl.inventory.stock_chain import long_run
from tests.rl.inventory.states import POISSON, SMALL, rules


def test_one_unit_at_a_lead_time_of_one_is_a_chain_that_is_solved_by_hand() -> None:
    """Demand is 1 with chance q: stock 1 sells with chance q, is then 0 for one period, and is filled again."""
    q = 0.4
    found = long_run(BaseStock(1), rules(1, penalty=9), DemandDistribution(np.array([1 - q, q])))
    in_stock = 1 / (1 + q)
    assert found.left_over == pytest.approx(in_stock * (1 - q), abs=1e-9)
    assert found.service == pytest.approx(in_stock, abs=1e-9)
    assert found.stock_out == pytest.approx((1 - in_stock) * q, abs=1e-9)
    assert found.cost == pytest.approx(in_stock * (1 - q) + 9 * q * (1 - in_stock), abs=1e-9)


@pytest.mark.parametrize("lead_time", [1, 2, 3])
def test_exact_averages_agree_with_a_long_simulation(lead_time: int) -> None:
    policy = BaseStock(4 + 2 * lead_time, cap=3)
    exact = long_run(policy, rules(lead_time, penalty=4), SMALL)
    demand = SMALL.draw((400, 500), np.random.default_rng(lead_time))
    seen = replayed(policy, demand, rules(lead_time), opening=np.full((400, lead_time), 2))
    # 200,000 product-days with costs of a standard deviation of 2: four standard errors, with correlation, are 0.05.
    assert seen.left_over.mean() + 4 * seen.lost.mean() == pytest.approx(exact.cost, abs=0.05)
    assert seen.service == pytest.approx(exact.service, abs=0.006)
    assert seen.stock_out == pytest.approx(exact.stock_out, abs=0.006)


def test_plan_costs_what_its_own_bounds_say() -> None:
    found = plan(rules(3, penalty=4), POISSON, tolerance=1e-8)
    assert found.least_cost - 1e-8 <= long_run(found, rules(3, penalty=4), POISSON).cost <= found.most_cost + 1e-8


class _Alternating:
    """Orders 3 while nothing is there, and nothing while 3 are: a chain that goes round where nothing is asked for."""

    def order(self, states: StockStates) -> np.ndarray:
        return np.where(states.position == 0, 3, 0)


def test_a_chain_that_goes_round_is_averaged() -> None:
    always_three = DemandDistribution(np.array([0.0, 0.0, 0.0, 1.0]))
    assert long_run(_Alternating(), rules(1, penalty=2), always_three).cost == pytest.approx(
        3.0
    )  # lost in every second


def test_a_policy_that_never_orders_loses_everything() -> None:
    assert long_run(BaseStock(0), rules(2, penalty=2), POISSON).cost == pytest.approx(10.0, abs=1e-9)


class _Endless:
    def order(self, states: StockStates) -> np.ndarray:
        return np.full(len(states.pipeline), 30)


def test_a_policy_that_orders_without_end_is_refused() -> None:
    with pytest.raises(InventoryError, match="orders without end"):
        long_run(_Endless(), rules(1), POISSON)


def test_a_chain_of_too_many_states_is_refused() -> None:
    with pytest.raises(InventoryError, match="BaseStock reaches more than 20 states"):
        long_run(BaseStock(20), rules(2), POISSON, most_states=20)
