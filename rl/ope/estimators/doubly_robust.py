"""Estimators that use a fitted Q-function, alone or corrected by weighted rewards."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.ope.estimators.importance_sampling import refuse_without_weight, step_sums
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.episode_products import shifted_products
from rl.ope.samples.sample import EvaluationSample


def dm(sample: EvaluationSample) -> RatioSums:
    """Return the direct method's sums: mean value of the first observations, as the fitted Q-function predicts it.

    Needs no propensities. Its interval covers which shoppers came, not how wrong the model is: don't trust it for
    policies that do what the log seldom shows. Cut episodes cost nothing, since the model looks past the cut.

    Source: Le, Voloshin and Yue (2019), fitted Q evaluation.
    """
    return sample.mean_over_episodes(sample.require_values().value[sample.offsets[:-1]])


def dr(sample: EvaluationSample) -> RatioSums:
    """Return per-decision doubly robust sums: sum over t of discount_t [w_{t-1} V(s_t) + w_t (r_t - Q(s_t, a_t))].

    The weight before the first step, w_{-1}, is 1.

    Where the log cuts the episode before the value's last step, discount_T w_{T-1} V(s_T) stands in for what is
    missing. Unbiased with correct propensities whatever Q is (but for cut episodes, which lean on Q), and then best
    with a good Q. Don't trust it where a few weights dominate: its mean need not lie among returns that can happen.

    Source: Jiang and Li (2016), equation 10 unrolled.
    """
    values, weight = sample.require_values(), sample.require_weights()
    refuse_without_weight(sample, weight)
    previous = shifted_products(weight, sample.offsets)
    per_row = sample.discount * (previous * values.value + weight * (sample.reward - values.action_value))
    per_row += sample.next_discount * weight * value_after_cut(sample)
    return sample.mean_over_episodes(sample.per_episode(per_row))


def wdr(sample: EvaluationSample) -> RatioSums:
    """Return weighted doubly robust sums: as `dr`, with the weights of each step index divided by their sum.

    Each weight multiplies its residual and the value that follows, so per step the sums share one denominator; an
    ended episode keeps its weight there. Consistent, of smaller variance than `dr`, biased on few episodes.

    Source: Thomas and Brunskill (2016), the WDR estimator, its terms regrouped by weight.
    """
    weight = sample.require_weights()
    refuse_without_weight(sample, weight)
    numerators, denominators = step_sums(sample, weight * weighted_residuals(sample))
    start = dm(sample)
    return RatioSums(
        sample.unit_ids,
        np.hstack([start.numerators, numerators]),
        np.hstack([start.denominators, denominators]),
    )


def weighted_residuals(sample: EvaluationSample) -> FloatArray:
    """Return what each row's weight multiplies in `wdr`: residual and following value, discounted, `(n,)`."""
    values = sample.require_values()
    following = np.append(values.value[1:], 0.0)
    following[sample.last_rows] = value_after_cut(sample)[sample.last_rows]
    residuals = sample.discount * (sample.reward - values.action_value) + sample.next_discount * following
    return np.asarray(residuals, dtype=np.float64)


def value_after_cut(sample: EvaluationSample) -> FloatArray:
    """Return the value of what the log cut off, on the last row of each cut episode, `(n,)`."""
    after = np.zeros(len(sample.reward))
    cut_rows = sample.last_rows[sample.is_cut]
    after[cut_rows] = sample.require_values().next_value[cut_rows]
    return after
