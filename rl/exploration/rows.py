"""The rows of a night's test split, as far as they say what other nights would tell of a candidate's gain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.doubly_robust import weighted_residuals
from rl.ope.samples.episode_products import shifted_products
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import ImportanceWeights


@dataclass(frozen=True)
class ExplorationArm:
    """What explored decisions follow.

    Attributes:
        ratio: the arm's probability of the logged action over its propensity, `(n,)`.
        advantage: what one decision by the arm adds to the baseline's reward, all others being the baseline's; its
            mean per episode is unbiased where the baseline's values are right, `(n,)`.
    """

    ratio: FloatArray
    advantage: FloatArray


@dataclass(frozen=True)
class GainRows:
    """What each row of the test split adds to the paired gain of candidate and baseline.

    Attributes:
        part: the row's share in the gain beyond what was expected at its observation, `(n,)`.
        residual: reward and following value beyond what was expected, unweighted, discounted, `(n,)`.
        start: expected gain at each episode's start, `(n_episodes,)`.
        candidate_weight: cumulative importance weight times discount, `(n,)`.
        baseline_weight: likewise, `(n,)`.
        reward: of the row, `(n,)`.
        baseline_ratio: the baseline's probability of the logged action over its propensity, `(n,)`.
        candidate: the arm that follows the candidate.
        uniform: the arm that chooses uniformly among what was available.
        offsets: start row of each episode and, last, `n`.
        unit: of each row, from 0 to `n_units` - 1, `(n,)`.
        n_units: how many there are.
        baseline_value: mean reward of an episode under the baseline.
    """

    part: FloatArray
    residual: FloatArray
    start: FloatArray
    candidate_weight: FloatArray
    baseline_weight: FloatArray
    reward: FloatArray
    baseline_ratio: FloatArray
    candidate: ExplorationArm
    uniform: ExplorationArm
    offsets: IntArray
    unit: IntArray
    n_units: int
    baseline_value: float

    @property
    def n_episodes(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, candidate: EvaluationSample, baseline: EvaluationSample, uniform_ratio: FloatArray) -> GainRows:
        """Return the rows of two samples of the same episodes.

        Where the baseline is the behavior policy no values were fitted for it, and the candidate's stand in: they only
        take noise off, except what follows a row of several, which they then misjudge.

        Args:
            candidate: its sample, with values.
            baseline: of what the gain is over.
            uniform_ratio: of a uniform choice among what was available, `(n,)`.

        Raises:
            UnsupportedEstimator: the log can't be weighted, or no values were fitted.
            EvaluationError: the samples or ratios aren't of the same rows.
        """
        _refuse_other_rows(candidate, baseline, uniform_ratio)
        own = _weights(candidate), _weights(baseline)
        valued = baseline if baseline.values is not None else _valued_by(baseline, candidate.require_values())
        residuals = weighted_residuals(candidate), weighted_residuals(valued)
        discount, first = candidate.discount, candidate.offsets[:-1]
        return cls(
            part=own[0].cumulative * residuals[0] - own[1].cumulative * residuals[1],
            residual=residuals[0],
            start=(candidate.require_values().value - valued.require_values().value)[first],
            candidate_weight=discount * own[0].cumulative,
            baseline_weight=discount * own[1].cumulative,
            reward=candidate.reward,
            baseline_ratio=own[1].ratio,
            candidate=ExplorationArm(own[0].ratio, _candidate_advantage(candidate, valued, residuals)),
            uniform=ExplorationArm(uniform_ratio, _advantage(valued, uniform_ratio)),
            offsets=candidate.offsets,
            unit=candidate.unit_of_row,
            n_units=candidate.n_units,
            baseline_value=float((discount * own[1].cumulative * candidate.reward).sum() / candidate.n_episodes),
        )


def _candidate_advantage(
    candidate: EvaluationSample, baseline: EvaluationSample, residuals: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Return the advantage of one decision by the candidate: doubly robust where episodes have one decision."""
    if int(candidate.lengths.max()) > 1:
        return _advantage(baseline, _weights(candidate).ratio)
    modelled = candidate.discount * (candidate.require_values().value - baseline.require_values().value)
    weighted = [_weights(one).ratio * residual for one, residual in zip((candidate, baseline), residuals, strict=True)]
    return np.asarray(modelled + weighted[0] - weighted[1])


def _advantage(baseline: EvaluationSample, ratio: FloatArray) -> FloatArray:
    """Return the weighted advantage of one decision with these ratios, on the baseline's way there, `(n,)`.

    Source: Kakade and Langford (2002), the advantage of a policy's action, weighted.
    """
    weights, values = _weights(baseline), baseline.require_values()
    before = shifted_products(weights.cumulative, baseline.offsets)
    beyond = weighted_residuals(baseline) + baseline.discount * (values.action_value - values.value)
    return np.asarray(before * (ratio - weights.ratio) * beyond)


def _valued_by(sample: EvaluationSample, values: ActionValues) -> EvaluationSample:
    return replace(sample, values=values)


def _weights(sample: EvaluationSample) -> ImportanceWeights:
    sample.require_weights()
    if sample.weights is None:
        raise UnsupportedEstimator("no importance weights were computed")
    return sample.weights


def _refuse_other_rows(candidate: EvaluationSample, baseline: EvaluationSample, uniform_ratio: FloatArray) -> None:
    n = len(candidate.reward)
    if not np.array_equal(candidate.offsets, baseline.offsets) or len(uniform_ratio) != n:
        raise EvaluationError(
            f"an exploration plan needs both policies on the same rows, got {n} of the candidate, "
            f"{len(baseline.reward)} of the baseline and {len(uniform_ratio)} uniform ratios"
        )
