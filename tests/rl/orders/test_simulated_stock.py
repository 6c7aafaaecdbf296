"""Simulated stock in the form of a log's: what a replay of it from any day on gives back, unit by unit."""

from __future__ import annotations

import numpy as np
import pytest

from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.limits import UnitLimits
from rl.orders.simulated_stock import SimulatedStock, simulated_stock

GENERATOR = np.random.default_rng(4)
SOLD = GENERATOR.poisson(4, (6, 50)).astype(np.int64)
KNOWN = np.ones_like(SOLD, dtype=np.bool_)
KNOWN[1, :12] = False
KNOWN[2, 20:31] = False
KNOWN[3, 45:] = False
KNOWN[5] = False
WEEKDAY = (2 + np.arange(50, dtype=np.int64)) % 7
LIMITS = UnitLimits().of_packs(np.array([1, 1, 6, 1, 4, 1]))


def simulated(lead: int, *, known: np.ndarray = KNOWN, sold: np.ndarray = SOLD) -> SimulatedStock:
    rule = DeclaredStock(lead, safety=0.8, recent_days=14)
    return simulated_stock(rule, sold, known, WEEKDAY[: sold.shape[1]], limits=LIMITS)


@pytest.mark.parametrize("lead", [1, 2, 4])
def test_each_morning_follows_from_the_one_before(lead: int) -> None:
    """What is left and due is there on the next day, the day's order is on its way, and nothing else."""
    found = simulated(lead)
    left = found.units["closing"]
    for day in range(49):
        rows = np.flatnonzero(KNOWN[:, day] & KNOWN[:, day + 1])
        following = np.column_stack([found.pipeline[:, day, 1:], found.units["ordered"][:, day]])
        following[:, 0] += left[:, day]
        assert (found.pipeline[rows, day + 1] == following[rows]).all()
    assert (left[KNOWN] == np.maximum(found.pipeline[..., 0] - SOLD, 0)[KNOWN]).all()


@pytest.mark.parametrize("lead", [1, 2, 4])
def test_tomorrow_is_the_morning_that_a_further_day_would_have(lead: int) -> None:
    """Of products that are in the range on the last day; of others there is nothing."""
    longer = simulated(lead)
    for last in (30, 44, 49):
        found = simulated(lead, known=KNOWN[:, :last], sold=SOLD[:, :last])
        rows = np.flatnonzero(KNOWN[:, last - 1] & KNOWN[:, last])
        assert (found.next_pipeline[rows] == longer.pipeline[rows, last]).all()
        assert (found.next_pipeline[~KNOWN[:, last - 1]] == 0).all()


def test_a_product_that_comes_back_begins_with_an_empty_shelf() -> None:
    found = simulated(2)
    assert (found.pipeline[2, 31] == 0).all()
    assert (found.pipeline[1, 12] == 0).all()
    assert found.pipeline[2, 19].sum() > 0


def test_days_that_are_not_known_hold_nothing() -> None:
    found = simulated(2)
    assert all((values[~KNOWN] == 0).all() for values in found.units.values())
    assert (found.pipeline[~KNOWN] == 0).all()


def test_what_was_sold_stays_the_logs() -> None:
    """Whatever the simulated shelf held: it is all that was asked for."""
    found = simulated(2)
    assert (found.units["sold"] == np.where(KNOWN, SOLD, 0)).all()
    assert (found.units["opening"] < found.units["sold"]).any()
