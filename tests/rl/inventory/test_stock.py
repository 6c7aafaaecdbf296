"""One period of stock, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.stock import StockRules, StockStates, after_period, checked_orders
from tests.rl.inventory.states import states


def test_period_sells_loses_and_moves_the_pipeline_up() -> None:
    following, units = after_period(states((5, 2, 1), (3, 4, 0)), np.array([7, 8]), np.array([2, 9]))
    assert following.pipeline.tolist() == [[5, 1, 7], [4, 0, 8]]
    assert (units.sales.tolist(), units.left_over.tolist(), units.lost.tolist()) == ([2, 3], [3, 0], [0, 6])


def test_with_a_lead_time_of_one_the_order_is_there_in_the_next_period() -> None:
    following, _ = after_period(states((5,)), np.array([4]), np.array([3]))
    assert following.pipeline.tolist() == [[6]]


def test_every_unit_is_accounted_for() -> None:
    generator = np.random.default_rng(1)
    now = StockStates(generator.integers(0, 9, (500, 3)))
    orders, demand = generator.integers(0, 9, 500), generator.integers(0, 15, 500)
    following, units = after_period(now, orders, demand)
    assert (now.position + orders - units.sales == following.position).all()
    assert (units.sales + units.lost == demand).all()
    assert ((units.left_over == 0) | (units.lost == 0)).all()


def test_rules_without_a_lead_time_or_cost_are_refused_together() -> None:
    with pytest.raises(InventoryError, match=r"lead_time is 0.*; holding_cost is -1.*; penalty is nan"):
        StockRules(0, -1.0, float("nan"))


class _Ordering:
    def __init__(self, orders: object) -> None:
        self.orders = orders

    def order(self, _: StockStates) -> object:
        return self.orders


@pytest.mark.parametrize("orders", [[1.5, 2.0], [1], [-1, 2]])
def test_orders_that_are_none_are_refused(orders: list[float]) -> None:
    with pytest.raises(InventoryError, match="_Ordering ordered"):
        checked_orders(_Ordering(np.array(orders)), states((1,), (2,)))
