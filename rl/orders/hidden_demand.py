"""Which days of a log hide demand: those on which the shelf was empty while shoppers came.

A shelf that is empty in the end hides demand, unless the rest was thrown away that evening. So does one that sold out
before something came in. One that was empty as the day began hides demand only where what comes in comes in by day; of
that the log's own days tell: a shop that is filled in the morning never sells out before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray

LEAST_SHARE = 0.01
"""Of the days on which something came in beside stock, that sold out before: from then on a shop is filled by day."""


def hides_demand(
    units: Mapping[str, IntArray], is_known: BoolArray, *, wasted: IntArray, was_empty: BoolArray | None
) -> BoolArray:
    """Return the days whose demand may have been more than what was sold, `(n_products, n_days)`.

    Args:
        units: opening, received, sold and closing by name, `(n_products, n_days)` each.
        is_known: days with such units.
        wasted: thrown away in the evening, units, likewise.
        was_empty: days on which nothing was left at some moment, the counts included, as the kernel tells by `ran_out`;
            None where rows don't say, so that only what is left in the end tells.
    """
    opening, received, closing = units["opening"], units["received"], units["closing"]
    found: BoolArray = is_known & (np.minimum(opening + received - units["sold"], closing + wasted) <= 0)
    if was_empty is None:
        return found
    awaited = is_known & (received > 0) & (closing > 0) & ~found
    in_between = was_empty & awaited
    sold_out = in_between & (opening > 0)
    is_filled_by_day = sold_out.sum() > LEAST_SHARE * (awaited & (opening > 0)).sum()
    return np.asarray(found | (in_between if is_filled_by_day else sold_out))
