"""What no policy can undercut: the least cost of who knows all demand, and every order's arrival, beforehand.

Who knows demand holds nothing over and loses only what the shared room doesn't hold; without a limit nothing is lost.
The distance to it is what not knowing costs, for any policy.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError
from rl.inventory.stock import StockRules


def clairvoyant_bound(
    demand: IntArray,
    rules: StockRules,
    *,
    opening: IntArray,
    waits: IntArray | None = None,
    room: IntArray | None = None,
    limit: int | None = None,
) -> float:
    """Return a cost per product and day that no policy undercuts, in money.

    A linear program over the units that are met. Each takes its room from its order to its sale, ordered as late as it
    may be; units that stood there at first are met without any room, and nothing costs holding. All three only make the
    bound lower.

    Args:
        demand: units, `(n_products, n_days)`.
        rules: lead time and costs.
        opening: pipelines at first, `(n_products, lead_time)`.
        waits: days from order to arrival, `(n_products, n_days)`; None for the lead time.
        room: that a unit takes, `(n_products,)`; None without limit.
        limit: of stock and all that is on the way together; None without limit.

    Raises:
        InventoryError: the program has no solution, which arrays that don't fit may cause.
    """
    n_products, n_days = demand.shape
    placed = _latest_orders(demand.shape, rules.lead_time, waits)
    products, days = np.nonzero(demand)
    ordered = placed[products, days]
    asked = demand[products, days].astype(np.float64)
    can_be = np.flatnonzero(ordered >= 0)
    n_ordered, n_asked = len(can_be), len(asked)
    # Units of one product and day: met from an order, or from what stood there at first.
    met = coo_array(
        (
            np.ones(n_ordered + n_asked),
            (np.concatenate([can_be, np.arange(n_asked)]), np.arange(n_ordered + n_asked)),
        ),
        shape=(n_asked, n_ordered + n_asked),
    )
    first = coo_array(
        (np.ones(n_asked), (products, n_ordered + np.arange(n_asked))), shape=(n_products, n_ordered + n_asked)
    )
    blocks, bounds = [met, first], [asked, opening.sum(axis=1).astype(np.float64)]
    if room is not None and limit is not None:
        lengths = days[can_be] - ordered[can_be] + 1
        units = np.repeat(np.arange(n_ordered), lengths)
        on = np.arange(len(units)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + ordered[can_be][units]
        taken = room[products[can_be]][units].astype(np.float64)
        blocks.append(coo_array((taken, (on, units)), shape=(n_days, n_ordered + n_asked)))
        bounds.append(np.full(n_days, float(limit)))
    rows = np.concatenate([block.row + start for block, start in zip(blocks, _starts(blocks), strict=True)])
    table = coo_array(
        (np.concatenate([block.data for block in blocks]), (rows, np.concatenate([block.col for block in blocks]))),
        shape=(sum(block.shape[0] for block in blocks), n_ordered + n_asked),
    )
    found = linprog(np.full(n_ordered + n_asked, -1.0), A_ub=table.tocsr(), b_ub=np.concatenate(bounds), method="highs")
    if found.x is None:
        raise InventoryError(f"no clairvoyant bound: {found.message}")
    return float(rules.penalty * max(asked.sum() + found.fun, 0.0) / demand.size)


def _latest_orders(shape: tuple[int, int], lead_time: int, waits: IntArray | None) -> IntArray:
    """Return the last day on which an order still comes by each product's day; -1 where none does."""
    n_days = shape[1]
    days = np.arange(n_days)
    if waits is None:
        return np.broadcast_to(np.where(days >= lead_time, days - lead_time, -1), shape)
    found = np.full(shape, -1, dtype=np.int64)
    for day in range(n_days):
        arrives = day + waits[:, day]
        rows = np.flatnonzero(arrives < n_days)
        found[rows, arrives[rows]] = np.maximum(found[rows, arrives[rows]], day)
    return np.maximum.accumulate(found, axis=1)


def _starts(blocks: list[coo_array]) -> list[int]:
    return [sum(int(before.shape[0]) for before in blocks[:place]) for place in range(len(blocks))]
