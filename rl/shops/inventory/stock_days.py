"""Days of a shop that orders stock: counts in the morning, orders, receipts before opening, sales, and what is missing.

A day goes in this order: stock is counted, orders are placed, goods come in, shoppers buy what is there (demand beyond
it is lost and stands in no log), and at night units go astray or turn up, which the next count shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.many_products import drawn_demand, expected_demand

CENT, MILLIONTHS = 10_000, 1_000_000
_CATALOGUE_STREAM, _DAYS_STREAM, _WEEKS_STREAM, _DEMAND_STREAM = 41, 42, 43, 44
_OPENING_DAYS = 4
_COLUMNS = ("is_in_range", "opening", "ordered", "received", "demand", "sold", "shrinkage")


class Receipt(NamedTuple):
    """Units of an order that come in: of which product, ordered on which day, and when."""

    product: int
    order_day: int
    day: int
    units: int


@dataclass(frozen=True)
class Products:
    """What the shop sells, each `(n_products,)` but where it says otherwise.

    Attributes:
        category: number of each product's.
        price: regular price of a piece, millionths.
        cost: of a piece, millionths.
        discount_percent: what promotions take off.
        pack: pieces that are ordered together.
        first_day, last_day: on which it is in the range, inclusive.
        is_promoted: on which days, known in advance, `(n_products, n_days + n_ahead - 1)`.
        expected: mean demand that the buyer's forecast knows, of the same shape.
    """

    category: IntArray
    price: IntArray
    cost: IntArray
    discount_percent: IntArray
    pack: IntArray
    first_day: IntArray
    last_day: IntArray
    is_promoted: BoolArray
    expected: FloatArray

    def price_on(self, day: int) -> IntArray:
        """Return what a piece costs the shopper on a day, millionths, `(n_products,)`."""
        reduced = self.price * (100 - self.discount_percent) // 100 // CENT * CENT
        found: IntArray = np.where(self.is_promoted[:, day], reduced, self.price)
        return found


@dataclass(frozen=True)
class StockDays:
    """What happened, units by product and day, `(n_products, n_days)` each; 0 where a product isn't in the range.

    Attributes:
        settings: of the shop.
        products: what it sells.
        is_in_range: whether the product is sold on the day.
        opening: counted in the morning.
        ordered: on the day.
        received: on the day.
        demand: whether it was met or lost.
        sold: of it.
        shrinkage: net units that went astray in the night; below 0 where more turned up.
        receipts: of single orders.
    """

    settings: InventorySettings
    products: Products
    is_in_range: BoolArray
    opening: IntArray
    ordered: IntArray
    received: IntArray
    demand: IntArray
    sold: IntArray
    shrinkage: IntArray
    receipts: list[Receipt] = field(repr=False)

    @property
    def closing(self) -> IntArray:
        """Units that the next morning's count finds."""
        found: IntArray = self.opening + self.received - self.sold - self.shrinkage
        return found

    def until(self, n_days: int) -> StockDays:
        """Return the first days alone."""
        columns: dict[str, Any] = {name: getattr(self, name)[:, :n_days] for name in _COLUMNS}
        settings = self.settings.model_copy(update={"n_days": n_days})
        return replace(self, settings=settings, receipts=[one for one in self.receipts if one.day < n_days], **columns)

    def on(self, day: int) -> StockDays:
        """Return a day alone: of the same days, with nothing on the others."""
        is_other = np.arange(self.settings.n_days) != day
        names = [name for name in _COLUMNS if name != "is_in_range"]
        columns: dict[str, Any] = {name: np.where(is_other, 0, getattr(self, name)) for name in names}
        return replace(self, is_in_range=self.is_in_range & ~is_other, **columns)

    @property
    def ran_out(self) -> BoolArray:
        """True where nothing was left at some moment of the day, so that demand may be larger than what was sold."""
        book = self.opening + self.received - self.sold
        found: BoolArray = self.is_in_range & ((self.opening == 0) | (book == 0) | (self.closing == 0))
        return found


def simulate_days(settings: InventorySettings, given: Mapping[int, IntArray] | None = None) -> StockDays:
    """Return what happens in the shop on all of its days; equal settings and orders give equal days.

    Args:
        settings: of the shop.
        given: what somebody else than the buyer orders on a day, `(n_products,)`, -1 where it is the buyer's to say. It
            changes no earlier day, and no day's demand.
    """
    products = _products(settings)
    rng = np.random.default_rng([settings.seed, settings.catalogue_seed, _DAYS_STREAM])
    shape = (settings.n_products, settings.n_days)
    days = np.arange(settings.n_days)
    in_range = (days >= products.first_day[:, None]) & (days <= products.last_day[:, None])
    demand = _demand(settings, products, rng) * in_range
    units = {name: np.zeros(shape, dtype=np.int64) for name in ("opening", "ordered", "received", "sold", "shrinkage")}
    receipts: list[Receipt] = []
    due: dict[int, list[Receipt]] = {}
    opening_days = _OPENING_DAYS if settings.order_days.is_daily else max(settings.n_ahead, _OPENING_DAYS)
    stock, on_order = np.zeros(shape[0], dtype=np.int64), np.zeros(shape[0], dtype=np.int64)
    for day in range(settings.n_days):
        starts = products.first_day == day
        stock = np.where(starts, np.ceil(products.expected[:, day] * opening_days).astype(np.int64), stock)
        units["opening"][:, day] = stock * in_range[:, day]
        ordered = _ordered(settings, products, stock + on_order, day, rng)
        if given is not None and day in given:
            ordered = np.where(given[day] < 0, ordered, given[day])
        units["ordered"][:, day] = ordered
        on_order += ordered
        for one in _receipts(settings, products, ordered, day, rng):
            due.setdefault(one.day, []).append(one)
        for one in due.pop(day, []):
            receipts.append(one)
            units["received"][one.product, day] += one.units
            on_order[one.product] -= one.units
        stock = stock + units["received"][:, day]
        units["sold"][:, day] = np.minimum(stock, demand[:, day])
        stock = stock - units["sold"][:, day]
        lost = rng.binomial(stock, settings.shrinkage_rate) - (rng.random(shape[0]) < settings.found_rate)
        units["shrinkage"][:, day] = lost * in_range[:, day]
        stock = stock - units["shrinkage"][:, day]
    return StockDays(settings, products, in_range, demand=demand, receipts=receipts, **units)


def earned_by_day(days: StockDays, *, holding: float, order_line: float) -> FloatArray:
    """Return what each day earned, `(n_days,)`, in currency: margin on units sold, less holding and ordering.

    Refunds are left out: they come to the same share of whatever was sold.

    Args:
        days: of the shop.
        holding: cost of a unit that the next count finds.
        order_line: cost of ordering a product on a day, whatever the quantity.
    """
    price = np.stack([days.products.price_on(day) for day in range(days.settings.n_days)], axis=1)
    margin = (days.sold * (price - days.products.cost[:, None])).sum(axis=0) / MILLIONTHS
    kept = (days.closing * days.is_in_range).sum(axis=0)
    found: FloatArray = margin - holding * kept - order_line * np.count_nonzero(days.ordered, axis=0)
    return found


def _products(settings: InventorySettings) -> Products:
    rng = np.random.default_rng([settings.catalogue_seed, _CATALOGUE_STREAM])
    n, n_days = settings.n_products, settings.n_days
    expected, promoted = expected_demand(
        settings.demand,
        settings.drawn_days + settings.lead_days,
        rng,
        n_more=n_days - settings.drawn_days + settings.n_ahead - 1 - settings.lead_days,
        more_seed=settings.catalogue_seed,
    )
    price = np.round(np.exp(rng.normal(2.5, 0.6, n)) * 100).astype(np.int64).clip(99) * CENT
    first, last = np.zeros(n, dtype=np.int64), np.full(n, n_days - 1)
    kind = rng.random(n)
    is_new = kind < settings.newcomer_share
    leaves = ~is_new & (kind < settings.newcomer_share + settings.leaver_share)
    drawn = settings.drawn_days
    first[is_new] = rng.integers(1, max(2, drawn // 2), is_new.sum())
    last[leaves] = rng.integers(drawn // 2, drawn - 1, leaves.sum())
    return Products(
        category=rng.integers(0, settings.n_categories, n),
        price=price,
        cost=(price * rng.integers(45, 70, n) // 100) // 100 * 100,
        discount_percent=rng.choice(np.array([20, 30, 40]), n),
        pack=rng.choice(np.array(settings.pack_sizes), n),
        first_day=first,
        last_day=last,
        is_promoted=promoted,
        expected=expected,
    )


def _demand(settings: InventorySettings, products: Products, rng: np.random.Generator) -> IntArray:
    """Return true demand, around the forecast with errors of a week, `(n_products, n_days)`.

    Days behind those that the shop was made for have a chance of their own each, which changes no day before.
    """
    drawn, error, shape = settings.drawn_days, settings.forecast_error, (settings.n_products, 1)
    weeks = -(-drawn // 7)
    errors = [rng.normal(-(error**2) / 2, error, (settings.n_products, weeks))]
    for week in range(weeks, -(-settings.n_days // 7)):
        errors.append(_own_chance(settings, _WEEKS_STREAM, week).normal(-(error**2) / 2, error, shape))
    factor = np.exp(np.repeat(np.concatenate(errors, axis=1), 7, axis=1)[:, : settings.n_days])
    mean = products.expected[:, : settings.n_days] * factor
    found = [drawn_demand(mean[:, :drawn], settings.extra_variance, rng)]
    for day in range(drawn, settings.n_days):
        chance = _own_chance(settings, _DEMAND_STREAM, day)
        found.append(drawn_demand(mean[:, day : day + 1], settings.extra_variance, chance))
    return np.concatenate(found, axis=1)


def _own_chance(settings: InventorySettings, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, settings.catalogue_seed, stream, number])


def _ordered(
    settings: InventorySettings, products: Products, position: IntArray, day: int, rng: np.random.Generator
) -> IntArray:
    """Return what the buyer orders by forecast, in whole packs; nothing of what leaves the range soon.

    An order is for the days until the next one arrives; on days without orders there is none.
    """
    lead = settings.lead_days
    safety = rng.uniform(-1, 1, settings.n_products) + settings.buyer_safety
    gap = int(settings.order_days.gaps(np.array([(settings.first_day.weekday() + day) % 7]))[0])
    if not gap:
        return np.zeros(settings.n_products, dtype=np.int64)
    level = ForecastBaseStock(0.0, lead).levels(products.expected[:, day : day + lead + gap], safety)
    packs = np.maximum(np.floor((level - position) / products.pack + 0.5), 0).astype(np.int64)
    longest = lead + len(settings.lead_shares)
    is_ordered = (day >= products.first_day) & (day + longest <= products.last_day)
    is_ordered |= (day >= products.first_day) & (products.last_day == settings.n_days - 1)
    return packs * products.pack * is_ordered


def _receipts(
    settings: InventorySettings, products: Products, ordered: IntArray, day: int, rng: np.random.Generator
) -> list[Receipt]:
    """Return when the day's orders come in, some in two parts."""
    shares = np.array(settings.lead_shares) / sum(settings.lead_shares)
    waits = np.maximum(settings.lead_days - 1 + rng.choice(len(shares), settings.n_products, p=shares), 1)
    is_split = (rng.random(settings.n_products) < settings.split_share) & (ordered > products.pack)
    found = []
    for product in np.flatnonzero(ordered).tolist():
        units, pack, comes = int(ordered[product]), int(products.pack[product]), day + int(waits[product])
        first = units // pack // 2 * pack if is_split[product] else units
        found.append(Receipt(product, day, comes, first or units))
        if first and first < units:
            found.append(Receipt(product, day, comes + 1, units - first))
    return found
