"""Policies led through a span of products' days, each stretch of days from the stock that was there when it began.

A product that comes, leaves, or has days that aren't known has several stretches, or short ones; a stretch ends where
the next day isn't known. Orders are placed on the scenario's days and arrive on the promised one; stock moves on all.
After each day's sales as many units go astray, or turn up, as the log has it, less what it wasted: of products that
don't keep, replays waste by themselves. What is earned is exact, in millionths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from conf.specs.orders import WASTED
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.inventory.declared_stock import DeclaredStock, UpToLevels
from rl.inventory.demand_forecast import DemandForecaster
from rl.inventory.limits import UnitLimits
from rl.inventory.order_policy import OrderCosts, OrderPolicy, ProductOrders
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.shared_orders import Room
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates
from rl.ope.intervals.two_way import Blocks
from rl.orders.order_history import OrderHistory
from rl.orders.stretches import Stretches

MILLIONTHS = 1_000_000
LEAST_MARGIN = MILLIONTHS // 100
"""What policies take a unit to bring at least: a safety is a quantile of margin and holding cost, both above 0."""


@dataclass(frozen=True)
class Money:
    """What is earned and paid, whole millionths.

    Attributes:
        margin: of a unit sold, by product, without promotion and with, below 0 at a loss, `(n_products, 2)`.
        holding: of a unit left over after a day.
        order_line: of an order of a product, whatever its size.
        order_unit: of a unit ordered.
    """

    margin: IntArray
    holding: int
    order_line: int
    order_unit: int

    @property
    def is_losing(self) -> BoolArray:
        """Products whose units bring no more than it costs to order them, when not promoted, `(n_products,)`."""
        return np.asarray(self.margin[:, 0] <= self.order_unit)

    def costs(self, products: tuple[str, ...], lead_time: int) -> OrderCosts:
        """Return the same as policies take it, in money.

        Margins are those without promotion, less what ordering a unit costs, which a lost sale saves; at least a
        hundredth.
        """
        margins = np.maximum(self.margin[:, 0] - self.order_unit, LEAST_MARGIN) / MILLIONTHS
        return OrderCosts(
            lead_time=lead_time,
            holding_cost=self.holding / MILLIONTHS,
            order_cost=self.order_line / MILLIONTHS,
            margin=dict(zip(products, margins.tolist(), strict=True)),
            usual_margin=float(np.median(margins)),
        )


@dataclass(frozen=True)
class Replayed:
    """What a policy would have done, each array `(n_products, n_days)` of the span, 0 where a day isn't known.

    Attributes:
        earned: margin less holding and ordering, and less waste where that is charged, millionths.
        flows: units by name of `conf.specs.orders.GUARDED_FLOWS`; `ran_out` is 1 on days that left nothing. Where
            products don't keep, `wasted`, too: what couldn't be sold on the next day.
        lost: units of demand beyond the stock.
        holding: of `earned`, what holding cost, millionths.
        missed: margin that lost demand would have brought, millionths, below 0 where it is sold at a loss; no part of
            `earned`.
        position: units on hand and on the way after the day's order.
        waste: what wasted units cost, charged or not, millionths; None where products keep, or nobody told the cost.
    """

    earned: IntArray
    flows: Mapping[str, IntArray]
    lost: IntArray
    holding: IntArray
    missed: IntArray
    position: IntArray
    waste: IntArray | None = None


class OrderSpan:
    """A span of days that policies are led through, all by the same lines."""

    def __init__(
        self,
        history: OrderHistory,
        forecasts: FloatArray,
        money: Money,
        days: slice,
        *,
        forecasts_by: Callable[[DemandForecaster], FloatArray] | None = None,
    ) -> None:
        """Make the span.

        Args:
            history: of all days.
            forecasts: of each day and those until the next order arrives, `(n_products, n_days, n_ahead)`, of all days.
            money: what is earned and paid.
            days: columns of the span.
            forecasts_by: of the same shape by a policy's own forecaster; None leads every policy by `forecasts`.

        Raises:
            EvaluationError: no product has a day in the span.
        """
        self.history, self.money, self.days = history, money, days
        self.is_known = history.is_known[:, days]
        if not self.is_known.any():
            raise EvaluationError("no product has a known day in the span; build more dates")
        self.forecasts, self._forecasts_by = forecasts[:, days], forecasts_by
        self.stretches = Stretches.of(self.is_known)
        start = days.start or 0
        self._opening = history.pipeline[self.stretches.product, start + self.stretches.first]
        self.margin = np.take_along_axis(money.margin, history.promoted[:, days, 0].astype(np.int64), axis=1)

    @property
    def shape(self) -> tuple[int, int]:
        return self.is_known.shape[0], self.is_known.shape[1]

    def _known_ahead(self, policy: OrderPolicy) -> FloatArray:
        """Return the policy's forecasts, and behind them the days until the next order where not every day has one."""
        seen = self.forecasts if self._forecasts_by is None else self._forecasts_by(policy.forecaster)[:, self.days]
        if self.history.order_days.is_daily:
            return seen
        gaps = np.broadcast_to(self.gaps[None, :, None], (*self.shape, 1))
        return np.concatenate([seen, gaps.astype(np.float64)], axis=2)

    @property
    def gaps(self) -> IntArray:
        """Days from each day's order to the next one, 0 on days without orders, `(n_days,)`."""
        return np.asarray(self.history.gaps[self.days])

    @property
    def sold(self) -> IntArray:
        """Units sold as logged, `(n_products, n_days)`."""
        return np.asarray(self.history.units["sold"][:, self.days])

    @property
    def ran_out(self) -> BoolArray:
        """Days that ran out as logged, `(n_products, n_days)`."""
        return np.asarray(self.history.ran_out[:, self.days])

    @property
    def is_promoted(self) -> BoolArray:
        return np.asarray(self.history.promoted[:, self.days, 0])

    @property
    def blocks(self) -> Blocks:
        """What is independent: a shared limit ties the products, so that weeks alone are."""
        return "products_and_weeks" if self.history.room is None else "weeks"

    def led(self, policy: OrderPolicy, demand: IntArray) -> Replayed:
        """Return what the policy would have done; demand is `(n_products, n_days)`.

        It sees the forecasts of its own forecaster, as its list does. The limits that the history has bind it,
        whatever it was fitted under.

        Raises:
            EvaluationError: orders on other days than the scenario's, or that take the stock beyond the shared limit.
        """
        if policy.order_days != self.history.order_days:
            raise EvaluationError(f"{policy.name} orders {policy.order_days}, the scenario {self.history.order_days}")
        rows, history = self.stretches.product, self.history
        names = tuple(history.products[row] for row in rows.tolist())
        seen = self._known_ahead(policy)
        shelf = None if history.shelf is None else history.shelf.of(rows)
        if history.room is None:
            bound = policy.of(names, history.pack_size[rows], limits=history.limits, shelf=shelf)
            return self._replayed(bound, demand, self.stretches.taken(seen))
        room = history.room.of(rows)
        orders = policy.of(names, history.pack_size[rows], room, limits=history.limits, shelf=shelf)
        found = self._replayed_together(orders, demand, seen)
        if (beyond := int(np.count_nonzero(self.beyond(found)))) > 0:
            raise EvaluationError(f"{policy.name}: orders beyond the shared limit on {beyond} days of a replay")
        return found

    def room_taken(self, found: Replayed) -> IntArray:
        """Return what all products take of the shared limit after each day's orders, `(n_days,)`.

        Raises:
            EvaluationError: the products share none.
        """
        return self._room().per_unit @ found.position

    def beyond(self, found: Replayed) -> BoolArray:
        """Return on which days something was ordered that doesn't fit into the shared limit, `(n_days,)`."""
        ordered = found.flows["ordered"].sum(axis=0) > 0
        return np.asarray(ordered & (self.room_taken(found) > self._room().limit))

    def _room(self) -> Room:
        if self.history.room is None:
            raise EvaluationError("the products share no limit; write orders.shared_limit")
        return self.history.room

    def led_as_logged(self, demand: IntArray) -> Replayed:
        """Return what today's rule would have done: the logged orders, under the same stock and demand."""
        logged = self.stretches.taken(self.history.units["ordered"][:, self.days])
        return self._replayed(LoggedOrders(), demand, logged[:, :, None].astype(np.float64))

    def led_as_declared(self, declared: DeclaredStock, demand: IntArray) -> Replayed:
        """Return what a declared rule would have done under the same stock and demand, whatever the products share."""
        history, rows = self.history, self.stretches.product
        levels = declared.levels(history.units["sold"], history.is_known, history.weekday)[:, :-1][:, self.days]
        places = np.broadcast_to(self.gaps > 0, self.shape)
        limits = (history.limits or UnitLimits()).of_packs(history.pack_size)
        features = np.stack([levels, places], axis=2).astype(np.float64)
        return self._replayed(UpToLevels(limits.of(rows)), demand, self.stretches.taken(features))

    @property
    def _rules(self) -> StockRules:
        return StockRules(self.history.lead_days, 1.0, 1.0)  # costs are reckoned by product and day

    def _replayed(self, policy: OrderingPolicy, demand: IntArray, features: FloatArray) -> Replayed:
        taken = self.stretches.taken
        units = replayed(
            policy,
            taken(demand),
            self._rules,
            features=features,
            opening=self._opening,
            shelf_days=self._shelf_days,
            astray=taken(self.history.astray[:, self.days]),
        )
        return self._reckoned(units, self.stretches.placed)

    @property
    def _shelf_days(self) -> IntArray | None:
        shelf = self.history.shelf
        return None if shelf is None else shelf.days[self.stretches.product]

    def _replayed_together(self, policy: ProductOrders, demand: IntArray, forecasts: FloatArray) -> Replayed:
        """Return the same with each stretch on its own days, so that all products of a day share its room."""
        stretches = self.stretches
        active = stretches.active(self.shape[1])
        features = np.concatenate([forecasts[stretches.product], active[:, :, None]], axis=2)
        units = replayed(
            _ActiveOrders(policy),
            demand[stretches.product] * active,
            self._rules,
            features=features,
            opening=self._opening,
            starts=stretches.first,
            shelf_days=self._shelf_days,
            astray=self.history.astray[:, self.days][stretches.product] * active,
        )
        return self._reckoned(units, stretches.placed_by_day)

    def _reckoned(self, units: ReplayedUnits, placed: Callable[[IntArray, tuple[int, int]], IntArray]) -> Replayed:
        money = self.money
        order, sales, left, lost, stock, position = (
            placed(one, self.shape)
            for one in (units.order, units.sales, units.left_over, units.lost, units.stock, units.positions)
        )
        holding = money.holding * left
        paid = money.order_line * (order > 0) + money.order_unit * order
        wasted = np.zeros_like(left) if units.wasted is None else placed(units.wasted, self.shape)
        shelf = self.history.shelf
        waste = None if shelf is None or shelf.cost is None else shelf.cost[:, None] * wasted
        if waste is not None and shelf is not None and shelf.is_charged:
            paid = paid + waste
        return Replayed(
            earned=self.margin * sales - holding - paid,
            flows={
                "opening": stock,
                "ordered": order,
                "sold": sales,
                "closing": left,
                # What wasn't sold of the stock, before what went astray, turned up, or was wasted in the evening.
                "ran_out": (self.is_known & (np.minimum(left + wasted, stock - sales) == 0)).astype(np.int64),
                **({} if shelf is None else {WASTED: wasted}),
            },
            lost=lost,
            holding=holding,
            missed=self.margin * lost,
            position=position,
            waste=waste,
        )


@dataclass(frozen=True)
class _ActiveOrders:
    """A policy asked for the products that are there on a day; a state's last feature says which."""

    policy: ProductOrders

    def order(self, states: StockStates) -> IntArray:
        orders = np.zeros(len(states.pipeline), dtype=np.int64)
        if states.features is None or not (active := states.features[:, -1] > 0).any():
            return orders
        orders[active] = self.policy.for_rows(active).order(
            StockStates(states.pipeline[active], states.features[active])
        )
        return orders


@dataclass(frozen=True)
class LoggedOrders:
    """Today's rule as the log has it: a state's last feature is what was ordered that day."""

    def order(self, states: StockStates) -> IntArray:
        if states.features is None:
            raise EvaluationError("logged orders stand in the last feature of a state; there is none")
        return states.features[:, -1].astype(np.int64)
