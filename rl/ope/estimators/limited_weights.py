"""One-step estimators that limit their weights, each at the level that SLOPE chooses (`slope`).

Every level is the largest weight let through, so that one grid serves all; the papers' own parameters follow from it.
"""

from __future__ import annotations

import math

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.estimators.one_step import one_step_weights, residuals
from rl.ope.estimators.slope import sums_at_chosen_level
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.sample import EvaluationSample


def clipped_ips(sample: EvaluationSample) -> RatioSums:
    """Return the sums of clipped IPS: mean of min(w_i, level) r_i.

    Takes something away from every row above the level, so with rewards of one sign it is biased towards 0, most for
    policies that the log seldom followed. A spec's `clip` has limited the weights already, for every estimator.

    Source: Ionides (2008), truncated importance sampling.
    """
    return sums_at_chosen_level(sample, clipped_ips_at).sums


def sg_ips(sample: EvaluationSample) -> RatioSums:
    """Return the sums of sub-Gaussian IPS: mean of w_i / (1 - share + share w_i) r_i, with share = 1 / level.

    Shrinks large weights smoothly towards the level and raises those under 1. Biased towards the behavior policy's
    value; at a level of 1 it is that value.

    Source: Metelli, Russo and Restelli (2021), the power-mean correction with s = -1 (a harmonic mean).
    """
    return sums_at_chosen_level(sample, sg_ips_at).sums


def switch_dr(sample: EvaluationSample) -> RatioSums:
    """Return the sums of switch-DR: mean of V(x_i) + w_i [w_i <= level] (r_i - Q(x_i, a_i)).

    Where the weight is above the level the model alone decides, so it is as biased as the model is there.

    Source: Wang, Agarwal and Dudik (2017), SWITCH with the doubly robust estimator below the threshold.
    """
    return sums_at_chosen_level(sample, switch_dr_at).sums


def dr_os(sample: EvaluationSample) -> RatioSums:
    """Return the sums of optimistic DR: mean of V(x_i) + strength w_i / (w_i^2 + strength) (r_i - Q(x_i, a_i)).

    The strength is (2 level)^2: shrunk weights rise up to w = 2 level, where they are the level, and fall beyond. So
    the rows that the log followed least count least. Leans on the model as Switch-DR does, without its jump.

    Source: Su, Dimakopoulou, Krishnamurthy and Dudik (2020), the shrinkage that minimises their optimistic bound.
    """
    return sums_at_chosen_level(sample, dr_os_at).sums


def clipped_ips_at(sample: EvaluationSample, level: float) -> RatioSums:
    """Return `clipped_ips` at a given level."""
    return sample.mean_over_episodes(np.minimum(one_step_weights(sample), level) * sample.reward)


def sg_ips_at(sample: EvaluationSample, level: float) -> RatioSums:
    """Return `sg_ips` at a given level of at least 1."""
    return sample.mean_over_episodes(smoothed(one_step_weights(sample), share=1 / level) * sample.reward)


def switch_dr_at(sample: EvaluationSample, level: float) -> RatioSums:
    """Return `switch_dr` at a given level."""
    weight = one_step_weights(sample)
    return _corrected(sample, np.where(weight <= level, weight, 0.0))


def dr_os_at(sample: EvaluationSample, level: float) -> RatioSums:
    """Return `dr_os` at a given level."""
    return _corrected(sample, optimistically_shrunk(one_step_weights(sample), strength=(2 * level) ** 2))


def smoothed(weight: FloatArray, *, share: float) -> FloatArray:
    """Return the weighted harmonic mean of w and 1, w / (1 - share + share w): under 1 / share."""
    if not 0 <= share <= 1:
        raise EvaluationError(f"the share {share} is outside [0, 1]: a level of sg_ips is at least 1")
    below = 1 - share + share * weight
    return np.divide(weight, below, out=np.zeros_like(weight), where=below > 0)


def optimistically_shrunk(weight: FloatArray, *, strength: float) -> FloatArray:
    """Return strength w / (w^2 + strength): about w where w^2 is well under the strength, at most half its root."""
    if math.isinf(strength):
        return weight
    if strength <= 0:
        raise EvaluationError(f"the strength must be positive, got {strength}")
    return np.asarray(strength * weight / (np.square(weight) + strength), dtype=np.float64)


def _corrected(sample: EvaluationSample, weight: FloatArray) -> RatioSums:
    """Return the sums of the mean of V(x_i) plus the weighted residual."""
    return sample.mean_over_episodes(sample.require_values().value + weight * residuals(sample))
