"""Waste in a log: units past their days are no units that went astray."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import IntArray
from rl.inventory.logged_waste import logged_waste
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.replay import replayed
from rl.inventory.stock import StockRules


def astray_of(
    opening: list[int], received: list[int], sold: list[int], closing: list[int], *, days: int, known: str = ""
) -> list[int]:
    """What went astray of one product, by day; `known` marks days without a decision with a dot."""
    units = {
        "opening": np.array([opening]),
        "received": np.array([received]),
        "sold": np.array([sold]),
        "closing": np.array([closing]),
    }
    is_known = np.array([[one != "." for one in known or "x" * len(opening)]])
    shrinkage = units["opening"] + units["received"] - units["sold"] - units["closing"]
    found: list[int] = (shrinkage - logged_waste(units, is_known, np.array([days]))).tolist()[0]
    return found


def test_by_hand() -> None:
    """Two days of life: 10 come on the second day, 4 and 3 are sold, and the 3 that are left are thrown away.

    On the fourth day 8 come, and 2 are missing in the evening, none of which was past its days.
    """
    found = astray_of([0, 0, 6, 0], [0, 10, 0, 8], [0, 4, 3, 1], [0, 6, 0, 5], days=2)
    assert found == [0, 0, 0, 2]


def test_what_keeps_for_good_is_never_waste() -> None:
    assert astray_of([0, 0, 6, 0], [0, 10, 0, 8], [0, 4, 3, 1], [0, 6, 0, 5], days=0) == [0, 0, 3, 2]


def test_units_that_are_thrown_away_a_day_later_are_waste_all_the_same() -> None:
    """They lie there past their days, and are sold first as long as they do."""
    assert astray_of([0, 5, 5, 3], [5, 0, 0, 0], [0, 0, 2, 0], [5, 5, 3, 0], days=2) == [0, 0, 0, 0]


def test_what_turns_up_counts_as_arrived_then() -> None:
    """Fresh on the day after: of the 6 that are missing two days later, 2 hadn't passed their days."""
    assert astray_of([0, 4, 6, 6], [4, 0, 0, 0], [0, 0, 0, 0], [4, 6, 6, 0], days=3) == [0, -2, 0, 2]


def test_stock_of_unknown_age_may_be_waste_at_once() -> None:
    """As a log begins, and again behind days that aren't known."""
    found = astray_of([9, 5, 0, 7, 4], [0, 0, 0, 0, 0], [1, 2, 0, 1, 0], [5, 1, 0, 4, 4], days=4, known="xx.xx")
    assert found == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("shelf_days", [1, 3, 6])
def test_all_that_a_replay_wastes_is_waste_in_its_own_log(shelf_days: int) -> None:
    """And nothing went astray, unit by unit."""
    demand: IntArray = np.random.default_rng(7).poisson(4, (6, 80))
    days, nothing = np.full(6, shelf_days), np.zeros((6, 1), dtype=np.int64)
    led = replayed(
        BaseStock(24), demand, StockRules(2, 1.0, 9.0), opening=np.repeat(nothing, 2, axis=1), shelf_days=days
    )
    before = np.column_stack([nothing, led.left_over[:, :-1]])
    log = {"opening": before, "received": led.stock - before, "sold": led.sales, "closing": led.left_over}
    assert led.wasted is not None and led.wasted.any()
    np.testing.assert_array_equal(logged_waste(log, np.ones(demand.shape, dtype=np.bool_), days), led.wasted)
