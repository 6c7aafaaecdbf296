"""Tomorrow's order of each product, with what it rests on: forecast, target level, what is on hand and on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import NothingCounted, PolicyError
from rl.inventory.forecast_correction import WINDOWS
from rl.inventory.limits import UnitLimits
from rl.inventory.order_days import OrderDays, covered_days
from rl.inventory.order_policy import OrderPolicy, ProductOrders
from rl.inventory.shared_orders import Room
from rl.inventory.stock import StockStates
from rl.orders.order_history import OrderHistory
from rl.page.wording import counted


@dataclass(frozen=True)
class TomorrowOrders:
    """An order for each product of the range, by product; each column `(n_products,)`.

    Attributes:
        day: on whose morning they are placed.
        products: natural keys, ascending.
        category: natural key of each product's.
        on_hand: units that the morning's count is expected to find.
        on_the_way: units that were ordered and are expected still: due later, that day, or overdue.
        forecast: demand from the order to the next one's arrival, units.
        level: that is ordered up to, units and parts of them.
        pack_size: units that are ordered together.
        order: units.
        held_back: units that would be ordered too, if the products shared no limit.
        held_by_most: units that would be ordered too, but for the most that may be on hand and on the way.
        never_fits: products whose smallest order, in whole packs, is more than may be on hand and on the way.
        is_coarse: products whose smallest order is more than twice what an empty shelf is filled up to: it is ordered
            where waiting would lose more than it costs to hold.
        is_unworthy: of these, products that nothing is ordered of even so.
        most_units: of a product, on hand and on the way after an order; None for no limit.
        room: that they share; `taken` is that of products without a line. None without a shared limit.
        days_covered: that the orders last for, from the day on, until the next ones arrive.
        is_daily: whether orders are placed every day, so that they last to the day of their arrival.
        due: units on the way that are due that day or overdue; None where they are counted among those on hand.
        overdue: units on the way that were due before; None where they aren't told from those due that day.
        is_simulated: whether stock is, so that what is on hand and on the way is no count.
    """

    day: date
    products: tuple[str, ...]
    category: tuple[str, ...]
    on_hand: IntArray
    on_the_way: IntArray
    forecast: FloatArray
    level: FloatArray
    pack_size: IntArray
    order: IntArray
    held_back: IntArray
    held_by_most: IntArray
    never_fits: BoolArray
    is_coarse: BoolArray
    is_unworthy: BoolArray
    most_units: int | None = None
    room: Room | None = None
    days_covered: int = 1
    is_daily: bool = True
    due: IntArray | None = None
    overdue: IntArray | None = None
    is_simulated: bool = False

    @property
    def room_taken(self) -> int:
        """What all products take of the shared limit once the orders are placed; 0 without one."""
        if self.room is None:
            return 0
        return self.room.taken + self.room.needed(self.on_hand + self.on_the_way + self.order)

    @property
    def never_ordered(self) -> tuple[str, ...]:
        """Natural keys of the products whose smallest order is more than may be on hand and on the way."""
        return self._named(self.never_fits)

    @property
    def coarse_packs(self) -> tuple[str, ...]:
        """Natural keys of the products whose smallest order is more than twice what is ordered up to."""
        return self._named(self.is_coarse)

    @property
    def not_worth_a_pack(self) -> tuple[str, ...]:
        """Natural keys of the products whose smallest order costs more than it brings, so that none is placed."""
        return self._named(self.is_unworthy)

    def _named(self, rows: BoolArray) -> tuple[str, ...]:
        return tuple(self.products[row] for row in np.flatnonzero(rows).tolist())

    def __len__(self) -> int:
        return len(self.products)

    def reason(self, row: int) -> str:
        """Return why so much, in words of a buyer."""
        have = int(self.on_hand[row] + self.on_the_way[row])
        rest = f"level {self.level[row]:.0f}, {self.on_hand[row]:,} on hand and {self.on_the_way[row]:,} on the way"
        rest += self._overdue_in_words(row)
        rest += " (simulated, since the log counts none: `decide --stock` takes what you have)" * self.is_simulated
        left_out = f" ({self.held_back[row]:,} fewer, for the limit that all share)" if self.held_back[row] else ""
        if self.held_by_most[row]:
            left_out += (
                f" ({self.held_by_most[row]:,} fewer, since {self.most_units:,} may be on hand and on the way at most)"
            )
        until = "until it arrives and on that day"
        if not self.is_daily:
            until = f"in {self.days_covered} days, until the next order arrives"
        wanted = f"about {self.forecast[row]:.0f} will be asked for {until}"
        if self.order[row]:
            pack = f" in packs of {self.pack_size[row]}" if self.pack_size[row] > 1 else ""
            if 2 * math.floor(self.level[row] - have + 0.5) < self.order[row]:
                pack += ", the least there is, since waiting would lose more than it costs to hold"
            return f"{wanted}; {rest}: {self.order[row]:,} more{pack}{left_out}"
        if self.never_fits[row]:
            return f"{wanted}; {rest}: nothing, since the smallest order is more than the {self.most_units:,} allowed"
        short = self.level[row] - have
        why = "and the least that can be ordered costs more than it brings"
        why = why if self.is_unworthy[row] else "less than is ordered at once"
        told = "enough" if short <= 0 else f"{short:.0f} short, {why}"
        return f"{wanted}; {rest}: {'nothing' + left_out if left_out else told}"

    def _overdue_in_words(self, row: int) -> str:
        if self.overdue is not None:
            return f", {self.overdue[row]:,} of them overdue" if self.overdue[row] else ""
        return f", {self.due[row]:,} of them due that day or overdue" if self.due is not None and self.due[row] else ""


def tomorrow_orders(policy: OrderPolicy, history: OrderHistory) -> TomorrowOrders:
    """Return the orders of the morning after the history's last day, within the limits that the history has.

    Raises:
        NothingCounted: no product had a decision on the last day.
        PolicyError: the policy is for another lead time or orders on other days, no orders are placed that morning
            (`no_orders_problem`), or the list breaks a limit.
    """
    if problem := no_orders_problem(history.order_days, history.next_day):
        raise PolicyError(problem)
    listed = np.flatnonzero(history.is_listed)
    if not len(listed):
        raise NothingCounted(f"no product was counted on {history.last_day}, so that nothing is known to order by")
    if policy.costs.lead_time != history.lead_days:
        raise PolicyError(
            f"policy {policy.version} orders for {counted(policy.costs.lead_time, 'day')} of waiting, the scenario "
            f"declares {history.lead_days}; register a night of the scenario as it is now, and promote it"
        )
    if policy.order_days != history.order_days:
        raise PolicyError(
            f"policy {policy.version} orders {policy.order_days}, the scenario {history.order_days}; register a night "
            "of the scenario as it is now, and promote it"
        )
    names = tuple(history.products[row] for row in listed.tolist())
    promoted = np.concatenate([history.promoted[listed, -WINDOWS:], history.next_promoted[listed][:, None]], axis=1)
    days = history.demand_days().of(listed)
    forecasts = policy.forecaster.forecasts(names, days, promoted, has_next=True)[:, -1]
    weekday = np.array([history.next_day.weekday()], dtype=np.int64)
    gaps = np.repeat(history.order_days.gaps(weekday), len(listed))
    states = StockStates(history.next_pipeline[listed], np.column_stack([forecasts, gaps]))
    packs, shelf = history.pack_size[listed], None if history.shelf is None else history.shelf.of(listed)
    bound = policy.of(names, packs, _room(history), limits=history.limits, shelf=shelf)
    level, order = bound.advise(states)
    free = order if bound.room is None else bound.without_room().order(states)
    limits = history.limits or policy.fitted_under
    unbounded = policy.of(names, packs, limits=replace(limits, most_units=None), shelf=shelf).order(states)
    due = None if history.next_due is None else history.next_due[listed]
    on_hand = states.stock if due is None else states.stock - due
    never_fits = bound.limits.smallest > bound.limits.storage
    is_coarse, is_unworthy = _beyond_levels(bound, states)
    found = TomorrowOrders(
        day=history.next_day,
        products=names,
        category=tuple(history.category[row] for row in listed.tolist()),
        on_hand=on_hand,
        on_the_way=states.position - on_hand,
        forecast=covered_days(forecasts, history.lead_days, gaps).sum(axis=1),
        level=level,
        pack_size=packs,
        order=order,
        held_back=np.maximum(free - order, 0),
        held_by_most=np.maximum(unbounded - free, 0),
        never_fits=never_fits,
        is_coarse=is_coarse & ~never_fits,
        is_unworthy=is_unworthy & ~never_fits,
        most_units=limits.most_units,
        room=bound.room,
        days_covered=history.lead_days + int(gaps[0]),
        is_daily=history.order_days.is_daily,
        due=due,
        overdue=None if history.next_overdue is None else history.next_overdue[listed],
        is_simulated=history.declared is not None,
    )
    refuse_wrong_orders(found, limits)
    return found


def _beyond_levels(orders: ProductOrders, states: StockStates) -> tuple[BoolArray, BoolArray]:
    """Return products whose smallest order is more than twice the level of an empty shelf, and those it isn't worth.

    As if the products shared no limit; `(n_products,)` each.
    """
    empty = StockStates(np.zeros_like(states.pipeline), states.features)
    level, order = orders.without_room().advise(empty)
    smallest = orders.limits.smallest
    is_coarse = (smallest > 1) & (level > 0) & (2 * level < smallest)
    return is_coarse, is_coarse & (order == 0)


def no_orders_problem(days: OrderDays, day: date) -> str:
    """Return why no orders are placed on a morning, and when the next ones are; empty where they are."""
    if days.has(day):
        return ""
    following = days.next_from(day)
    return f"no orders on {day:%A} {day}: they are placed {days}, next on {following:%A} {following}"


def _room(history: OrderHistory) -> Room | None:
    """Return the shared limit as the listed products have it.

    What lies of products that have no line, since a count is missing, takes its room as it was last known.
    """
    if history.room is None:
        return None
    return replace(history.room.of(history.is_listed), taken=history.unlisted.room)


def refuse_wrong_orders(orders: TomorrowOrders, limits: UnitLimits) -> None:
    """Raise if an order breaks what every order has to keep, reckoned anew from the list's own columns.

    Args:
        orders: the list.
        limits: of each product.

    Raises:
        PolicyError: names everything that is wrong.
    """
    placed = orders.order > 0
    problems = [
        f"{int(np.count_nonzero(rows))} orders {what}"
        for rows, what in (
            (orders.order < 0, "are below 0"),
            (orders.order % orders.pack_size != 0, "aren't whole packs"),
            (placed & (orders.order < limits.least_order), f"are below the least order of {limits.least_order}"),
            (
                placed & (orders.order + orders.on_hand + orders.on_the_way > (limits.most_units or np.inf)),
                f"go beyond {limits.most_units} units on hand and on the way",
            ),
        )
        if rows.any()
    ]
    if orders.room is not None and placed.any() and orders.room_taken > orders.room.limit:
        problems.append(f"all together take {orders.room_taken:,} of the shared limit of {orders.room.limit:,}")
    if len(set(orders.products)) < len(orders):
        problems.append("products stand twice")
    if problems:
        raise PolicyError("the list of orders was not published: " + "; ".join(problems))
