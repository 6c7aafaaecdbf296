"""The simulated log: it is what a buyer would know, and nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import InventoryError, ShopError
from rl.inventory.censored_demand import fit_demand
from rl.inventory.planning import plan
from rl.shops.inventory.logged_orders import Buyer, buyer_of, simulate_orders
from rl.shops.inventory.test_bed import Cell

CELL = Cell(9, 2)


def test_log_follows_demand_and_the_buyers_rule() -> None:
    log, demand = simulate_orders(CELL, buyer_of(CELL), n_periods=4000, seed=1)
    levels = log.pipeline.sum(axis=1) + log.order
    center = CELL.best_base_stock.policy.level
    assert np.mean((levels >= center - 3) & (levels <= center + 3)) > 0.93
    assert (log.sales == np.minimum(demand, log.pipeline[:, 0])).all()
    assert (log.ran_out == (demand >= log.pipeline[:, 0])).all()


def test_same_seed_same_log_and_demand_is_the_same_for_every_buyer() -> None:
    first, demand = simulate_orders(CELL, buyer_of(CELL), n_periods=300, seed=4)
    again, _ = simulate_orders(CELL, buyer_of(CELL), n_periods=300, seed=4)
    low, same_demand = simulate_orders(CELL, buyer_of(CELL, -3), n_periods=300, seed=4)
    assert (first.order == again.order).all()
    assert (demand == same_demand).all()
    assert low.ran_out.sum() > first.ran_out.sum()


@pytest.mark.parametrize("shift", [-3, 0, 3])
def test_a_plan_on_the_log_alone_is_within_half_a_percent_of_the_optimum(shift: int) -> None:
    log, _ = simulate_orders(CELL, buyer_of(CELL, shift), n_periods=50_000, seed=2)
    fitted = fit_demand(log.sales, log.ran_out).distribution
    assert CELL.percent_above(plan(CELL.rules, fitted)) < 0.5


def test_a_log_that_loses_units_is_refused() -> None:
    log, _ = simulate_orders(CELL, buyer_of(CELL), n_periods=50, seed=1)
    pipeline = log.pipeline.copy()
    pipeline[20, 0] += 1
    with pytest.raises(InventoryError, match=r"after rows \[19, 20\] stock isn't what was there"):
        replace(log, pipeline=pipeline)


def test_sales_beyond_the_stock_are_refused() -> None:
    log, _ = simulate_orders(CELL, buyer_of(CELL), n_periods=50, seed=1)
    with pytest.raises(InventoryError, match="sell more than their stock"):
        replace(log, sales=log.sales + 100)


def test_buyers_that_cannot_order_so_are_refused() -> None:
    with pytest.raises(ShopError, match="no buyer orders like"):
        Buyer(center=3, odd_share=1.5)
