"""A shop follows from its settings: catalogue, stock by half-day, ids by content."""

from __future__ import annotations

from datetime import date
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rl.shops.recommendation.shop import availability_id, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings


def test_standard_shop_has_the_promised_size() -> None:
    """24 to 40 items in 6 to 8 categories, none of them empty, all with a margin."""
    shop = build_shop(ShopSettings())
    assert 24 <= shop.n_items <= 40
    assert 6 <= shop.n_categories <= 8
    assert set(shop.catalogue.category.tolist()) == set(range(shop.n_categories))
    assert (shop.catalogue.cost_cents < shop.catalogue.price_cents).all()


def test_catalogue_does_not_depend_on_the_population_seed() -> None:
    """Logs with several seeds come from one shop."""
    first, second = build_shop(ShopSettings(seed=1)), build_shop(ShopSettings(seed=2))
    assert (first.catalogue.appeal == second.catalogue.appeal).all()
    assert (first.availability == second.availability).all()
    other = build_shop(ShopSettings(catalogue_seed=2))
    assert (first.catalogue.appeal != other.catalogue.appeal).any()


def test_stock_of_a_date_does_not_depend_on_the_first_date() -> None:
    """A log that starts later has the same items in stock on the days they share."""
    whole = build_shop(ShopSettings(first_date=date(2026, 3, 2), n_days=10))
    part = build_shop(ShopSettings(first_date=date(2026, 3, 6), n_days=3))
    assert (whole.availability[8:14] == part.availability[:6]).all()


def test_stock_comes_and_goes_and_is_never_empty() -> None:
    """Sets change between half-days at about the rate, and something is always on the shelf."""
    shop = build_shop(ShopSettings())
    assert len(set(shop.availability_ids)) > 10
    assert abs(shop.availability.mean() - 0.85) < 0.03
    scarce = build_shop(ShopSettings(out_of_stock_rate=0.99))
    assert scarce.availability.any(axis=1).all()


@given(st.lists(st.integers(0, 40).map(lambda n: f"item-{n}"), unique=True), st.randoms(use_true_random=False))
def test_availability_id_is_the_content(items: list[str], random: Random) -> None:
    """Order doesn't matter, and a set with one more item is another set."""
    assert availability_id(items) == availability_id(random.sample(items, len(items)))
    assert availability_id(items) != availability_id([*items, "item-new"])
