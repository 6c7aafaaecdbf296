"""Demand behind days that sold out: what was asked for beyond the stock stands in no log.

A day that left something over shows its demand; a day that ran out shows a bound alone. Taking bounds for demand
teaches a buyer to stock what was stocked. The Kaplan-Meier estimate uses both kinds of days without a model, up to the
largest stock; what lies beyond it no log can tell, so the tail is declared by whoever asks.

Source: Kaplan and Meier, Nonparametric Estimation from Incomplete Observations (1958), equation 3c; Huh, Levi,
Rusmevichientong and Orlin, Adaptive Data-Driven Inventory Control with Censored Demand Based on Kaplan-Meier Estimator
(2011), for stock as the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.demand_tail import negative_binomial_tail

Tail = Literal["geometric", "negative_binomial", "at_bound"]
"""What is declared of demand beyond the largest stock: `geometric` goes on with the last known rate of decline;
`negative_binomial` has the shape of such a law, fitted to all days; `at_bound` takes the bound for the demand, the
least that is possible."""

_LAST_CHANCE = 1e-9
_ROWS_OF_LAST_RATE = 100


@dataclass(frozen=True)
class FittedDemand:
    """A distribution of demand, and what of it is declared, not seen.

    Attributes:
        distribution: of a period's demand.
        declared_from: units from which on the tail is declared; the distribution below it was estimated.
        declared_chance: of demand from there on.
        n_days: that were looked at.
        n_censored: of them, days that ran out.
        tail: what was declared.
    """

    distribution: DemandDistribution
    declared_from: int
    declared_chance: float
    n_days: int
    n_censored: int
    tail: Tail


def fit_demand(
    sales: IntArray, ran_out: BoolArray, *, tail: Tail = "geometric", weights: FloatArray | None = None
) -> FittedDemand:
    """Return the Kaplan-Meier estimate of a period's demand.

    Unbiased in large logs where a day's stock and its demand are independent given the stratum: fit where buyers stock
    up for what they expect by strata (`fit_in_strata`).

    Args:
        sales: units sold, `(n,)`.
        ran_out: True where nothing was left over, so that demand was at least the sales, `(n,)`.
        tail: what is declared beyond the largest stock.
        weights: of the days, `(n,)`, at least 0, such as counts of a bootstrap draw; None for 1 each.

    Raises:
        InventoryError: no days, sales below 0, or nothing but days that ran out.
    """
    weight = _checked_weights(sales, ran_out, weights)
    size = int(sales.max()) + 1
    is_shown = ~ran_out & (weight > 0)
    if not is_shown.any():
        raise InventoryError(f"all {len(sales)} days ran out, so no day shows its demand; observe some with more stock")
    shown: FloatArray = np.bincount(sales[is_shown], weight[is_shown], minlength=size).astype(np.float64)
    bounds: FloatArray = np.bincount(sales[ran_out], weight[ran_out], minlength=size).astype(np.float64)
    # A day that ran out at k sold k whether k or more were asked for: it says nothing of k itself.
    at_risk: FloatArray = np.cumsum((shown + np.append(bounds[1:], 0.0))[::-1])[::-1]
    rates = np.divide(shown, at_risk, out=np.zeros(size), where=at_risk > 0)
    known = int(np.flatnonzero(at_risk > 0)[-1]) + 1
    rates = rates[:known]
    survival = np.cumprod(np.append(1.0, 1.0 - rates))
    chances, beyond = survival[:-1] * rates, max(float(survival[-1]), 0.0)
    if beyond > _LAST_CHANCE:
        given = (
            negative_binomial_tail(shown, bounds, known)
            if tail == "negative_binomial"
            else _tail_chances(tail, shown[:known], at_risk[:known], beyond)
        )
        chances = np.append(chances, beyond * given)
    return FittedDemand(
        distribution=DemandDistribution(np.asarray(chances / chances.sum())),
        declared_from=known,
        declared_chance=beyond,
        n_days=len(sales),
        n_censored=int(np.count_nonzero(ran_out)),
        tail=tail,
    )


def fit_in_strata(
    sales: IntArray, ran_out: BoolArray, strata: IntArray, *, tail: Tail = "geometric"
) -> dict[int, FittedDemand]:
    """Return an estimate for each stratum, such as a band of forecasts with or without promotion.

    Raises:
        InventoryError: strata that don't fit the days, or one that no estimate can be made of.
    """
    if strata.shape != sales.shape:
        raise InventoryError(f"strata have shape {strata.shape}, sales {sales.shape}; expected the same")
    found = {}
    for stratum in np.unique(strata).tolist():
        rows = strata == stratum
        try:
            found[stratum] = fit_demand(sales[rows], ran_out[rows], tail=tail)
        except InventoryError as error:
            raise InventoryError(f"stratum {stratum}: {error}; or join it with another stratum") from error
    return found


def completed(
    sales: IntArray,
    ran_out: BoolArray,
    strata: IntArray,
    fitted: Mapping[int, FittedDemand],
    generator: np.random.Generator,
) -> IntArray:
    """Return demand of the shape of `sales`: as logged, and drawn from its law given the bound on days that ran out.

    Each call draws anew. A mean in place of a draw would hide the very days that stock is kept for.
    """
    demand = sales.copy()
    for stratum, fit in fitted.items():
        rows = ran_out & (strata == stratum)
        demand[rows] = fit.distribution.draw_at_least(sales[rows], generator)
    return demand


def _tail_chances(tail: Tail, shown: FloatArray, at_risk: FloatArray, beyond: float) -> FloatArray:
    """Return the chances from the first unknown number of units on, given that it is reached, which sum to 1."""
    if tail == "at_bound":
        return np.ones(1)
    # The last rates rest on few days each: they are joined until there are enough.
    joined = np.cumsum(at_risk[::-1])
    first = len(at_risk) - 1 - int(np.searchsorted(joined, _ROWS_OF_LAST_RATE))
    first = max(first, 0)
    rate = float(np.clip(shown[first:].sum() / at_risk[first:].sum(), 0.02, 0.98))
    n_more = int(np.ceil(np.log(_LAST_CHANCE / beyond) / np.log1p(-rate))) + 1
    chances = rate * (1 - rate) ** np.arange(n_more)
    return np.asarray(chances / chances.sum())


def _checked_weights(sales: IntArray, ran_out: BoolArray, weights: FloatArray | None) -> FloatArray:
    weight = np.ones(len(sales)) if weights is None else weights
    if sales.ndim != 1 or ran_out.shape != sales.shape or weight.shape != sales.shape:
        raise InventoryError(
            f"sales have shape {sales.shape}, ran_out {ran_out.shape}, weights {weight.shape}; expected one axis each, "
            "of one length"
        )
    if not len(sales):
        raise InventoryError("no days to fit demand to; expected at least one")
    if int(sales.min()) < 0 or not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise InventoryError("sales and weights of days are at least 0; some are not")
    return weight
