"""A shop: its catalogue, its stock by half-day, and the calendar and measures its log is read with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np

from conf.observation_features import id_hash
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.recommendation.business_calendar import TAIL_DAYS, BusinessCalendar
from rl.shops.recommendation.measures import Measures, recommendation_measures
from rl.shops.recommendation.shop_settings import ShopSettings

MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class Catalogue:
    """What the shop sells and to whom it could appeal.

    Attributes:
        item_ids: natural keys, `(n_items,)`.
        category_ids: natural keys, `(n_categories,)`.
        category: category index of each item, `(n_items,)`.
        price_cents: price of one piece, `(n_items,)`.
        cost_cents: what a piece costs the shop, `(n_items,)`.
        appeal: log-odds that each item adds to a click, `(n_items,)`.
        cart_appeal: log-odds that each item adds to a cart, `(n_items,)`.
        popularity: what the behavior policy believes in, `(n_items,)`.
        volume: of a piece, cubic millimeters, `(n_items,)`.
        taste_types: log-odds of a click by type and category, `(n_taste_types, n_categories)`.
    """

    item_ids: tuple[str, ...]
    category_ids: tuple[str, ...]
    category: IntArray
    price_cents: IntArray
    cost_cents: IntArray
    volume: IntArray
    appeal: FloatArray
    cart_appeal: FloatArray
    popularity: FloatArray
    taste_types: FloatArray

    @cached_property
    def item_hash(self) -> IntArray:
        """Id hash of each item, `(n_items,)`."""
        return np.array([id_hash(key) for key in self.item_ids], dtype=np.int64)

    @cached_property
    def category_hash(self) -> IntArray:
        """Id hash of each category, `(n_categories,)`."""
        return np.array([id_hash(key) for key in self.category_ids], dtype=np.int64)

    @cached_property
    def item_category_hash(self) -> IntArray:
        """Id hash of each item's category, `(n_items,)`."""
        return self.category_hash[self.category]

    @cached_property
    def price_band(self) -> IntArray:
        """Binary digits of each item's price in millionths, `(n_items,)`."""
        return np.array([(int(cents) * (MILLIONTHS // 100)).bit_length() for cents in self.price_cents], dtype=np.int64)


@dataclass(frozen=True)
class Shop:
    """Settings with everything that follows from them and isn't a shopper's doing.

    `availability` holds a row per half-day from the first date on, `(n_half_days, n_items)`.
    """

    settings: ShopSettings
    catalogue: Catalogue
    measures: Measures
    calendar: BusinessCalendar
    availability: BoolArray

    @property
    def n_items(self) -> int:
        return len(self.catalogue.item_ids)

    @property
    def n_categories(self) -> int:
        return len(self.catalogue.category_ids)

    @cached_property
    def availability_ids(self) -> tuple[str, ...]:
        """Content hash of the set in force in each half-day."""
        return tuple(
            availability_id([self.catalogue.item_ids[item] for item in np.flatnonzero(row)])
            for row in self.availability
        )


def availability_id(item_ids: list[str]) -> str:
    """Return the content hash of a set of available items; the order they are given in doesn't matter."""
    return "set-" + hashlib.sha256("\n".join(sorted(item_ids)).encode("utf-8")).hexdigest()[:16]


def build_shop(settings: ShopSettings, measures: Measures | None = None) -> Shop:
    """Return the shop of the settings, read by the recommendation scenario's measures unless others are given."""
    measures = measures or recommendation_measures()
    catalogue = draw_catalogue(settings)
    calendar = BusinessCalendar.of(zone=measures.zone, first_date=settings.first_date, n_days=settings.n_days)
    return Shop(settings, catalogue, measures, calendar, _draw_availability(settings, catalogue))


def draw_catalogue(settings: ShopSettings) -> Catalogue:
    """Return the catalogue of a seed: bait (clicked, seldom bought) and sleepers (the reverse) among ordinary items."""
    rng = np.random.default_rng([settings.catalogue_seed, 0])
    n_items, n_categories = settings.n_items, settings.n_categories
    appeal = rng.normal(0, settings.appeal_spread, n_items)
    price_cents = np.round(np.exp(rng.normal(np.log(25), 0.7, n_items)) * 100).astype(np.int64).clip(199)
    margin = rng.uniform(0.15, 0.45, n_items)
    centimeters = np.random.default_rng([settings.catalogue_seed, 2]).integers(4, 40, (n_items, 3))
    return Catalogue(
        item_ids=tuple(f"item-{index:03d}" for index in range(n_items)),
        category_ids=tuple(f"category-{index}" for index in range(n_categories)),
        category=np.arange(n_items, dtype=np.int64) % n_categories,
        price_cents=price_cents,
        cost_cents=np.round(price_cents * (1 - margin)).astype(np.int64),
        volume=centimeters.prod(axis=1) * 1000,
        appeal=appeal,
        cart_appeal=rng.normal(0, settings.appeal_spread, n_items) - 0.3 * np.log(price_cents / 2500),
        popularity=0.5 * appeal
        + rng.normal(0, 0.5, n_items)
        + rng.normal(0, 0.7, n_categories)[np.arange(n_items) % n_categories],
        taste_types=rng.normal(0, settings.taste_spread, (settings.n_taste_types, n_categories)),
    )


def _draw_availability(settings: ShopSettings, catalogue: Catalogue) -> BoolArray:
    """Return the stock by half-day; each date has its own seed, so a longer log of the shop has the same stock."""
    n_items = len(catalogue.item_ids)
    rows = []
    for day in range(settings.n_days + TAIL_DAYS):
        ordinal = (settings.first_date + timedelta(days=day)).toordinal()
        rng = np.random.default_rng([settings.catalogue_seed, 1, ordinal])
        rows.append(rng.random((2, n_items)) >= settings.out_of_stock_rate)
    availability = np.concatenate(rows)
    # However unlucky the draw, something is on the shelf.
    availability[~availability.any(axis=1), 0] = True
    return availability
