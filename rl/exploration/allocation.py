"""The shares that bring a verdict soonest within what a night may cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from rl.data.logged_episodes import FloatArray

_N_LINE = 40
_LEAST_SHARE = 1e-4
Nights = Callable[[Sequence[float]], float]


def soonest_shares(nights: Nights, worst_costs: FloatArray, *, budget: float, max_share: float) -> FloatArray:
    """Return the shares by stratum at which `nights` is least, within budget and the largest share, `(n_strata,)`.

    The logarithm of nights is convex in the shares, so a local minimum is the minimum. The best equal share is where
    the search begins, and stays where the search finds nothing better.

    Args:
        nights: shares -> nights to a verdict.
        worst_costs: of a night by stratum if all its decisions were explored, `(n_strata,)`.
        budget: that a night may cost at worst, in the same unit.
        max_share: largest share of a stratum.

    Source: Cochran (1977), 5.5, optimum allocation with unequal costs, here of draws that mix two policies.
    """
    start = best_equal_share(nights, worst_costs, budget=budget, max_share=max_share)
    n = len(worst_costs)
    if n == 1 or start == 0.0 or not math.isfinite(nights([start] * n)):
        return np.full(n, start)
    scale = max(budget, 1e-12)
    found = minimize(
        lambda shares: math.log(max(nights(shares), 1e-9)),
        np.full(n, start),
        method="SLSQP",
        bounds=[(0.0, max_share)] * n,
        constraints=[{"type": "ineq", "fun": lambda shares: (budget - float(worst_costs @ shares)) / scale}],
        options={"maxiter": 60, "ftol": 1e-5},
    )
    shares = _within(np.asarray(found.x, dtype=np.float64), worst_costs, budget=budget, max_share=max_share)
    return shares if nights(shares.tolist()) < nights([start] * n) else np.full(n, start)


def best_equal_share(nights: Nights, worst_costs: FloatArray, *, budget: float, max_share: float) -> float:
    """Return the share that brings a verdict soonest where all strata get the same; 0 where none is affordable.

    Args:
        nights: shares -> nights to a verdict.
        worst_costs: of a night by stratum if all its decisions were explored, `(n_strata,)`.
        budget: that a night may cost at worst.
        max_share: largest share.
    """
    total = float(worst_costs.sum())
    affordable = max_share if total <= 0 else min(max_share, budget / total)
    if affordable < _LEAST_SHARE:
        return 0.0
    tried = np.geomspace(min(_LEAST_SHARE, affordable), affordable, _N_LINE)
    return float(min(tried, key=lambda share: nights([float(share)] * len(worst_costs))))


def _within(shares: FloatArray, worst_costs: FloatArray, *, budget: float, max_share: float) -> FloatArray:
    """Return the shares cut to their limits, and scaled down where they cost more than the budget by a hair."""
    cut = np.clip(np.nan_to_num(shares), 0.0, max_share)
    cost = float(worst_costs @ cut)
    return cut if cost <= budget or cost == 0 else np.asarray(cut * (budget / cost))
