"""Stock and orders of a log that counts none, by product and day, in the form in which a log that counts has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.limits import OrderLimits
from rl.inventory.replay import ReplayedUnits
from rl.orders.stretches import Stretches


@dataclass(frozen=True)
class SimulatedStock:
    """What a declared rule would have ordered and had, 0 where a day isn't known.

    Attributes:
        units: opening, ordered, received, sold and closing by name, `(n_products, n_days)` each. `opening` has what
            came in that morning, so that nothing is received later; `sold` is the log's, `closing` what the simulated
            stock left.
        pipeline: by day of arrival, what is there first, `(n_products, n_days, lead_time)`.
        next_pipeline: on the morning after the last day, `(n_products, lead_time)`.
    """

    units: Mapping[str, IntArray]
    pipeline: IntArray
    next_pipeline: IntArray


def simulated_stock(
    declared: DeclaredStock,
    sold: IntArray,
    is_known: BoolArray,
    weekday: IntArray,
    *,
    limits: OrderLimits,
    shelf_days: IntArray | None = None,
) -> SimulatedStock:
    """Return what the declared rule would have ordered and had.

    A product begins with an empty shelf on each first day of days without a gap.

    Args:
        declared: the rule.
        sold: units, `(n_products, n_days)`.
        is_known: days on which a product is in the range, likewise.
        weekday: of each day, 0 Monday, `(n_days,)`.
        limits: of the products' orders.
        shelf_days: on which a unit of each product can be sold, 0 where it keeps, `(n_products,)`; None where all do.
    """
    stretches, lead = Stretches.of(is_known), declared.lead_time
    rows, shape = stretches.product, (len(sold), len(weekday))
    levels = declared.levels(sold, is_known, weekday)[:, :-1]
    # Behind a stretch's end nothing is asked for, and the level is 0.
    found = declared.simulated(
        stretches.taken(sold),
        stretches.taken(levels),
        stretches.taken(np.broadcast_to(weekday, shape)),
        limits=limits.of(rows),
        shelf_days=None if shelf_days is None else shelf_days[rows],
    )
    arriving = [found.stock, *(_days_before(found.order, lead - day) for day in range(1, lead))]
    flows = {"opening": found.stock, "ordered": found.order, "closing": found.left_over}
    placed = {name: stretches.placed(one, shape) for name, one in flows.items()}
    return SimulatedStock(
        units=placed | {"received": np.zeros_like(sold), "sold": np.where(is_known, sold, 0)},
        pipeline=np.stack([stretches.placed(one, shape) for one in arriving], axis=2),
        next_pipeline=_next_pipeline(found, stretches, shape, lead),
    )


def _next_pipeline(found: ReplayedUnits, stretches: Stretches, shape: tuple[int, int], lead: int) -> IntArray:
    """Return the pipelines on the morning after the last day, `(n_products, lead)`; 0 of those that have left."""
    last = np.flatnonzero(stretches.first + stretches.length == shape[1])
    ends = stretches.length[last]
    orders = np.pad(found.order[last], ((0, 0), (lead, 0)))
    due = np.stack([orders[np.arange(len(last)), ends + day] for day in range(lead)], axis=1)
    due[:, 0] += found.left_over[last, ends - 1]
    pipeline = np.zeros((shape[0], lead), dtype=np.int64)
    pipeline[stretches.product[last]] = due
    return pipeline


def _days_before(values: IntArray, n_days: int) -> IntArray:
    """Return each day's value of so many days before, 0 for the first ones."""
    return np.pad(values, ((0, 0), (n_days, 0)))[:, : values.shape[1]]
