"""What the shop sells, and the baskets that shoppers fill: items, pieces and money, line by line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.promotion_settings import Offer, PromotionSettings

CENT = 10_000
"""Millionths of the currency in a cent."""

N_LINES = 3
DRAWS_A_LINE = 4
"""Uniform numbers for each line of a basket: whether there is one, from which category, which item, how many."""

TWO_PIECES_PROBABILITY = 0.25


@dataclass(frozen=True)
class Catalogue:
    """Items, in whole money.

    Attributes:
        item_ids: natural keys.
        names: as the till prints them, with umlauts.
        category: index of each item's category, `(n_items,)`.
        category_ids: natural keys of categories.
        price_cents: of a piece, `(n_items,)`.
        cost_millionths: what a piece costs the shop, `(n_items,)`.
    """

    item_ids: tuple[str, ...]
    names: tuple[str, ...]
    category: IntArray
    category_ids: tuple[str, ...]
    price_cents: IntArray
    cost_millionths: IntArray


@dataclass(frozen=True)
class Baskets:
    """Lines of orders, `(n, N_LINES)`; what isn't there has no pieces.

    Attributes:
        item: index in the catalogue.
        quantity: pieces; 0 where there is no line.
        list_cents: price of the pieces before any discount.
        cost: of the pieces, millionths.
        discount_cents: what was taken off each line.
    """

    item: IntArray
    quantity: IntArray
    list_cents: IntArray
    cost: IntArray
    discount_cents: IntArray

    @property
    def amount(self) -> IntArray:
        """What is paid for each line, millionths."""
        return (self.list_cents - self.discount_cents) * CENT

    def take(self, rows: IntArray) -> Baskets:
        """Return some of the baskets."""
        return Baskets(
            self.item[rows],
            self.quantity[rows],
            self.list_cents[rows],
            self.cost[rows],
            self.discount_cents[rows],
        )


def build_catalogue(settings: PromotionSettings) -> Catalogue:
    """Return the shop's catalogue: prices around twenty, margins from two fifths to two thirds."""
    rng = np.random.default_rng([settings.catalogue_seed, 21])
    n_items = settings.n_items
    price = np.round(np.exp(rng.normal(np.log(21), 0.45, n_items)) * 100).astype(np.int64).clip(399, 19_999)
    margin = rng.uniform(0.4, 0.67, n_items)
    cost = np.round(price * CENT * (1 - margin) / 100).astype(np.int64) * 100
    goods = ("Müslischale", "Teekanne", "Bürste", "Frühstücksbrett", "Gießkanne", "Lampe", "Körbchen", "Geschirrtuch")
    return Catalogue(
        item_ids=tuple(f"{40_000 + 7 * index}" for index in range(n_items)),
        names=tuple(f"{goods[index % len(goods)]} Größe {1 + index // len(goods)}" for index in range(n_items)),
        category=np.arange(n_items, dtype=np.int64) % settings.n_categories,
        category_ids=tuple(f"category-{index}" for index in range(settings.n_categories)),
        price_cents=price,
        cost_millionths=cost,
    )


def draw_baskets(
    catalogue: Catalogue, uniforms: FloatArray, *, favorite: IntArray, favorite_share: float, more_lines: FloatArray
) -> Baskets:
    """Return a basket for each row of uniform numbers; each line's item is another draw, so one may come twice.

    Args:
        catalogue: what is sold.
        uniforms: `(n, N_LINES * DRAWS_A_LINE)`.
        favorite: category that each shopper likes best, `(n,)`.
        favorite_share: how often a line is of it.
        more_lines: probability of a second line, and then of a third, `(n,)`.
    """
    draws = uniforms.reshape(len(uniforms), N_LINES, DRAWS_A_LINE)
    is_line = np.cumprod(draws[:, :, 0] < np.where(np.arange(N_LINES) == 0, 1.0, more_lines[:, None]), axis=1) > 0
    n_items, n_categories = len(catalogue.item_ids), len(catalogue.category_ids)
    anything = np.floor(draws[:, :, 2] * n_items).astype(np.int64)
    # Items of a category are those of equal rest, so that the k-th of them is found by counting.
    n_in_favorite = (n_items - 1 - favorite) // n_categories + 1
    liked = favorite[:, None] + n_categories * np.floor(draws[:, :, 2] * n_in_favorite[:, None]).astype(np.int64)
    item = np.where(draws[:, :, 1] < favorite_share, liked, anything)
    quantity = is_line * (1 + (draws[:, :, 3] < TWO_PIECES_PROBABILITY))
    return Baskets(
        item=np.where(is_line, item, 0),
        quantity=quantity,
        list_cents=catalogue.price_cents[item] * quantity,
        cost=catalogue.cost_millionths[item] * quantity,
        discount_cents=np.zeros_like(quantity),
    )


def discounted(baskets: Baskets, offers: tuple[Offer, ...], action: IntArray, is_redeemed: BoolArray) -> Baskets:
    """Return the baskets with what a redeemed offer takes off, spread over lines by their price to the cent.

    Args:
        baskets: before any discount.
        offers: the shop's offers; action 1 is the first of them.
        action: what each shopper was sent, `(n,)`.
        is_redeemed: whether it is used for this order, `(n,)`.
    """
    percent = np.array([0, *[offer.discount_percent for offer in offers]])[action]
    largest = np.array([0, *[offer.largest_discount_cents for offer in offers]])[action]
    off = np.where(is_redeemed, discount_cents(baskets.list_cents.sum(axis=1), percent, largest), 0)
    reached = np.cumsum(baskets.list_cents, axis=1)
    # Each line bears what the basket up to it bears, less what those before it bear: whole cents that add up.
    share = off[:, None] * reached // np.maximum(reached[:, -1:], 1)
    return Baskets(
        baskets.item,
        baskets.quantity,
        baskets.list_cents,
        baskets.cost,
        np.diff(share, axis=1, prepend=0),
    )


def discount_cents(list_cents: IntArray, percent: IntArray, largest: IntArray) -> IntArray:
    """Return what is taken off baskets: the share of their price, half a cent rounded up, at most the largest."""
    return np.asarray(np.minimum((list_cents * percent + 50) // 100, np.minimum(largest, list_cents)))
