"""Units that don't keep: sold oldest first, wasted after their last day, and every one accounted for."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.shelf_life import AgedStock
from rl.inventory.stock import StockRules, StockStates

RULES = StockRules(2, 1.0, 9.0)


class Given:
    """Orders of each day in turn, `(n_products, n_days)`."""

    def __init__(self, orders: IntArray) -> None:
        self._orders, self._day = orders, -1

    def order(self, states: StockStates) -> IntArray:  # noqa: ARG002  (whatever there is)
        self._day += 1
        return self._orders[:, self._day]


def led(demand: list[list[int]], orders: list[list[int]], opening: list[list[int]], days: list[int]) -> ReplayedUnits:
    return replayed(
        Given(np.array(orders)),
        np.array(demand),
        RULES,
        opening=np.array(opening),
        shelf_days=np.array(days),
    )


def test_by_hand() -> None:
    """Two days of life. Five units are there, two are sold; four arrive on the second day, with three old ones left.

    Second day: three old, four new, four asked for: three old and one new are sold, nothing is wasted. Third day: three
    new ones are left for their last day, one is asked for, two are wasted.
    """
    found = led([[2, 4, 1, 0]], [[0, 0, 0, 0]], [[5, 4]], [2])
    assert found.sales.tolist() == [[2, 4, 1, 0]]
    assert found.wasted is not None and found.wasted.tolist() == [[0, 0, 2, 0]]
    assert found.left_over.tolist() == [[3, 3, 0, 0]]
    assert found.stock.tolist() == [[5, 7, 3, 0]]
    assert found.positions.tolist() == [[9, 7, 3, 0]]


def test_what_is_sold_on_its_day_alone_never_stays_over_night() -> None:
    """One day of life: whatever isn't sold is waste, and later demand finds new arrivals alone."""
    found = led([[1, 1, 1, 3]], [[4, 4, 0, 0]], [[3, 0]], [1])
    assert found.wasted is not None and found.wasted.tolist() == [[2, 0, 3, 1]]
    assert found.left_over.tolist() == [[0, 0, 0, 0]]
    assert found.lost.tolist() == [[0, 1, 0, 0]]


def units_one_by_one(demand: IntArray, orders: IntArray, opening: IntArray, days: int) -> tuple[list[int], list[int]]:
    """Sales and waste of one product, each unit by the day on which it arrived."""
    shelf = [0] * int(opening[0])
    due = {1 + ahead: int(units) for ahead, units in enumerate(opening[1:].tolist())}
    sold, wasted = [], []
    for day, asked in enumerate(demand.tolist()):
        shelf += [day] * due.get(day, 0)
        due[day + RULES.lead_time] = due.get(day + RULES.lead_time, 0) + int(orders[day])
        shelf.sort()
        sold.append(min(asked, len(shelf)))
        shelf = shelf[sold[-1] :]
        kept = [arrived for arrived in shelf if not days or day + 1 < arrived + days]
        wasted.append(len(shelf) - len(kept))
        shelf = kept
    return sold, wasted


def test_random_days_are_those_of_units_one_by_one() -> None:
    """Products that keep for one to six days, and for good, side by side."""
    generator = np.random.default_rng(5)
    days = np.array([1, 2, 3, 4, 5, 6, 0, 0])
    demand, orders = generator.integers(0, 6, (8, 60)), generator.integers(0, 8, (8, 60))
    opening = generator.integers(0, 9, (8, 2))
    found = replayed(Given(orders), demand, RULES, opening=opening, shelf_days=days)
    assert found.wasted is not None
    for row in range(8):
        sold, wasted = units_one_by_one(demand[row], orders[row], opening[row], int(days[row]))
        assert found.sales[row].tolist() == sold and found.wasted[row].tolist() == wasted, row
    assert found.wasted[:6].any(axis=1).all() and not found.wasted[6:].any()
    gone = found.sales.sum(axis=1) + found.wasted.sum(axis=1)
    np.testing.assert_array_equal(found.opening + orders.sum(axis=1) - gone, found.closing)


def test_what_keeps_for_good_is_replayed_as_ever() -> None:
    """To the unit, with and without days that are declared to be none."""
    demand = np.random.default_rng(1).poisson(5.0, (20, 50))
    features = np.full((20, 50, 3), 5.0)
    plain = replayed(ForecastBaseStock(1.0, 2), demand, RULES, features=features)
    kept = replayed(ForecastBaseStock(1.0, 2), demand, RULES, features=features, shelf_days=np.zeros(20, dtype=int))
    for name in ("stock", "order", "sales", "left_over", "lost", "closing"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(kept, name), err_msg=name)
    assert plain.wasted is None and kept.wasted is not None and not kept.wasted.any()


def test_a_stretch_begins_with_fresh_stock_on_its_own_day() -> None:
    """Nothing is wasted of it before."""
    demand = np.zeros((2, 6), dtype=np.int64)
    found = replayed(
        Given(np.zeros_like(demand)),
        demand,
        RULES,
        opening=np.array([[4, 0], [4, 0]]),
        starts=np.array([0, 3]),
        shelf_days=np.array([2, 2]),
    )
    assert found.wasted is not None
    assert found.wasted.tolist() == [[0, 4, 0, 0, 0, 0], [0, 0, 0, 0, 4, 0]]


def test_days_that_do_not_fit_are_refused() -> None:
    for days in (np.array([1]), np.array([-1, 1]), np.array([1.0, 2.0])):
        with pytest.raises(InventoryError, match="shelf days"):
            AgedStock(np.zeros(2, dtype=np.int64), days)
    demand = np.ones((1, 3), dtype=np.int64)
    with pytest.raises(InventoryError, match="leave out waits"):
        replayed(Given(demand), demand, RULES, waits=demand + 1, shelf_days=np.array([2]))
