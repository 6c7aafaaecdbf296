"""What of a log's shrinkage is waste: units past the days on which they could be sold, as the log's own stock ages.

A shop that throws away what is past its days counts less than its receipts and sales leave. A replay wastes by the same
rule, whoever orders; so that waste has to be told from what went astray, or it would leave every replay twice: once as
the log's, whatever was ordered, and never as the waste that orders bring about.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.inventory.shelf_life import AgedStock


def logged_waste(units: Mapping[str, IntArray], is_known: BoolArray, shelf_days: IntArray) -> IntArray:
    """Return the units of each day's shrinkage that were waste, at least 0, `(n_products, n_days)`.

    The oldest units are sold first; what leaves unsold is waste as far as units past their days are there. What lies
    there as a product's known days begin is of unknown age, and may be waste at once.

    Args:
        units: opening, received, sold and closing by name, `(n_products, n_days)` each.
        is_known: days with such units, `(n_products, n_days)`.
        shelf_days: on which a unit can be sold, that of its arrival included; 0 where it keeps for good and none is
            waste, `(n_products,)`.
    """
    available = (units["opening"] + units["received"]) * is_known
    sold, closing = units["sold"] * is_known, units["closing"] * is_known
    shrinkage = available - sold - closing
    wasted, leaving, found = np.zeros_like(shrinkage), np.maximum(shrinkage, 0), np.maximum(-shrinkage, 0)
    nothing = np.zeros(len(shelf_days), dtype=np.int64)
    aged, past, stock, was_known = AgedStock(nothing, shelf_days), nothing.copy(), nothing.copy(), nothing > 0
    for day in range(is_known.shape[1]):
        begins = is_known[:, day] & ~was_known
        aged.begin(begins, nothing)
        past[begins] = available[begins, day]
        stock[begins] = available[begins, day]
        more = (available[:, day] - stock) * is_known[:, day]
        aged.arrive(np.maximum(more, 0))
        left = _taken(past, sold[:, day] + np.maximum(-more, 0))
        past += aged.after(left)
        beyond = _taken(past, leaving[:, day])
        aged.take(beyond)
        aged.arrive(found[:, day])
        wasted[:, day] = np.where(shelf_days > 0, leaving[:, day] - beyond, 0)
        stock, was_known = closing[:, day], is_known[:, day]
    return wasted


def _taken(past: IntArray, units: IntArray) -> IntArray:
    """Take units from those past their days, in place, as far as there are; return what is still to be taken."""
    taken = np.minimum(past, units)
    past -= taken
    return np.asarray(units - taken)
