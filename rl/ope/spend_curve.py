"""How much a policy gains at each spend, on evaluated scores: the curve on which a budget is moved.

The policy is the walk along `rl.policy.offer_budget`'s path, whose order was fixed on earlier data; what it gains and
spends is read off scores of units it wasn't fitted on. How far the walk goes for a spend is estimated with it.

Source: Sverdrup, Wu, Athey and Wager, Qini Curves for Multi-Armed Treatment Rules (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from rl.errors import EvaluationError
from rl.policy.offer_budget import NOTHING, SpendPath

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SpendCurve:
    """Gain over doing nothing at each spend, means over units; linear between the points, flat beyond the last.

    Attributes:
        spend: from 0 on, ascending, `(n_points,)`, in money a unit.
        gain: at it, `(n_points,)`, in money a unit.
    """

    spend: FloatArray
    gain: FloatArray

    def gain_at(self, spend: FloatArray) -> FloatArray:
        """Return the gain at spends, `(n,)`, in money a unit."""
        return np.interp(spend, self.spend, self.gain)


@dataclass(frozen=True)
class CurveEstimate:
    """The curve at asked spends.

    Attributes:
        spend: asked for, `(n,)`, in money a unit.
        gain: estimated, `(n,)`.
        error: standard error, `(n,)`.
        lower: bound of the interval, `(n,)`.
        upper: bound of the interval, `(n,)`.
    """

    spend: FloatArray
    gain: FloatArray
    error: FloatArray
    lower: FloatArray
    upper: FloatArray


def spend_curve(
    path: SpendPath, scores: FloatArray, spend_scores: FloatArray | None = None, weights: FloatArray | None = None
) -> SpendCurve:
    """Return the curve of the path on scores of the units it was made for.

    Args:
        path: of the units.
        scores: unbiased for what each action brings a unit over nothing, `(n_units, n_actions)`, in money: doubly
            robust ones, in most cases.
        spend_scores: likewise for what it costs; None takes the committed costs that the path was made with.
        weights: of the units, `(n_units,)`; None weights all alike.

    Raises:
        EvaluationError: scores that are no numbers, or no units.
    """
    if not len(scores) or not np.isfinite(scores).all():
        raise EvaluationError("a curve of gain against spend needs finite scores of at least one unit")
    by = np.ones(len(scores)) if weights is None else weights
    step_weight = by[path.unit] / by.sum()
    cost = path.cost if spend_scores is None else _step(path, spend_scores)
    spend = np.append(0.0, np.cumsum(step_weight * cost))
    gain = np.append(0.0, np.cumsum(step_weight * _step(path, scores)))
    # Estimated costs may step back: a point beyond which less is spent is no more money well used than before.
    return SpendCurve(np.maximum.accumulate(spend), gain)


def estimate_curve(
    path: SpendPath,
    scores: FloatArray,
    at: FloatArray,
    *,
    spend_scores: FloatArray | None = None,
    clusters: IntArray | None = None,
    n_draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> CurveEstimate:
    """Return the curve at spends, with intervals over units that were drawn anew; the walk's length with them.

    Args:
        path: of the units, in an order that was fixed on other data.
        scores: as of `spend_curve`.
        at: spends asked for, `(n,)`, in money a unit.
        spend_scores: as of `spend_curve`.
        clusters: which units belong together (a shopper's weeks), `(n_units,)`; None takes each for itself.
        n_draws: how often units are drawn.
        level: of the intervals.
        seed: of the draws.

    Raises:
        EvaluationError: as of `spend_curve`.
    """
    curve = spend_curve(path, scores, spend_scores)
    owner = np.arange(len(scores)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    n_owners, generator = int(owner.max()) + 1, np.random.default_rng(seed)
    draws = np.empty((n_draws, len(at)))
    for row in range(n_draws):
        drawn = np.bincount(generator.integers(0, n_owners, n_owners), minlength=n_owners)
        draws[row] = spend_curve(path, scores, spend_scores, drawn[owner].astype(np.float64)).gain_at(at)
    gain, error = curve.gain_at(at), draws.std(axis=0, ddof=1)
    reach = float(ndtri(0.5 + level / 2)) * error
    return CurveEstimate(at, gain, error, gain - reach, gain + reach)


def _step(path: SpendPath, scores: FloatArray) -> FloatArray:
    """Return what each step adds to a sum of scores, `(n_steps,)`."""
    before = np.where(path.before == NOTHING, 0.0, scores[path.unit, np.maximum(path.before, 0)])
    found: FloatArray = scores[path.unit, path.action] - before
    return found
