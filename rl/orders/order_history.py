"""A log of orders as products by days: what was counted, ordered and sold, and what each morning knew."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import MICROS_PER_DAY, MICROS_PER_HOUR
from conf.kernel.calendar import calendar_of, date_of, day_number
from conf.kernel_rules import partition_date
from conf.paths import Lake
from conf.specs.orders import NEEDED_FLOWS, Orders, margin_metric
from conf.specs.problem import Ordering
from conf.specs.scenario import Pipeline
from rl.data.logged_episodes import BoolArray, IntArray
from rl.data.pinned_versions import Versions
from rl.data.transition_columns import Columns, struct_columns
from rl.data.transitions_reading import PublishedTransitions, read_item_categories, read_item_rooms, read_pack_sizes
from rl.errors import DatasetError
from rl.inventory.demand_forecast import DemandDays
from rl.inventory.limits import UnitLimits
from rl.inventory.logged_waste import logged_waste
from rl.inventory.order_days import EVERY_DAY, OrderDays
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import ShelfLife
from rl.orders.hidden_demand import hides_demand
from rl.orders.unlisted import UnlistedProducts, counted_lately, last_known_units

NO_CATEGORY = "(none)"
_DAYS_PER_WEEK = 7
_N_NAMED = 5


@dataclass(frozen=True)
class OrderHistory:
    """Products' days; arrays are `(n_products, n_days)` where nothing else is said, 0 where a day isn't known.

    Attributes:
        products: natural keys, ascending.
        first_day: of the columns; they are days without a gap.
        is_known: False where a product has no decision: not in the range, or its block was set aside.
        units: opening, ordered, received, sold, closing by name.
        ran_out: nothing was left while shoppers came, so that demand may have been more (`hidden_demand`).
        margin: of what was sold, millionths.
        pipeline: what the order of the day could count on, by day of arrival, `(n_products, n_days, lead_days)`.
        promoted: told that morning for the day and those until the next order arrives, `(n_products, n_days, n_ahead)`.
        next_pipeline: on the morning after the last day, `(n_products, lead_days)`.
        next_promoted: told for that morning's day and those after it, `(n_products, n_ahead)`.
        pack_size: units that are ordered together, `(n_products,)`.
        category: natural key of each product's.
        room: that all products share; None where the scenario has no shared limit.
        shelf: how long products can be sold; None where the scenario declares nothing of it.
        order_days: on which the scenario orders; what the log ordered on others is known all the same.
        limits: of each product's orders, as the scenario has them now; None leaves every policy its own.
        tells_pack: whether items tell a product's pack size, `(n_products,)`; None where they tell none of any product.
        block_start: column of the first day of the last day's block, which is set aside as a whole; may lie before 0.
        next_due: units of the next pipeline's first day that aren't there yet, but due that day or before,
            `(n_products,)`; None where nobody tells them from those on hand.
        next_overdue: of these, those that were due before, `(n_products,)`; None where they aren't observed.
        seen_unlisted: products without a decision on the last day that were counted lately, as events tell them; None
            where no events are at hand, so that days alone tell.
    """

    products: tuple[str, ...]
    first_day: date
    is_known: BoolArray
    units: Mapping[str, IntArray]
    ran_out: BoolArray
    margin: IntArray
    pipeline: IntArray
    promoted: BoolArray
    next_pipeline: IntArray
    next_promoted: BoolArray
    pack_size: IntArray
    category: tuple[str, ...]
    room: Room | None = None
    shelf: ShelfLife | None = None
    order_days: OrderDays = EVERY_DAY
    limits: UnitLimits | None = None
    tells_pack: BoolArray | None = None
    block_start: int = 0
    seen_unlisted: UnlistedProducts | None = None
    next_due: IntArray | None = None
    next_overdue: IntArray | None = None

    @property
    def n_days(self) -> int:
        return int(self.is_known.shape[1])

    @property
    def lead_days(self) -> int:
        return int(self.pipeline.shape[2])

    @property
    def n_ahead(self) -> int:
        """Days that an order looks ahead at, its own included."""
        return int(self.promoted.shape[2])

    @property
    def next_day(self) -> date:
        """The day after the last one: tomorrow, on whose morning orders may be placed."""
        return self.last_day + timedelta(days=1)

    @property
    def gaps(self) -> IntArray:
        """Days from each day's order to the next one, 0 on days without orders, `(n_days,)`."""
        return self.order_days.gaps(self.weekday)

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.n_days - 1)

    @property
    def is_listed(self) -> BoolArray:
        """Products that tomorrow's order is decided for: those with a decision on the last day, `(n_products,)`."""
        return self.is_known[:, -1]

    @property
    def untold_packs(self) -> tuple[str, ...]:
        """Products of tomorrow's list that are ordered by the piece since items tell a pack size of others alone."""
        if self.tells_pack is None:
            return ()
        return tuple(self.products[row] for row in np.flatnonzero(self.is_listed & ~self.tells_pack).tolist())

    @property
    def is_unlisted(self) -> BoolArray:
        """Products without a decision on the last day that seem to be in the range, `(n_products,)`.

        They have one in the week before it; or none in its block, which may have been set aside, and one in the week
        before that. Events tell better (`unlisted`).
        """
        start = max(self.block_start, 0)
        lately = self.is_known[:, -_DAYS_PER_WEEK - 1 : -1].any(axis=1)
        before = self.is_known[:, max(start - _DAYS_PER_WEEK, 0) : start].any(axis=1)
        is_aside = before & ~self.is_known[:, start:].any(axis=1)
        return np.asarray((lately | is_aside) & ~self.is_known[:, -1])

    @property
    def unlisted(self) -> UnlistedProducts:
        """Products that tomorrow's orders leave out although they are in the range, and what lies of them."""
        if self.seen_unlisted is not None:
            return self.seen_unlisted
        rows = self.is_unlisted
        units = self.last_known_units[rows]
        room = 0 if self.room is None else Room(self.room.per_unit[rows], self.room.limit).needed(units)
        return UnlistedProducts(tuple(self.products[row] for row in np.flatnonzero(rows).tolist()), units, room)

    @property
    def last_known_units(self) -> IntArray:
        """Units on hand and on the way when a product was last known, less what was sold then, `(n_products,)`."""
        last = self.n_days - 1 - np.argmax(self.is_known[:, ::-1], axis=1)
        rows = np.arange(len(self.products))
        ordered, sold = self.units["ordered"][rows, last], self.units["sold"][rows, last]
        return np.asarray(np.maximum(self.pipeline[rows, last].sum(axis=1) + ordered - sold, 0))

    @cached_property
    def weekday(self) -> IntArray:
        """Weekday of each day, 0 Monday, `(n_days,)`."""
        return (self.first_day.weekday() + np.arange(self.n_days, dtype=np.int64)) % 7

    @property
    def shrinkage(self) -> IntArray:
        """Units that went astray on each day, below 0 where more turned up, `(n_products, n_days)`."""
        units = self.units
        return np.asarray((units["opening"] + units["received"] - units["sold"] - units["closing"]) * self.is_known)

    @cached_property
    def astray(self) -> IntArray:
        """The shrinkage less what a product that doesn't keep wasted, `(n_products, n_days)`: replays waste themselves.

        What products waste depends on what is ordered; what goes astray is the same in every replay.
        """
        if self.shelf is None:
            return self.shrinkage
        return np.asarray(self.shrinkage - logged_waste(self.units, self.is_known, self.shelf.days))

    def demand_days(self, n_days: int | None = None) -> DemandDays:
        """Return what a forecast may look at: the first days, or all of them."""
        kept = slice(0, n_days)
        return DemandDays(
            sold=self.units["sold"][:, kept],
            ran_out=self.ran_out[:, kept],
            is_known=self.is_known[:, kept],
            is_promoted=self.promoted[:, kept, 0],
            weekday=self.weekday[kept],
        )


def read_history(
    pipeline: Pipeline, lake: Lake, published: PublishedTransitions, horizon: date, *, items: Versions | None = None
) -> OrderHistory:
    """Return the days up to the horizon.

    Args:
        pipeline: scenario with orders, and source.
        lake: holds the items.
        published: transitions up to the horizon.
        horizon: last day whose deliveries are known.
        items: pinned versions of the items table; None takes the current ones.

    Raises:
        DatasetError: a product with two decisions on one day, one of which nothing says how much of a shared limit it
            takes, or one that doesn't keep and of which nothing says what its waste costs, where that is charged.
    """
    scenario, ordering = pipeline.scenario, pipeline.scenario.ordering
    if ordering is None or scenario.orders is None:
        raise DatasetError(f"{scenario.name} decides on no orders")
    rows = _Rows.of(published.table(tuple(published.pointers)), pipeline, ordering, horizon)
    packs, categories = (
        read_pack_sizes(lake, horizon, versions=items),
        read_item_categories(lake, horizon, versions=items),
    )
    order_days, n, lead = OrderDays.of(scenario.orders.weekdays), len(rows.products), ordering.lead_days
    n_ahead = lead + order_days.longest_gap
    pipeline_now, promoted_now = stock_of(rows.observation, lead, n_ahead)
    pipeline_next, promoted_next = stock_of(rows.next_observation, lead, n_ahead)
    is_last = rows.day == rows.n_days - 1
    next_pipeline, next_promoted = np.zeros((n, lead), dtype=np.int64), np.zeros((n, n_ahead), dtype=np.bool_)
    next_pipeline[rows.product[is_last]] = pipeline_next[is_last]
    next_promoted[rows.product[is_last]] = promoted_next[is_last]
    next_due, next_overdue = (
        _next_of(rows, name, is_last, at_most=next_pipeline[:, 0]) for name in ("units_due_in_0d", "units_overdue")
    )
    category = tuple(categories.get(one, NO_CATEGORY) for one in rows.products)
    flows = {flow: name for name, flow in scenario.stock_metrics.items()}
    units = {flow: rows.metrics[flows[flow]] for flow in NEEDED_FLOWS}
    is_known = rows.placed(np.ones(len(rows.day), dtype=np.bool_))
    placed = {flow: rows.placed(values) for flow, values in units.items()}
    shelf = _shelf(scenario.orders, rows.products, category, lake, horizon, items)
    was_empty = rows.placed(rows.metrics[flows["ran_out"]] > 0) if "ran_out" in flows else None
    first_day = date_of(rows.first)
    return OrderHistory(
        products=rows.products,
        first_day=first_day,
        is_known=is_known,
        units=placed,
        ran_out=hides_demand(
            placed,
            is_known,
            wasted=np.zeros_like(placed["sold"]) if shelf is None else logged_waste(placed, is_known, shelf.days),
            was_empty=was_empty,
        ),
        margin=rows.placed(rows.metrics[str(margin_metric(scenario))]),
        pipeline=rows.placed(pipeline_now),
        promoted=rows.placed(promoted_now),
        next_pipeline=next_pipeline,
        next_promoted=next_promoted,
        pack_size=np.array([max(packs.get(one, 1), 1) for one in rows.products], dtype=np.int64),
        category=category,
        room=_room(scenario.orders, rows.products, lake, horizon, items),
        shelf=shelf,
        order_days=order_days,
        limits=UnitLimits(scenario.orders.least_order, scenario.orders.most_units),
        tells_pack=_told_packs(rows.products, packs),
        block_start=(partition_date(pipeline, horizon) - first_day).days,
        next_due=next_due,
        next_overdue=next_overdue,
        seen_unlisted=_unlisted(pipeline, lake, horizon, {rows.products[row] for row in rows.product[is_last]}, items),
    )


def _next_of(rows: _Rows, feature: str, is_last: BoolArray, *, at_most: IntArray) -> IntArray | None:
    """Return a feature of units on the morning after the last day, `(n_products,)`; None where it isn't observed."""
    if feature not in rows.next_observation:
        return None
    found = np.zeros(len(rows.products), dtype=np.int64)
    found[rows.product[is_last]] = rows.next_observation[feature][is_last]
    return np.minimum(found, at_most)


def _told_packs(products: tuple[str, ...], packs: Mapping[str, int]) -> BoolArray | None:
    """Return of which products items tell a pack size, `(n_products,)`; None where packs aren't told at all."""
    return np.array([packs.get(one, 0) > 0 for one in products], dtype=np.bool_) if packs else None


def _unlisted(
    pipeline: Pipeline, lake: Lake, horizon: date, listed: Set[str], items: Versions | None
) -> UnlistedProducts | None:
    counted, orders = counted_lately(pipeline, lake, horizon), pipeline.scenario.orders
    if counted is None or orders is None:
        return None
    products = tuple(sorted(counted - listed))
    if not products:
        return UnlistedProducts((), np.zeros(0, dtype=np.int64))
    units, room = last_known_units(pipeline, lake, horizon, products), _room(orders, products, lake, horizon, items)
    return UnlistedProducts(products, units, 0 if room is None else room.needed(units))


def _room(orders: Orders, products: tuple[str, ...], lake: Lake, horizon: date, items: Versions | None) -> Room | None:
    limit = orders.shared_limit
    if limit is None:
        return None
    if limit.of == "units":
        return Room(np.ones(len(products), dtype=np.int64), limit.in_whole)
    told = read_item_rooms(lake, horizon, limit.of, versions=items)
    if lacking := [one for one in products if told.get(one, 0) <= 0]:
        raise DatasetError(
            f"orders.shared_limit is of {limit.of}, and items tell none above 0 of {len(lacking)} of {len(products)} "
            f"products: {', '.join(lacking[:_N_NAMED])}{', …' if len(lacking) > _N_NAMED else ''}; deliver it of all, "
            "or write of: units"
        )
    return Room(np.array([told[one] for one in products], dtype=np.int64), limit.in_whole)


def _shelf(
    orders: Orders,
    products: tuple[str, ...],
    category: tuple[str, ...],
    lake: Lake,
    horizon: date,
    items: Versions | None,
) -> ShelfLife | None:
    if orders.shelf is None:
        return None
    days = np.array([orders.shelf.days_of(one) for one in category], dtype=np.int64)
    told = read_item_rooms(lake, horizon, "cost", versions=items)
    lacking = [one for one, kept in zip(products, days.tolist(), strict=True) if kept and told.get(one, 0) <= 0]
    if lacking and orders.shelf.charged:
        raise DatasetError(
            f"orders.shelf charges waste at its cost, and items tell none above 0 of {len(lacking)} of {len(products)} "
            f"products: {', '.join(lacking[:_N_NAMED])}{', …' if len(lacking) > _N_NAMED else ''}; deliver it of all, "
            "or write charged: false"
        )
    if unknown := sorted({one.category for one in orders.shelf.categories} - set(category)):
        raise DatasetError(
            f"orders.shelf.categories: no product of the log is of {', '.join(unknown)}; the log has "
            f"{', '.join(sorted(set(category))[:_N_NAMED])}"
        )
    cost = None if lacking else np.array([told.get(one, 0) for one in products], dtype=np.int64)
    return ShelfLife(days, cost, orders.shelf.charged)


def stock_of(observation: Columns, lead_days: int, n_ahead: int) -> tuple[IntArray, BoolArray]:
    """Return stock by day of arrival, `(n, lead_days)`, and promotions told ahead, `(n, n_ahead)`.

    What is due on the day itself, or overdue, is counted on for it; a promotion that isn't observed is none.
    """
    due = [observation[f"units_due_in_{day}d"] for day in range(lead_days)]
    columns = [observation["units_on_hand"] + due[0], *due[1:]]
    nothing = np.zeros(len(due[0]), dtype=np.int64)
    told = [observation.get(f"is_reduced_in_{day}d", nothing) == 1 for day in range(n_ahead)]
    return np.maximum(np.column_stack(columns), 0), np.column_stack(told)


@dataclass(frozen=True)
class _Rows:
    """Decisions as rows, each column `(n,)`."""

    products: tuple[str, ...]
    product: IntArray
    first: int
    day: IntArray
    n_days: int
    observation: Columns
    next_observation: Columns
    metrics: Columns

    @classmethod
    def of(cls, table: pa.Table, pipeline: Pipeline, ordering: Ordering, horizon: date) -> _Rows:
        last = day_number(horizon)
        moments = np.asarray(table["decision_time"].cast(pa.int64()).to_numpy(), dtype=np.int64)
        first_us = int(moments.min()) if len(moments) else 0
        calendar = calendar_of(pipeline.source.zone, min(first_us // MICROS_PER_DAY - 1, last), last + 2)
        day = (calendar.local_us(moments) - ordering.hour * MICROS_PER_HOUR) // MICROS_PER_DAY
        kept = day <= last
        table, day = table.filter(pa.array(kept)), day[kept]
        encoded = table["user_id"].combine_chunks()
        names = sorted(pc.unique(encoded).to_pylist())
        place = {name: number for number, name in enumerate(names)}
        product = np.array([place[name] for name in encoded.to_pylist()], dtype=np.int64)
        first = int(day.min()) if len(day) else last
        if len(np.unique(product * (last - first + 2) + day - first)) < len(day):
            raise DatasetError("transitions: a product has two decisions on one day; build the partitions again")
        lengths = {feature.name: feature.length for feature in pipeline.scenario.observation.features}
        return cls(
            products=tuple(names),
            product=product,
            first=first,
            day=day - first,
            n_days=last - first + 1,
            observation=struct_columns(table["observation"], lengths),
            next_observation=struct_columns(table["next_observation"], lengths),
            metrics=struct_columns(table["metrics"], dict.fromkeys(pipeline.scenario.metrics)),
        )

    def placed(self, values: np.ndarray) -> np.ndarray:
        """Return the values as products by days, 0 where there are none, `(n_products, n_days, ...)`."""
        found = np.zeros((len(self.products), self.n_days, *values.shape[1:]), dtype=values.dtype)
        found[self.product, self.day] = values
        return found
