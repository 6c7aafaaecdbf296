"""The history of a night of orders, read from its transitions: stock as counted, or simulated where nobody counts."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import MICROS_PER_DAY
from conf.kernel.calendar import calendar_of, date_of, day_number
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel_rules import clock_of, partition_date
from conf.paths import Lake
from conf.specs.orders import NEEDED_FLOWS, SOLD_FLOWS, Orders, margin_metric
from conf.specs.scenario import Pipeline, Scenario
from rl.data.logged_episodes import BoolArray, IntArray
from rl.data.pinned_versions import Versions
from rl.data.transition_columns import Columns, struct_columns
from rl.data.transitions_reading import PublishedTransitions, read_item_categories, read_item_rooms, read_pack_sizes
from rl.errors import DatasetError
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.limits import OrderLimits, UnitLimits
from rl.inventory.logged_waste import logged_waste
from rl.inventory.order_days import OrderDays
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import ShelfLife
from rl.orders.hidden_demand import hides_demand
from rl.orders.order_history import NO_CATEGORY, OrderHistory, weekdays_from
from rl.orders.simulated_stock import simulated_stock
from rl.orders.unlisted import UnlistedProducts, counted_lately, last_known_units, sold_lately

_N_NAMED = 5


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
    rows = _Rows.of(published.table(tuple(published.pointers)), pipeline, horizon)
    packs, categories = (
        read_pack_sizes(lake, horizon, versions=items),
        read_item_categories(lake, horizon, versions=items),
    )
    order_days, lead = OrderDays.of(scenario.orders.weekdays), ordering.lead_days
    n_ahead = lead + order_days.longest_gap
    promoted_now, promoted_next = (
        promotions_of(observed, n_ahead) for observed in (rows.observation, rows.next_observation)
    )
    category = tuple(categories.get(one, NO_CATEGORY) for one in rows.products)
    shelf = _shelf(scenario.orders, rows.products, category, lake, horizon, items)
    pack_size = np.array([max(packs.get(one, 1), 1) for one in rows.products], dtype=np.int64)
    limits = UnitLimits(scenario.orders.least_order, scenario.orders.most_units)
    first_day, rule = date_of(rows.first), scenario.orders.declared_stock
    declared = None if rule is None else DeclaredStock(lead, rule.safety, rule.recent_days, order_days)
    if declared is None:
        stock = _counted(rows, scenario, lead, shelf)
        unlisted = _unlisted(pipeline, lake, horizon, {rows.products[row] for row in rows.product[rows.is_last]}, items)
    else:
        stock = _simulated(declared, rows, scenario, limits.of_packs(pack_size), shelf)
        # Who was sold for the first time, or again, on the last day: of these nothing but that is known.
        strangers = sold_lately(pipeline, lake, horizon) - {rows.products[row] for row in rows.product[rows.is_last]}
        unlisted = UnlistedProducts(tuple(sorted(strangers)), np.zeros(len(strangers), dtype=np.int64))
    return OrderHistory(
        products=rows.products,
        first_day=first_day,
        is_known=rows.is_known,
        units=stock.units,
        ran_out=stock.ran_out,
        margin=rows.placed(rows.metrics[str(margin_metric(scenario))]),
        pipeline=stock.pipeline,
        promoted=rows.placed(promoted_now),
        next_pipeline=stock.next_pipeline,
        next_promoted=rows.of_next(promoted_next),
        pack_size=pack_size,
        category=category,
        room=_room(scenario.orders, rows.products, lake, horizon, items),
        shelf=shelf,
        order_days=order_days,
        limits=limits,
        tells_pack=_told_packs(rows.products, packs),
        block_start=(partition_date(pipeline, horizon) - first_day).days,
        next_due=stock.next_due,
        next_overdue=stock.next_overdue,
        seen_unlisted=unlisted,
        declared=declared,
    )


@dataclass(frozen=True)
class _Stock:
    """What is known of stock, or simulated: as the history has it."""

    units: Mapping[str, IntArray]
    ran_out: BoolArray
    pipeline: IntArray
    next_pipeline: IntArray
    next_due: IntArray | None = None
    next_overdue: IntArray | None = None


def _counted(rows: _Rows, scenario: Scenario, lead_days: int, shelf: ShelfLife | None) -> _Stock:
    """Return the stock of a log that counts it."""
    flows = {flow: name for name, flow in scenario.stock_metrics.items()}
    units = {flow: rows.placed(rows.metrics[flows[flow]]) for flow in NEEDED_FLOWS}
    wasted = np.zeros_like(units["sold"]) if shelf is None else logged_waste(units, rows.is_known, shelf.days)
    was_empty = rows.placed(rows.metrics[flows["ran_out"]] > 0) if "ran_out" in flows else None
    next_pipeline = rows.of_next(stock_of(rows.next_observation, lead_days))
    next_due, next_overdue = (
        _next_of(rows, name, at_most=next_pipeline[:, 0]) for name in ("units_due_in_0d", "units_overdue")
    )
    return _Stock(
        units=units,
        ran_out=hides_demand(units, rows.is_known, wasted=wasted, was_empty=was_empty),
        pipeline=rows.placed(stock_of(rows.observation, lead_days)),
        next_pipeline=next_pipeline,
        next_due=next_due,
        next_overdue=next_overdue,
    )


def _simulated(
    declared: DeclaredStock, rows: _Rows, scenario: Scenario, limits: OrderLimits, shelf: ShelfLife | None
) -> _Stock:
    """Return the stock that a declared rule would have had; no day hides demand, since that is declared, too."""
    (sold,) = (name for name, flow in scenario.stock_metrics.items() if flow in SOLD_FLOWS)
    found = simulated_stock(
        declared,
        rows.placed(rows.metrics[sold]),
        rows.is_known,
        weekdays_from(date_of(rows.first), rows.n_days),
        limits=limits,
        shelf_days=None if shelf is None else shelf.days,
    )
    return _Stock(found.units, np.zeros_like(rows.is_known), found.pipeline, found.next_pipeline)


def _next_of(rows: _Rows, feature: str, *, at_most: IntArray) -> IntArray | None:
    """Return a feature of units on the morning after the last day, `(n_products,)`; None where it isn't observed."""
    if feature not in rows.next_observation:
        return None
    return np.asarray(np.minimum(rows.of_next(rows.next_observation[feature]), at_most))


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


def stock_of(observation: Columns, lead_days: int) -> IntArray:
    """Return stock by day of arrival, `(n, lead_days)`; what is due on the day itself, or overdue, counts as there."""
    due = [observation[f"units_due_in_{day}d"] for day in range(lead_days)]
    return np.maximum(np.column_stack([observation["units_on_hand"] + due[0], *due[1:]]), 0)


def promotions_of(observation: Columns, n_ahead: int) -> BoolArray:
    """Return promotions told of a day and those after it, `(n, n_ahead)`; one that isn't observed is none."""
    n = len(next(iter(observation.values())))
    nothing = np.zeros(n, dtype=np.int64)
    return np.column_stack([observation.get(f"is_reduced_in_{day}d", nothing) == 1 for day in range(n_ahead)])


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
    def of(cls, table: pa.Table, pipeline: Pipeline, horizon: date) -> _Rows:
        last, clock = day_number(horizon), clock_of(pipeline)
        if not isinstance(clock, SkuDay):
            raise DatasetError(f"{pipeline.scenario.name} decides on no products")
        moments = np.asarray(table["decision_time"].cast(pa.int64()).to_numpy(), dtype=np.int64)
        first_us = int(moments.min()) if len(moments) else 0
        calendar = calendar_of(pipeline.source.zone, min(first_us // MICROS_PER_DAY - 1, last), last + 2)
        day = clock.days_of(moments, calendar)
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

    @cached_property
    def is_known(self) -> BoolArray:
        """Days on which products have a decision, `(n_products, n_days)`."""
        found: BoolArray = self.placed(np.ones(len(self.day), dtype=np.bool_))
        return found

    @cached_property
    def is_last(self) -> BoolArray:
        """Decisions of the last day, `(n,)`."""
        return np.asarray(self.day == self.n_days - 1)

    def of_next(self, values: np.ndarray) -> np.ndarray:
        """Return values of the morning after the last day by product, 0 where there are none, `(n_products, ...)`."""
        found = np.zeros((len(self.products), *values.shape[1:]), dtype=values.dtype)
        found[self.product[self.is_last]] = values[self.is_last]
        return found
