"""Replay: every unit is accounted for, money is exact, and what is compared met the same demand."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.replay import replayed
from rl.inventory.stock import StockStates
from tests.rl.inventory.states import POISSON, rules

DEMAND = POISSON.draw((20, 60), np.random.default_rng(0))


def test_every_unit_is_accounted_for() -> None:
    found = replayed(BaseStock(14), DEMAND, rules(2))
    balance = found.opening + found.order.sum(axis=1) - found.sales.sum(axis=1)
    assert (balance == found.closing).all()
    assert (found.sales + found.lost == DEMAND).all()
    assert (found.stock - found.sales == found.left_over).all()


def test_days_by_hand() -> None:
    found = replayed(BaseStock(5), np.array([[2, 4, 1]]), rules(1, penalty=9), opening=np.array([[3]]))
    assert found.stock.tolist() == [[3, 3, 2]]
    assert found.order.tolist() == [[2, 2, 3]]
    assert (found.sales.tolist(), found.lost.tolist()) == ([[2, 3, 1]], [[0, 1, 0]])
    assert found.cost(rules(1, penalty=9)).tolist() == [[1.0, 9.0, 1.0]]
    assert found.service == pytest.approx(6 / 7)
    assert found.stock_out == pytest.approx(1 / 3)
    assert found.turnover == pytest.approx((6 / 3) / (2 / 3))


def test_money_is_exact_in_millionths_beyond_what_doubles_hold() -> None:
    found = replayed(BaseStock(14), DEMAND, rules(2))
    margin, holding = np.full(20, 9_007_199_254_740_993), np.full(20, 1)
    money = found.money(margin=margin, holding_cost=holding)
    sales, left = int(found.sales[3, 7]), int(found.left_over[3, 7])
    assert int(money[3, 7]) == sales * 9_007_199_254_740_993 - left


def test_money_in_parts_of_millionths_is_refused() -> None:
    found = replayed(BaseStock(14), DEMAND, rules(2))
    with pytest.raises(InventoryError, match="margin is float64"):
        found.money(margin=np.full(20, 0.5), holding_cost=np.full(20, 1))


class _Looking:
    """Orders what its features say, and remembers them."""

    def order(self, states: StockStates) -> np.ndarray:
        return states.features[:, 0].astype(np.int64)


def test_features_of_a_day_are_shown_on_that_day() -> None:
    features = np.arange(120, dtype=np.float64).reshape(20, 6, 1)
    found = replayed(_Looking(), DEMAND[:, :6], rules(1), features=features)
    assert (found.order == features[:, :, 0]).all()


@pytest.mark.parametrize("demand", [np.zeros((2, 0), dtype=np.int64), np.full((2, 2), -1), np.full((2, 2), 0.5)])
def test_demand_that_is_none_is_refused(demand: np.ndarray) -> None:
    with pytest.raises(InventoryError, match="expected whole units"):
        replayed(BaseStock(3), demand, rules())


def test_opening_stock_of_another_lead_time_is_refused() -> None:
    with pytest.raises(InventoryError, match=r"opening stock has shape \(20, 3\)"):
        replayed(BaseStock(3), DEMAND, rules(2), opening=np.zeros((20, 3), dtype=np.int64))


def test_what_goes_astray_goes_before_what_is_wasted_and_all_units_add_up() -> None:
    """The oldest go astray; what turns up counts as arrived; waste is of what is left in the evening."""
    generator = np.random.default_rng(5)
    demand = generator.poisson(4, (3, 60))
    astray = generator.integers(-1, 3, (3, 60))
    opening = np.array([[9, 4], [0, 2], [30, 0]])
    found = replayed(
        BaseStock(22),
        demand,
        rules(2),
        opening=opening,
        astray=astray,
        shelf_days=np.array([2, 3, 0]),
    )
    assert found.wasted is not None
    assert found.astray is not None
    assert found.wasted[:2].sum() > 0 == found.wasted[2].sum()
    gone = found.sales + found.astray + found.wasted
    assert (found.opening + found.order.sum(axis=1) - gone.sum(axis=1) == found.closing).all()
    assert (found.stock - found.sales - found.astray - found.wasted == found.left_over).all()
    assert (found.left_over >= 0).all()


def test_what_could_not_go_astray_is_owed_by_what_turns_up_and_not_by_deliveries() -> None:
    """40 go astray in the log where a lean policy has 6 left: it loses these alone, and keeps all that comes later.

    Of the 50 that turn up, 34 never left it.
    """
    demand, astray = np.full((1, 6), 2), np.array([[0, 40, 0, 0, -50, 3]])
    found = replayed(BaseStock(10), demand, rules(1), opening=np.array([[6]]), astray=astray)
    assert found.astray is not None
    assert found.astray[0].tolist() == [0, 6, 0, 0, -16, 3]
    assert found.left_over[0].tolist() == [4, 0, 0, 6, 22, 19]
    assert found.order[0].tolist() == [4, 2, 8, 2, 2, 0]


def test_a_count_that_was_too_high_makes_no_stock() -> None:
    """5 turn up by a wrong count and are gone by the next one; sold in between, the next delivery owes them."""
    demand, astray = np.array([[2, 5, 0, 0]]), np.array([[-5, 5, 0, 0]])
    found = replayed(BaseStock(7), demand, rules(1), opening=np.array([[2]]), astray=astray)
    without = replayed(BaseStock(7), demand, rules(1), opening=np.array([[2]]))
    assert found.astray is not None and found.astray.sum() == 0
    assert found.left_over[0, -1] == without.left_over[0, -1]
