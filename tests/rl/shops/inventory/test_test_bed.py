"""The test bed's exact costs are those that the literature publishes."""

from __future__ import annotations

import pytest

from rl.inventory.policies.tuning import tuned_capped_base_stock
from rl.shops.inventory.test_bed import Cell, all_cells

TWO_DIGITS = 0.0065  # some published figures are cut, not rounded

# Zipkin (2008), Poisson demand of mean 5: least cost, best base-stock with its level.
PUBLISHED = {
    (4, 1): (4.04, 4.16, 12),
    (4, 2): (4.40, 4.64, 16),
    (4, 3): (4.60, 4.97, 20),
    (9, 1): (5.44, 5.55, 13),
    (9, 2): (6.09, 6.31, 19),
    (9, 3): (6.53, 6.86, 23),
    (19, 1): (6.68, 6.73, 15),
    (19, 2): (7.66, 7.84, 21),
    (19, 3): (8.36, 8.60, 26),
    (39, 1): (7.84, 7.86, 16),
    (39, 2): (9.11, 9.19, 22),
    (39, 3): (10.04, 10.22, 28),
}
CAPPED = {(4, 1): 4.07, (4, 2): 4.41, (9, 1): 5.48, (9, 2): 6.12, (19, 1): 6.69, (19, 2): 7.72, (39, 1): 7.84}


@pytest.mark.parametrize("cell", all_cells(), ids=lambda cell: cell.name)
def test_costs_are_the_published_ones(cell: Cell) -> None:
    optimal, base_stock, level = PUBLISHED[int(cell.penalty), cell.lead_time]
    assert cell.optimal_cost == pytest.approx(optimal, abs=TWO_DIGITS)
    assert cell.best_base_stock.cost == pytest.approx(base_stock, abs=TWO_DIGITS)
    assert cell.best_base_stock.policy.level == level


@pytest.mark.parametrize(("key", "cost"), CAPPED.items())
def test_capped_base_stock_costs_what_is_published(key: tuple[int, int], cost: float) -> None:
    cell = Cell(*key)
    found = tuned_capped_base_stock(cell.demand, cell.rules)
    assert found.cost == pytest.approx(cost, abs=TWO_DIGITS)
    assert cell.percent_above(found.policy) == pytest.approx(100 * (found.cost / cell.optimal_cost - 1), abs=1e-6)
