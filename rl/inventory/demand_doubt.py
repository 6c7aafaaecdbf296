"""How well a quantile of fitted demand is known: the fit, repeated on days drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import InventoryError
from rl.inventory.censored_demand import Tail, fit_demand


@dataclass(frozen=True)
class QuantileDoubt:
    """A quantile of demand between its bounds, in units.

    Attributes:
        value: on the days themselves.
        lower: lower bound.
        upper: upper bound.
        declared_share: of the draws, those in which the quantile lay in the declared tail: where it is large, the
            bounds say more of the declaration than of demand.
    """

    value: int
    lower: float
    upper: float
    declared_share: float


def quantile_doubt(
    sales: IntArray,
    ran_out: BoolArray,
    units: IntArray,
    *,
    share: float,
    tail: Tail = "geometric",
    level: float = 0.95,
    n_draws: int = 300,
    seed: int = 0,
) -> QuantileDoubt:
    """Return the quantile of the Kaplan-Meier fit with its percentile interval, refitted in each bootstrap draw.

    Args:
        sales: units sold, `(n,)`.
        ran_out: True where nothing was left over, `(n,)`.
        units: what is drawn as a whole, such as the week of each day, `(n,)`.
        share: of days on which the quantile suffices.
        tail: what is declared beyond the largest stock.
        level: of the interval, in (0, 1).
        n_draws: of the bootstrap.
        seed: of the draws.

    Raises:
        InventoryError: fewer than two units, or days that no demand can be fitted to.
    """
    fitted = fit_demand(sales, ran_out, tail=tail)
    _, unit = np.unique(units, return_inverse=True)
    n_units = int(unit.max()) + 1
    if units.shape != sales.shape or n_units < 2 or n_draws < 1 or not 0 < level < 1:
        raise InventoryError(
            f"{n_units} units of {len(units)} days for {len(sales)} days of sales, {n_draws} draws, level {level:g}; "
            "expected two units or more, one for each day, a draw, and a level in (0, 1)"
        )
    generator = np.random.default_rng(seed)
    found, n_declared, n_fitted = [], 0, 0
    for weights in generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_draws):
        weight = weights[unit].astype(np.float64)
        if not (weight[~ran_out] > 0).any():
            continue  # no day of this draw shows its demand
        draw = fit_demand(sales, ran_out, tail=tail, weights=weight)
        quantile = draw.distribution.quantile(share)
        found.append(quantile)
        n_declared += quantile >= draw.declared_from
        n_fitted += 1
    if n_fitted < 0.9 * n_draws:
        raise InventoryError(f"only {n_fitted} of {n_draws} draws hold a day that shows its demand; observe more days")
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return QuantileDoubt(fitted.distribution.quantile(share), float(lower), float(upper), n_declared / n_fitted)
