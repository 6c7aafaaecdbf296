"""Orders that somebody else than the buyer gives: they change what follows, and nothing that was before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.stock_days import earned_by_day, simulate_days
from rl.shops.inventory.writer import deliver, deliver_day

SETTINGS = InventorySettings(n_days=42, n_products=12, seed=4)
GIVEN = {30: np.array([7, -1, 0] * 4), 33: np.full(12, 5)}


def test_given_orders_are_placed_and_the_rest_is_the_buyers() -> None:
    own, given = simulate_days(SETTINGS), simulate_days(SETTINGS, GIVEN)
    assert (given.ordered[[0, 3, 6, 9], 30] == 7).all()
    assert (given.ordered[[2, 5, 8, 11], 30] == 0).all()
    assert (given.ordered[[1, 4, 7, 10], 30] == own.ordered[[1, 4, 7, 10], 30]).all()
    assert (given.ordered[:, 33] == 5).all()


def test_no_earlier_day_and_no_demand_changes() -> None:
    own, given = simulate_days(SETTINGS), simulate_days(SETTINGS, GIVEN)
    np.testing.assert_array_equal(own.demand, given.demand)
    for name in ("opening", "ordered", "received", "sold", "shrinkage"):
        np.testing.assert_array_equal(getattr(own, name)[:, :30], getattr(given, name)[:, :30])
    assert (own.sold[:, 34:] != given.sold[:, 34:]).any()


def test_a_day_that_is_delivered_alone_has_the_bytes_it_has_among_all(tmp_path: Path) -> None:
    """Whatever is ordered later: days before the first given order are those of the buyer's whole log."""
    deliver(simulate_days(SETTINGS), tmp_path / "whole")
    given = simulate_days(SETTINGS, GIVEN)
    deliver(given, tmp_path / "given")
    folders = sorted(path.name for path in (tmp_path / "whole").iterdir())
    for day in (0, 5, 17, 29, 33, 41):
        deliver_day(given, day, tmp_path / "alone" / folders[day])
        alone = {path.name: path.read_bytes() for path in (tmp_path / "alone" / folders[day]).iterdir()}
        assert alone == {path.name: path.read_bytes() for path in (tmp_path / "given" / folders[day]).iterdir()}
        whole = {path.name: path.read_bytes() for path in (tmp_path / "whole" / folders[day]).iterdir()}
        assert (alone == whole) == (day < 30)


def test_what_days_earned_is_counted_in_pieces() -> None:
    days = simulate_days(SETTINGS)
    expected = 0.0
    for product in range(SETTINGS.n_products):
        price, cost = int(days.products.price_on(20)[product]), int(days.products.cost[product])
        expected += int(days.sold[product, 20]) * (price - cost) / 1e6
        if days.is_in_range[product, 20]:
            expected -= 0.02 * int(days.closing[product, 20])
        expected -= 0.5 if days.ordered[product, 20] else 0
    np.testing.assert_allclose(earned_by_day(days, holding=0.02, order_line=0.5)[20], expected, rtol=0, atol=1e-9)
