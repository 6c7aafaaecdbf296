"""Estimators of logged bandit feedback: episodes of one step each, in which no action changes what comes later.

`dm` and `dr` aren't here: on such episodes the sequential ones are the one-step ones, term by term.
"""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.doubly_robust import dm, value_after_cut
from rl.ope.estimators.importance_sampling import NO_WEIGHT
from rl.ope.intervals.sums import RatioSums, sums_by_unit
from rl.ope.samples.sample import EvaluationSample

_N_NAMED = 5  # episodes that a refusal names


def ips(sample: EvaluationSample) -> RatioSums:
    """Return the sums of IPS: mean of w_i r_i, where w_i is evaluation probability over propensity.

    Unbiased under full support. Don't trust it where a few weights dominate: one rewarded row among them is the
    estimate. Equals `tis` and `pdis` on these episodes.

    Source: Horvitz and Thompson (1952); for logged bandit feedback Strehl, Langford, Li and Kakade (2010).
    """
    return sample.mean_over_episodes(one_step_weights(sample) * sample.reward)


def snips(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised IPS: sum of w_i r_i over sum of w_i.

    Stays among the rewards seen, and adding a constant to all rewards adds it to the value. Biased on few rows,
    towards the behavior policy's value. Equals `wis` and `wpdis` on these episodes.

    Source: Swaminathan and Joachims (2015), the self-normalized estimator.
    """
    weight = one_step_weights(sample)
    numerators = sums_by_unit(weight * sample.reward, sample.unit, sample.n_units)
    denominators = sums_by_unit(weight, sample.unit, sample.n_units)
    return RatioSums(sample.unit_ids, numerators[:, None], denominators[:, None])


def sndr(sample: EvaluationSample) -> RatioSums:
    """Return self-normalised doubly robust sums: mean of V(x_i), plus sum of w_i (r_i - Q(x_i, a_i)) over sum of w_i.

    Its correction is an average of residuals, so that a dominating weight can't multiply one up. Biased on few rows,
    towards the direct method. Equals `wdr` on these episodes.

    Source: Thomas and Brunskill (2016), WDR for one step.
    """
    weight = one_step_weights(sample)
    start = dm(sample)
    numerators = sums_by_unit(weight * residuals(sample), sample.unit, sample.n_units)
    denominators = sums_by_unit(weight, sample.unit, sample.n_units)
    return RatioSums(
        sample.unit_ids,
        np.column_stack([start.numerators, numerators]),
        np.column_stack([start.denominators, denominators]),
    )


def one_step_weights(sample: EvaluationSample) -> FloatArray:
    """Return the weight of each episode's only step, `(n_episodes,)`.

    Raises:
        UnsupportedEstimator: an episode is longer, the log can't be weighted, or every weight is 0.
    """
    require_one_step(sample)
    weight = sample.require_weights()
    # A part of a log may be without weight where the whole isn't; the whole is judged after merging.
    if not sample.is_part and not (weight > 0).any():
        raise UnsupportedEstimator(NO_WEIGHT)
    return weight


def require_one_step(sample: EvaluationSample) -> None:
    """Raise if an episode has more than one step.

    Raises:
        UnsupportedEstimator: some are longer.
    """
    longer = np.flatnonzero(sample.lengths > 1)
    if longer.size:
        raise UnsupportedEstimator(
            f"{longer.size} of {sample.n_episodes} episodes have more than one step (such as episodes "
            f"{longer[:_N_NAMED].tolist()}); this estimator judges one-step episodes only: take steps = 1 for the "
            "first rewards, or as_decisions() for each decision's own"
        )


def residuals(sample: EvaluationSample) -> FloatArray:
    """Return what Q(x_i, a_i) missed of each reward, and of the value after a cut, `(n,)`.

    Raises:
        UnsupportedEstimator: no Q-function was fitted.
    """
    seen = sample.reward + sample.next_discount * value_after_cut(sample)
    return np.asarray(seen - sample.require_values().action_value, dtype=np.float64)
