"""How the returns of two policies are distributed on the same episodes, and whether the worst of them get worse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.intervals import Resampling
from rl.ope.returns.return_distribution import (
    BoundedReturn,
    ReturnDistribution,
    distribution_of,
    drawn_figures,
)
from rl.ope.returns.weighted_returns import WeightedReturns, weighted_returns
from rl.ope.samples.sample import EvaluationSample

MIN_EFFECTIVE = 10.0
"""Effective units that must stand behind a quarter of the episodes, and behind the mean of the worst."""

_CVAR = 2  # its place among the drawn figures
_N_POINTS = 100


@dataclass(frozen=True)
class ReturnComparison:
    """The returns of two policies on the same episodes.

    Attributes:
        candidate: its distribution.
        baseline: the other's, at the same points.
        tail_gain: the candidate's mean of the worst returns less the baseline's, paired draw by draw; None where
            `tail_refusal` says why the worst can't be told apart (then no `cvar` is to be shown either).
        tail_refusal: why there is no tail gain; None where there is one.
    """

    candidate: ReturnDistribution
    baseline: ReturnDistribution
    tail_gain: BoundedReturn | None
    tail_refusal: str | None = None


def compare_returns(
    candidate: EvaluationSample,
    baseline: EvaluationSample,
    *,
    tail: float = 0.1,
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> ReturnComparison:
    """Return both distributions, self-normalised, under the same draws of units.

    Weights are of whole episodes, so all that `return_distribution` says against them holds here.

    Args:
        candidate: its sample.
        baseline: the other's, on the same episodes.
        tail: share of the worst returns whose mean is told.
        level: of the bounds, two-sided.
        resampling: how units are drawn for the bounds.

    Raises:
        UnsupportedEstimator: a sample can't be weighted, is cut too often, or too little of its weight is left.
        EvaluationError: fewer than two units.
    """
    both = [weighted_returns(candidate), weighted_returns(baseline)]
    if refusal := _too_little(both, 0.25):
        raise UnsupportedEstimator(refusal)
    points = _points(both[0].returns)
    drawn = [drawn_figures(found, points, tail=tail, resampling=resampling) for found in both]
    first, second = (
        distribution_of(figures, found, points=points, tail=tail, level=level)
        for figures, found in zip(drawn, both, strict=True)
    )
    if refusal := _too_little(both, tail):
        return ReturnComparison(first, second, None, refusal)
    return ReturnComparison(first, second, drawn[0].minus(drawn[1]).bounded(_CVAR, level=level))


def _too_little(both: list[WeightedReturns], share: float) -> str | None:
    """Return why that share of the episodes rests on too few units; None where it doesn't."""
    least = min(both, key=lambda found: found.effective_units)
    in_share = share * least.effective_units
    if in_share >= MIN_EFFECTIVE:
        return None
    return (
        f"weighted as whole episodes, {least.n_units:,} shoppers are worth {least.effective_units:.0f}, so "
        f"{100 * share:g}% of the episodes would rest on {in_share:.1f} of them where {MIN_EFFECTIVE:.0f} are needed"
    )


def _points(returns: FloatArray) -> FloatArray:
    """Return the returns that equal shares of the logged episodes stay at or under, ascending, `(at most 101,)`."""
    return np.unique(np.quantile(returns, np.linspace(0, 1, _N_POINTS + 1), method="inverted_cdf"))
