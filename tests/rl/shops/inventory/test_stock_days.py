"""Days of the simulated shop that orders stock: units add up, and what the settings say is seen."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.stock_days import StockDays, simulate_days
from rl.shops.settings_file import changed_settings

SETTINGS = InventorySettings(n_days=140, n_products=40, seed=2)


@pytest.fixture(scope="module")
def days() -> StockDays:
    return simulate_days(SETTINGS)


def test_each_morning_finds_what_the_day_before_left(days: StockDays) -> None:
    """Opening, receipts, sales and shrinkage account for every unit from one count to the next."""
    follows = days.is_in_range[:, 1:] & days.is_in_range[:, :-1]
    assert (days.opening[:, 1:] == days.closing[:, :-1])[follows].all()
    assert (days.closing[days.is_in_range] >= 0).all()


def test_sales_are_demand_as_far_as_the_stock_reaches(days: StockDays) -> None:
    """Demand that is lost is lost on days that ran out alone."""
    assert (days.sold == np.minimum(days.demand, days.opening + days.received))[days.is_in_range].all()
    assert days.ran_out[days.sold < days.demand].all()
    assert 0.05 < days.ran_out.sum() / days.is_in_range.sum() < 0.4


def test_every_order_comes_in_whole(days: StockDays) -> None:
    """Receipts of an order sum to it, in whole packs, between a day before and three after the promised one."""
    came: dict[tuple[int, int], int] = {}
    for one in days.receipts:
        came[one.product, one.order_day] = came.get((one.product, one.order_day), 0) + one.units
        assert SETTINGS.lead_days - 1 <= one.day - one.order_day <= SETTINGS.lead_days + 3
        assert one.units % days.products.pack[one.product] == 0
    early = days.ordered[:, : SETTINGS.n_days - 8]
    assert {(p, d): early[p, d] for p, d in zip(*np.nonzero(early), strict=True)} == {
        key: units for key, units in came.items() if key[1] < SETTINGS.n_days - 8
    }
    assert len({one.day - one.order_day for one in days.receipts}) > 3


def test_range_changes_and_units_go_astray(days: StockDays) -> None:
    """Products come and leave, outside of their time nothing is ordered or sold; some nights lose, some find."""
    assert (days.products.first_day > 0).sum() > 0 and (days.products.last_day < SETTINGS.n_days - 1).sum() > 0
    for units in (days.opening, days.ordered, days.sold, days.shrinkage):
        assert not units[~days.is_in_range].any()
    assert days.shrinkage.max() > 0 > days.shrinkage.min()


def test_promotions_are_reduced_prices(days: StockDays) -> None:
    """On promoted days pieces cost less, in whole cents, and more is asked for."""
    products = days.products
    promoted = products.is_promoted[:, 10]
    assert (products.price_on(10)[promoted] < products.price[promoted]).all()
    assert (products.price_on(10)[~promoted] == products.price[~promoted]).all()
    assert (products.price_on(10) % 10_000 == 0).all()


def test_equal_settings_give_equal_days(days: StockDays) -> None:
    """And another seed other days of the same products."""
    again, other = simulate_days(SETTINGS), simulate_days(changed_settings(SETTINGS, seed=3))
    assert (again.sold == days.sold).all() and again.receipts == days.receipts
    assert (other.products.price == days.products.price).all()
    assert (other.sold != days.sold).any()


def test_a_shop_that_cannot_be_is_refused() -> None:
    """Few days for a long wait, and packs of nothing."""
    with pytest.raises(ShopError, match="some weeks"):
        changed_settings(SETTINGS, n_days=30, lead_days=14)
    with pytest.raises(ShopError, match="at least one piece"):
        changed_settings(SETTINGS, pack_sizes=(0,))
