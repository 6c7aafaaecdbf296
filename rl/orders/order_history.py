"""A log of orders as products by days: what was counted, ordered and sold, and what each morning knew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.demand_forecast import DemandDays
from rl.inventory.limits import UnitLimits
from rl.inventory.logged_waste import logged_waste
from rl.inventory.order_days import EVERY_DAY, OrderDays
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import ShelfLife
from rl.orders.unlisted import UnlistedProducts

NO_CATEGORY = "(none)"
_DAYS_PER_WEEK = 7


def weekdays_from(first_day: date, n_days: int) -> IntArray:
    """Return the weekday of so many days from the first on, 0 Monday, `(n_days,)`."""
    return (first_day.weekday() + np.arange(n_days, dtype=np.int64)) % _DAYS_PER_WEEK


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
        declared: by which stock and orders are simulated, since the log counts none; None where it does. Then `sold` is
            all that was asked for, and nothing goes astray.
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
    declared: DeclaredStock | None = None

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
        return weekdays_from(self.first_day, self.n_days)

    @property
    def shrinkage(self) -> IntArray:
        """Units that went astray on each day, below 0 where more turned up, `(n_products, n_days)`."""
        units = self.units
        if self.declared is not None:
            return np.zeros_like(units["sold"])
        return np.asarray((units["opening"] + units["received"] - units["sold"] - units["closing"]) * self.is_known)

    @cached_property
    def astray(self) -> IntArray:
        """The shrinkage less what a product that doesn't keep wasted, `(n_products, n_days)`: replays waste themselves.

        What products waste depends on what is ordered; what goes astray is the same in every replay.
        """
        if self.shelf is None or self.declared is not None:
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
