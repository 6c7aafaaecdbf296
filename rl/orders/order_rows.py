"""Days of many products as rows that offline RL learns from: as they were ordered, or with levels drawn anew.

A level is so many standard deviations beside the quantile that a product's margin asks for. As it was logged, a row
holds the order of a day, what the day earned, and the stock of the next morning. Where demand is declared not to depend
on orders, the same day tells what every other level would have led to (relabelling): the next morning's stock, and, on
the day on which the order arrives, the first that it can change, what is sold and left. Where orders aren't placed
every day, rows are of the days on which they are: what counts are the days until the next order, or until the next
one's arrival, and what follows is the stock on the next day of orders.

Source: as of `rl.inventory.order_decisions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.errors import TrainingError
from rl.inventory.order_days import DemandAhead, covered_days
from rl.inventory.order_policy import OrderPolicy, ProductOrders, network_inputs
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.stock import StockStates, after_period
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import MILLIONTHS, OrderSpan

_LEAST_SCALE = 0.05
_LEAST_SPREAD = 1e-6
_ROWS_STREAM = 74

DrawLevels = Callable[[np.random.Generator, int], FloatArray]
"""Draws so many levels, in standard deviations beside the quantile."""


@dataclass(frozen=True)
class LevelRows:
    """Decisions of products, each followed by what the next one's morning saw.

    Attributes:
        features: seen when the order was placed, as of `network_inputs`, `(n, n_features)`.
        following: seen on the next morning of orders, of the same shape.
        offset: level that was ordered up to, in standard deviations beside the product's quantile, `(n,)`.
        reward: in what a usual day of the product sells for, so that all products teach alike, less their mean, which
            no order moves, `(n,)`.
    """

    features: FeatureArray
    following: FeatureArray
    offset: FloatArray
    reward: FloatArray


def level_rows(
    policy: OrderPolicy,
    basis: OrderBasis,
    span: OrderSpan,
    kind: Literal["relabelled", "as_logged"],
    *,
    draw: DrawLevels,
    n_copies: int,
    seed: int,
) -> LevelRows:
    """Return the span's days as rows.

    Args:
        policy: whose costs and quantiles the learner learns for.
        basis: draws the demand of days that ran out.
        span: days to learn from.
        kind: orders as they were, or every day with levels drawn anew.
        draw: levels of relabelled rows.
        n_copies: of each day, where rows are relabelled.
        seed: of levels and demand.

    Raises:
        TrainingError: no day whose order's arrival is known.
    """
    days = _Days(policy, basis, span, seed)
    if kind == "as_logged":
        found = [days.as_logged()]
    else:
        generator = np.random.default_rng([_ROWS_STREAM, seed])
        found = [days.relabelled(draw(generator, days.n)) for _ in range(n_copies)]
    features, following, offset, reward = (np.concatenate(column) for column in zip(*found, strict=True))
    return LevelRows(features, following, offset, reward - reward.mean())


_Rows = tuple[FeatureArray, FeatureArray, FloatArray, FloatArray]


class _Days:
    """Days of orders of a span, every day known until the next order has arrived; one row each."""

    def __init__(self, policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, seed: int) -> None:
        self._lead = policy.costs.lead_time
        known = np.cumsum(np.pad(span.is_known, ((0, 0), (1, 0))), axis=1)
        ends = np.arange(span.shape[1]) + self._lead + np.maximum(span.gaps, 1)
        is_whole = (span.gaps > 0) & (ends <= span.shape[1])
        last = np.minimum(ends, span.shape[1])
        is_known: BoolArray = known[:, last] - known[:, :-1] == (last - np.arange(span.shape[1]))
        self._product, self._day = np.nonzero(is_known & is_whole)
        if not len(self._product):
            length = self._lead + policy.order_days.longest_gap
            raise TrainingError(f"{policy.name}: no product has {length} known training days in a row; build more")
        self._span = span
        self._rule = ForecastBaseStock(0.0, self._lead, policy.variance)
        self._gaps = span.gaps[self._day]
        self._demand = basis.demand(span, seed)
        history = span.history
        self._orders = self._bound(policy)
        whole = np.maximum(span.forecasts[:, :, 0].mean(axis=1), _LEAST_SCALE)
        # What is sold at a loss has the size of the loss: its rewards are no larger than others'.
        brings = np.maximum(policy.costs.margins(history.products), np.abs(span.money.margin[:, 0]) / MILLIONTHS)
        self._usual = (whole * brings)[self._product]
        self._pipeline: IntArray = history.pipeline[:, span.days][self._product, self._day]

    @property
    def n(self) -> int:
        return len(self._product)

    def _bound(self, policy: OrderPolicy) -> ProductOrders:
        history = self._span.history
        names = tuple(history.products[row] for row in self._product.tolist())
        return policy.of(names, history.pack_size[self._product])

    def as_logged(self) -> _Rows:
        """Return the orders as they were, each as its level, with what the days until the next one earned."""
        span, money = self._span, self._span.money
        logged = span.history.units["ordered"][:, span.days]
        stock: IntArray = span.history.pipeline[:, span.days, 0]
        earned: FloatArray = np.zeros(self.n)
        ordered, n_lines = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        for ahead in range(int(self._gaps.max())):
            counts = ahead < self._gaps
            # What was ordered on days between came with the order, as far as the policy's days go.
            day = np.where(counts, self._day + ahead, self._day)
            sold, placed = span.sold[self._product, day], logged[self._product, day] * counts
            left = np.maximum(stock[self._product, day] - sold, 0)
            earned += np.where(counts, span.margin[self._product, day] * sold - money.holding * left, 0)
            ordered += placed
            n_lines += placed > 0
        at_quantile = self._level(np.zeros(self.n))
        spread = np.maximum(self._level(np.ones(self.n)) - at_quantile, _LEAST_SPREAD)
        offset = (self._pipeline.sum(axis=1) + ordered - at_quantile) / spread
        following: IntArray = span.history.pipeline[:, span.days][self._product, self._day + self._gaps]
        return self._rows(offset, ordered, n_lines, earned, following)

    def relabelled(self, offset: FloatArray) -> _Rows:
        """Return the days with those levels instead, and what they lead to on the days that the order lasts for."""
        span, money = self._span, self._span.money
        position = self._pipeline.sum(axis=1)
        ahead_of = DemandAhead(span.forecasts[self._product, self._day], self._lead, self._gaps)
        order = self._orders.rounded(self._level(offset) - position, position, ahead_of)
        states, following, earned = StockStates(self._pipeline), self._pipeline, np.zeros(self.n)
        for ahead in range(self._lead + int(self._gaps.max())):
            following = np.where((self._gaps == ahead)[:, None], states.pipeline, following)
            day = np.minimum(self._day + ahead, span.shape[1] - 1)
            placed = order if ahead == 0 else np.zeros_like(order)
            states, units = after_period(states, placed, self._demand[self._product, day])
            counts = (ahead >= self._lead) & (ahead < self._lead + self._gaps)
            margin = span.margin[self._product, day]
            earned += np.where(counts, margin * units.sales - money.holding * units.left_over, 0)
        return self._rows(offset, order, (order > 0).astype(np.int64), earned, following)

    def _rows(
        self, offset: FloatArray, order: IntArray, n_lines: IntArray, earned: FloatArray, following: IntArray
    ) -> _Rows:
        money = self._span.money
        reward = (earned - money.order_line * n_lines - money.order_unit * order) / MILLIONTHS / self._usual
        return self._seen(self._pipeline, 0), self._seen(following, self._gaps), offset, reward

    def _level(self, offset: FloatArray) -> FloatArray:
        """Return the level of each row, units, `(n,)`."""
        return self._rule.levels(self._covered(self._day), self._orders.quantiles(self._gaps) + offset)

    def _covered(self, day: IntArray) -> FloatArray:
        return covered_days(self._span.forecasts[self._product, day], self._lead, self._span.gaps[day])

    def _seen(self, pipeline: IntArray, ahead: IntArray | int) -> FeatureArray:
        day = self._day + ahead
        forecasts = self._covered(day)
        scale = np.maximum(forecasts.mean(axis=1, keepdims=True), _LEAST_SCALE)
        quantile = self._orders.quantiles(np.maximum(self._span.gaps[day], 1))[:, None]
        return network_inputs(pipeline / scale, forecasts / scale, scale, quantile).astype(np.float32)
