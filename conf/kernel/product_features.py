"""Features of products: their stock, what is on its way, what was sold, and what is told of them ahead.

Each is one function and one entry in FEATURES. All are `(n_points,)` int64 but `product_category`, `(n_points, length)`
id hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, IntArray
from conf.kernel.decisions import DecisionRows
from conf.kernel.orders_on_the_way import OrderChanges, OrderRule, order_changes
from conf.kernel.points import CLOSING, Points
from conf.kernel.prices_before import is_below_usual
from conf.kernel.stock_flows import book_changes, units_of
from conf.kernel.stream import NO_ID, Stream
from conf.kernel.told import Told, value_as_of
from conf.kernel.window_features import DailySums, daily_sums, sums_over

NOT_TOLD = -1


@dataclass(frozen=True)
class ProductFacts:
    """What was told of the units.

    Attributes:
        prices: of a piece in millionths, and 1.
        categories: id hashes.
    """

    prices: Told
    categories: Told


def nothing_told() -> ProductFacts:
    """Return the facts of a source that has no table of items."""
    nothing = np.zeros(0, dtype=np.int64)
    return ProductFacts(*(Told(nothing, nothing, nothing, nothing) for _ in range(2)))


@dataclass(frozen=True)
class ProductRule:
    """What features of products are made of.

    Attributes:
        orders: how orders are followed.
        features: which one each is, and its number, by the feature's name.
    """

    orders: OrderRule
    features: Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class _Asked:
    """The stream, and the points that features are asked for."""

    stream: Stream
    decisions: DecisionRows
    points: Points
    rule: ProductRule
    facts: ProductFacts

    @cached_property
    def orders(self) -> OrderChanges:
        """What becomes of the units on their way."""
        return order_changes(self.stream, self.rule.orders)

    @cached_property
    def sales(self) -> DailySums:
        """Units sold, by day."""
        return daily_sums(self.stream, units_of(self.stream, "purchase"))

    def sold(self, n_days: int) -> IntArray:
        """Return the units sold in so many days before the points' own."""
        return sums_over(self.sales, self.points.unit, self.points.as_of_day, n_days)

    def price(self, time_us: IntArray) -> IntArray:
        """Return the price of a piece that is told to hold at moments, NOT_TOLD without one."""
        return value_as_of(self.facts.prices, self.points.unit, time_us, self.points.as_of_day) - 1

    def ahead(self, n_days: int) -> IntArray:
        """Return the moments so many times 24 hours after the points."""
        return self.points.time_us + n_days * MICROS_PER_DAY


def product_features(
    stream: Stream,
    decisions: DecisionRows,
    points: Points,
    rule: ProductRule,
    facts: ProductFacts,
    lengths: Mapping[str, int | None],
) -> dict[str, IntArray]:
    """Return the features at the points by name.

    Args:
        stream: the events, as far back as `history_days` reaches.
        decisions: of the stream.
        points: of the stream.
        rule: names the features.
        facts: what was told of the products.
        lengths: of list features, by name.
    """
    asked = _Asked(stream, decisions, points, rule, facts)
    found = {}
    for name, (kind, number) in rule.features.items():
        values = FEATURES[kind](asked, number)
        length = lengths[name]
        found[name] = values if length is None else _padded(values, length)
    return found


def _units_on_hand(asked: _Asked, number: int) -> IntArray:  # noqa: ARG001
    """Return the count of a decision, and at a closing the next one, or what the last one has become since."""
    stream, points, counted = asked.stream, asked.points, units_of(asked.stream, "stock")
    # Behind each episode's last decision stands its closing.
    last_row = asked.decisions.rows[points.decision[np.maximum(np.arange(len(points)) - (points.kind == CLOSING), 0)]]
    row_end = np.minimum(points.row_end, max(0, len(stream) - 1))
    is_counted = (
        (points.row_end < len(stream))
        & asked.decisions.is_decision[row_end]
        & (stream.unit[row_end] == points.unit)
        & (stream.time_us[row_end] == points.time_us)
    )
    running = np.cumsum(book_changes(stream))
    book = counted[last_row] + running[np.maximum(points.row_end - 1, 0)] - running[last_row]
    return np.where(is_counted, counted[row_end], book)


def _sold_on_day(asked: _Asked, number: int) -> IntArray:
    return asked.sold(number) - asked.sold(number - 1)


def _is_reduced(asked: _Asked, number: int) -> IntArray:
    """Return whether the price is below the usual one, NOT_TOLD without a price."""
    moment, points = asked.ahead(number), asked.points
    price = asked.price(moment)
    is_below = is_below_usual(asked.facts.prices, price + 1, points.unit, moment, points.as_of_day)
    return np.where(price == NOT_TOLD, NOT_TOLD, is_below.astype(np.int64))


def _category(asked: _Asked, number: int) -> IntArray:  # noqa: ARG001
    points = asked.points
    return value_as_of(asked.facts.categories, points.unit, points.time_us, points.as_of_day)[:, None]


def _day_of_year(asked: _Asked, number: int) -> IntArray:  # noqa: ARG001
    day = asked.points.as_of_day.astype("datetime64[D]")
    found: IntArray = (day - day.astype("datetime64[Y]")).astype(np.int64) + 1
    return found


FEATURES: Mapping[str, Callable[[_Asked, int], IntArray]] = {
    "units_on_hand": _units_on_hand,
    "units_on_order": lambda asked, _: asked.orders.on_order(asked.points.unit, asked.points.as_of_day),
    "units_due_in_{n}d": lambda asked, n: asked.orders.due_in(n, asked.points.unit, asked.points.as_of_day),
    "units_overdue": lambda asked, _: asked.orders.overdue(asked.points.unit, asked.points.as_of_day),
    "units_sold_{n}d": lambda asked, n: asked.sold(n),
    "units_sold_day_{n}": _sold_on_day,
    "last_lead_days": lambda asked, _: asked.orders.last_lead_days(
        asked.points.unit, asked.points.as_of_day, asked.rule.orders.history_days
    ),
    "price_in_{n}d": lambda asked, n: asked.price(asked.ahead(n)),
    "is_reduced_in_{n}d": _is_reduced,
    "product_category": _category,
    "day_of_year": _day_of_year,
}
"""By the names of `conf.observation_features.PRODUCT_FEATURES`."""


def _padded(values: IntArray, length: int) -> IntArray:
    found = np.full((len(values), length), NO_ID, dtype=np.int64)
    found[:, : values.shape[1]] = values[:, :length]
    return found
