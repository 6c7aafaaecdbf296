"""How far a hidden reason behind the logged choices could move an estimate, and how strong it must be to undo a gain.

Weights are right only if the propensity holds everything that drove both choice and reward. The marginal sensitivity
model (Tan 2006) lets it be wrong by a bounded amount: given what was hidden, the odds of the action taken lie within a
factor Gamma of the odds that the propensity states. With p the propensity and p* the truth given the hidden reason,

    1 + (1/p - 1) / Gamma  <=  1/p*  <=  1 + (1/p - 1) Gamma.

For a ratio of sums of weights in such boxes the largest and smallest values are a linear-fractional program, solved by
sorting: the rows with the largest payoffs take one end of their box, all others the other (Zhao, Small and Bhattacharya
2019, section 4; Kallus and Zhou 2018, theorem 1).

Over an episode the assumption here is that **every decision** may be confounded, each by up to Gamma, in whatever
direction hurts: the box of a cumulative weight is the product of its steps' boxes, so the bounds widen with the
number of steps. And each step index is bounded by itself, though its weights contain those of the step before. Both
make the bounds wider than a hidden reason could, so the Gamma that undoes a gain is never overstated. Long episodes
come out fragile, as they are (Namkoong et al. 2020); a reason that acts at one decision an episode would need more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.estimators.doubly_robust import dm, weighted_residuals
from rl.ope.samples.episode_products import cumulative_products, rows_at_step
from rl.ope.samples.sample import EvaluationSample

LARGEST_GAMMA = 100.0
"""Strengths above aren't looked for: no log holds hidden reasons that make a choice a hundred times as likely."""

_PRECISION = 1e-3  # of Gamma, relative
_LARGEST_WEIGHT = 1e150  # a strong reason over a long episode overflows; bounds are as wide as they get long before


@dataclass(frozen=True)
class ValueBounds:
    """The values that a policy may have under hidden reasons of some strength.

    Attributes:
        lower: smallest.
        upper: largest.
    """

    lower: float
    upper: float


@dataclass(frozen=True)
class _Step:
    """All episodes at one step index, in ascending order of payoff; an ended one holds its last weight and pays 0.

    Attributes:
        payoff: what a weight is multiplied by, `(n_episodes,)`.
        row: row whose box the weight lies in, `(n_episodes,)`.
    """

    payoff: FloatArray
    row: IntArray


class ConfoundedValue:
    """Bounds of one policy's self-normalised value over all hidden reasons of a given strength.

    With fitted values the value bounded is weighted doubly robust (`wdr`), else weighted per-decision (`wpdis`): of
    one step, SNDR and SNIPS. At strength 1 both bounds are that estimate.
    """

    def __init__(self, sample: EvaluationSample, propensity: FloatArray) -> None:
        """Sort the payoffs once, for all strengths.

        Args:
            sample: of the policy, with weights.
            propensity: of the sample's rows, `(n,)`.

        Raises:
            UnsupportedEstimator: the sample has no weights.
            EvaluationError: propensities for another number of rows.
        """
        sample.require_weights()
        if sample.weights is None or propensity.shape != sample.reward.shape:
            raise EvaluationError(f"propensities of shape {propensity.shape}, expected {sample.reward.shape}")
        self._ratio, self._clip, self._offsets = sample.weights.ratio, sample.weights.clip, sample.offsets
        self._propensity = propensity
        has_values = sample.values is not None
        self._start = dm(sample).value() if has_values else 0.0
        payoff = weighted_residuals(sample) if has_values else sample.discount * sample.reward
        self._steps = _sorted_steps(sample, payoff)

    def bounds(self, gamma: float) -> ValueBounds:
        """Return the smallest and largest value under hidden reasons of strength `gamma`.

        Raises:
            EvaluationError: a strength below 1.
        """
        if gamma < 1:
            raise EvaluationError(f"a hidden reason has strength 1 (none) or more, got {gamma}")
        low, high = self._weights(1 / gamma), self._weights(gamma)
        lower = upper = self._start
        for step in self._steps:
            least, most = low[step.row], high[step.row]
            lower += _smallest_ratio(step.payoff, least, most)
            upper -= _smallest_ratio(-step.payoff[::-1], least[::-1], most[::-1])
        return ValueBounds(lower, upper)

    def _weights(self, odds_factor: float) -> FloatArray:
        """Return the cumulative weights with every step's odds of the action taken divided by the factor, `(n,)`."""
        ratio = self._ratio * (self._propensity + (1 - self._propensity) * odds_factor)
        with np.errstate(over="ignore"):
            weights = np.minimum(cumulative_products(ratio, self._offsets), _LARGEST_WEIGHT)
        return weights if self._clip is None else np.minimum(weights, self._clip)


def smallest_gamma(loss: Callable[[float], float], margin: float) -> float | None:
    """Return the smallest strength at which the loss reaches the margin, to a thousandth; None above 100.

    Args:
        loss: how much a hidden reason of a given strength may take off; 0 at strength 1, never falling.
        margin: to be used up, above 0.

    Raises:
        EvaluationError: nothing to use up.
    """
    if not margin > 0:
        raise EvaluationError(f"a margin of {margin} has nothing that a hidden reason could use up")
    if loss(LARGEST_GAMMA) < margin:
        return None
    low, high = 1.0, LARGEST_GAMMA
    while high / low > 1 + _PRECISION:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if loss(middle) >= margin else (middle, high)
    return high


def _sorted_steps(sample: EvaluationSample, payoff: FloatArray) -> list[_Step]:
    steps = []
    held = sample.offsets[:-1].copy()
    for index in range(int(sample.lengths.max())):
        rows, running = rows_at_step(sample.offsets, index)
        held[running] = rows
        paid = np.zeros(sample.n_episodes)
        paid[running] = payoff[rows]
        order = np.argsort(paid, kind="stable")
        steps.append(_Step(paid[order], held[order]))
    return steps


def _smallest_ratio(payoff: FloatArray, low: FloatArray, high: FloatArray) -> float:
    """Return the smallest sum(w payoff) / sum(w) over low <= w <= high; 0 where no weight can be above 0.

    Args:
        payoff: ascending, `(n,)`.
        low: least weights, `(n,)`.
        high: greatest weights, `(n,)`.
    """
    spare = high - low
    numerator = (low * payoff).sum() + np.concatenate([[0.0], np.cumsum(spare * payoff)])
    denominator = low.sum() + np.concatenate([[0.0], np.cumsum(spare)])
    has_weight = denominator > 0
    return float((numerator[has_weight] / denominator[has_weight]).min()) if has_weight.any() else 0.0
