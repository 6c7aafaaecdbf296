"""Orders that come early or late: every unit arrives once, on its day, and policies see what nobody can know better."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.on_the_way import OrdersOnTheWay, drawn_waits
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.replay import replayed
from tests.rl.inventory.states import POISSON, rules

DEMAND = POISSON.draw((20, 60), np.random.default_rng(0))


@pytest.mark.parametrize("lead_time", [2, 3])
def test_waits_of_the_lead_time_are_orders_as_promised(lead_time: int) -> None:
    opening = np.random.default_rng(1).integers(0, 9, (20, lead_time))
    given = rules(lead_time)
    plain = replayed(BaseStock(19), DEMAND, given, opening=opening)
    waits = np.full(DEMAND.shape, lead_time)
    found = replayed(BaseStock(19), DEMAND, given, opening=opening, waits=waits)
    for name in ("stock", "order", "sales", "left_over", "lost", "opening", "closing"):
        assert (getattr(found, name) == getattr(plain, name)).all()


def test_days_by_hand() -> None:
    """Promised in two days; the first order takes one, the second four, the third two."""
    way = OrdersOnTheWay(np.array([[4, 0]]), np.array([[1, 4, 2, 2, 2, 2]]))
    shown = [way.states.pipeline[0].tolist()]
    for order in (10, 20, 30, 0, 0):
        way.after(np.array([order]), np.array([way.states.stock[0] - 1]))
        shown.append(way.states.pipeline[0].tolist())
    # The 20 are late from day 3 on, and seen as due the day after, beside what else is due then.
    assert shown == [[4, 0], [13, 0], [12, 20], [11, 50], [40, 20], [59, 0]]


def test_every_unit_is_accounted_for_whatever_the_waits() -> None:
    waits = np.random.default_rng(2).integers(1, 7, DEMAND.shape)
    found = replayed(BaseStock(24), DEMAND, rules(3), waits=waits)
    assert (found.opening + found.order.sum(axis=1) - found.sales.sum(axis=1) == found.closing).all()
    assert (found.stock >= 0).all()
    assert (found.positions <= 24).all()
    # A position that is all there is to see never exceeds the level, however late orders are.
    assert (found.positions[:, -1] - found.sales[:, -1] == found.closing).all()


def test_late_orders_cost() -> None:
    usual, late = (replayed(BaseStock(24), DEMAND, rules(3), waits=np.full(DEMAND.shape, wait)) for wait in (3, 5))
    assert late.cost(rules(3)).mean() > 1.5 * usual.cost(rules(3)).mean()


def test_waits_are_drawn_by_their_shares() -> None:
    found = drawn_waits(np.array([1.0, 2.0, 1.0]), 3, 40_000, np.random.default_rng(0))
    counts = np.bincount(found, minlength=5) / 40_000
    # Three standard errors of a share of a half are .0075.
    assert counts == pytest.approx([0, 0, 0.25, 0.5, 0.25], abs=0.0075)


@pytest.mark.parametrize(
    ("opening", "waits", "message"),
    [
        (np.ones((2, 1), dtype=np.int64), np.ones((2, 3), dtype=np.int64), "at least 2 days; got 1"),
        (np.ones((2, 2), dtype=np.int64), np.zeros((2, 3), dtype=np.int64), "whole days of at least 1"),
        (np.ones((2, 2), dtype=np.int64), np.ones((3, 3), dtype=np.int64), "whole days of at least 1"),
        (np.ones((2, 2), dtype=np.int64), np.full((2, 3), 1.5), "whole days of at least 1"),
    ],
)
def test_what_cannot_be_told_is_refused(opening: np.ndarray, waits: np.ndarray, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        OrdersOnTheWay(opening, waits)


def test_waits_of_other_days_are_refused() -> None:
    with pytest.raises(InventoryError, match=r"waits have shape \(20, 59\)"):
        replayed(BaseStock(3), DEMAND, rules(2), waits=np.full((20, 59), 2))
