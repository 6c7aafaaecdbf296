"""A declared stock: the rule orders what it says, no unit appears from nowhere, and it is called a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.declared_stock import DeclaredStock
from tests.rl.inventory.states import rules

DECLARED = DeclaredStock(rules(2), safety=1.0, variance=(1.0, 0.1), opening_days=1.5)
DEMAND = np.random.default_rng(0).poisson(6, (10, 40)).astype(np.int64)
FORECASTS = np.full((10, 40, 3), 6.0)


def test_the_rule_orders_up_to_its_level_from_the_declared_start_on() -> None:
    found = DECLARED.simulated(DEMAND, FORECASTS)
    # Three days of 6 units, and the root of 3 * (6 + 3.6) above them: 23.37.
    assert (found.positions[:, 0] == 23).all()
    assert (found.opening == 18).all()  # nine on hand and nine due
    assert (found.opening + found.order.sum(axis=1) - found.sales.sum(axis=1) == found.closing).all()


def test_demand_is_the_logs_whatever_the_simulated_stock() -> None:
    found = DECLARED.simulated(DEMAND, FORECASTS)
    assert (found.sales + found.lost == DEMAND).all()
    assert found.lost.sum() > 0


def test_who_reads_its_figures_is_told_that_stock_is_simulated() -> None:
    assert DECLARED.sentence == (
        "Stock is simulated, since the log counts none: what was sold is taken for what was asked for, and orders "
        "follow the forecast with 1 standard deviations of safety, arriving after 2 days, from 1.5 days of stock on."
    )


@pytest.mark.parametrize(("safety", "days"), [(float("nan"), 1.0), (1.0, -0.5)])
def test_what_declares_nothing_is_refused(safety: float, days: float) -> None:
    with pytest.raises(InventoryError, match="expected at least 0 days"):
        DeclaredStock(rules(2), safety=safety, opening_days=days)
