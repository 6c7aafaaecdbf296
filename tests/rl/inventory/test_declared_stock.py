"""A declared stock: the rule orders what it says, no unit appears from nowhere, and it is called a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.limits import OrderLimits
from rl.inventory.order_days import OrderDays

DEMAND = np.random.default_rng(0).poisson(6, (10, 60)).astype(np.int64)
WEEKDAY = np.arange(60, dtype=np.int64) % 7
EVERYWHERE = np.ones_like(DEMAND, dtype=np.bool_)
DAYS = np.broadcast_to(WEEKDAY, DEMAND.shape)
DECLARED = DeclaredStock(2, safety=1.0, recent_days=14)


def test_levels_are_mean_and_deviation_of_the_last_days_sales() -> None:
    """Of three days until the next order has arrived; the first morning knows nothing."""
    levels = DECLARED.levels(DEMAND, EVERYWHERE, WEEKDAY)
    assert levels.shape == (10, 61)
    assert (levels[:, 0] == 0).all()
    for morning in (1, 5, 14, 40, 60):
        seen = DEMAND[:, max(morning - 14, 0) : morning]
        wished = 3 * seen.mean(axis=1) + np.sqrt(3) * seen.std(axis=1)
        assert (levels[:, morning] == np.ceil(np.round(wished, 6))).all()


def test_levels_look_at_known_days_alone() -> None:
    """What a product sold before it came into the range is no sale of a day without decision."""
    known = EVERYWHERE.copy()
    known[0, :20] = False
    levels = DECLARED.levels(DEMAND, known, WEEKDAY)
    assert (levels[0, :21] == 0).all()
    assert levels[0, 23] == np.ceil(np.round(3 * DEMAND[0, 20:23].mean() + np.sqrt(3) * DEMAND[0, 20:23].std(), 6))
    assert (levels[1:] == DECLARED.levels(DEMAND, EVERYWHERE, WEEKDAY)[1:]).all()


def test_no_morning_sees_its_own_day_or_a_later_one() -> None:
    """Whatever is sold from a day on, levels up to that day's morning stay as they were."""
    changed = DEMAND.copy()
    changed[:, 30:] = 99
    levels, others = (DECLARED.levels(demand, EVERYWHERE, WEEKDAY) for demand in (DEMAND, changed))
    assert (levels[:, :31] == others[:, :31]).all()
    assert (levels[:, 31] < others[:, 31]).all()


def test_the_rule_orders_up_to_its_level_from_an_empty_shelf_on() -> None:
    levels = DECLARED.levels(DEMAND, EVERYWHERE, WEEKDAY)[:, :-1]
    found = DECLARED.simulated(DEMAND, levels, DAYS)
    assert (found.opening == 0).all()
    assert (found.positions >= levels).all()
    assert (found.positions[found.order > 0] == levels[found.order > 0]).all()
    assert (found.order.sum(axis=1) - found.sales.sum(axis=1) == found.closing).all()
    assert (found.sales + found.lost == DEMAND).all()
    assert found.lost[:, 10:].sum() > 0


def test_an_order_of_some_weekdays_lasts_until_the_next_one_arrives() -> None:
    """Mondays alone: nine days of sales, and none on other days."""
    weekly = DeclaredStock(2, safety=0.0, recent_days=14, order_days=OrderDays((0,)))
    levels = weekly.levels(DEMAND, EVERYWHERE, WEEKDAY)
    monday = 28
    assert (levels[:, monday] == np.ceil(np.round(9 * DEMAND[:, 14:28].mean(axis=1), 6))).all()
    found = weekly.simulated(DEMAND, levels[:, :-1], DAYS)
    assert (found.order[:, WEEKDAY != 0] == 0).all()
    assert found.order[:, WEEKDAY == 0].sum() > 0


def test_orders_are_whole_packs_within_what_may_lie_there() -> None:
    limits = OrderLimits(np.full(10, 6), np.full(10, 12), np.full(10, 24))
    found = DECLARED.simulated(DEMAND, DECLARED.levels(DEMAND, EVERYWHERE, WEEKDAY)[:, :-1], DAYS, limits=limits)
    assert set(np.unique(found.order).tolist()) <= {0, 12, 18, 24}
    assert found.positions.max() <= 24


def test_what_does_not_keep_is_wasted() -> None:
    """Units that two days can sell leave the stock."""
    generous = DeclaredStock(2, safety=8.0, recent_days=14)
    levels = generous.levels(DEMAND, EVERYWHERE, WEEKDAY)[:, :-1]
    found = generous.simulated(DEMAND, levels, DAYS, shelf_days=np.full(10, 2))
    assert found.wasted is not None
    assert found.wasted.sum() > 0


def test_who_reads_its_figures_is_told_that_stock_is_simulated() -> None:
    assert DECLARED.sentence == (
        "Stock is simulated, since the log counts none: what was sold is taken for all that was asked for, and the "
        "shop is taken to order every day up to the mean sales of the days until the next order has arrived and 1 "
        "standard deviations more, both as of the last 14 days. Orders arrive after 2 days; a product begins with an "
        "empty shelf."
    )


@pytest.mark.parametrize(("lead", "safety", "days"), [(2, float("nan"), 14), (2, 1.0, 1), (0, 1.0, 14)])
def test_what_declares_nothing_is_refused(lead: int, safety: float, days: int) -> None:
    with pytest.raises(InventoryError, match="expected a finite safety"):
        DeclaredStock(lead, safety=safety, recent_days=days)
