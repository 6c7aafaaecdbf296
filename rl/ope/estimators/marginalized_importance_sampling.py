"""Estimators that weight a reward by the state it was earned in, not by all that went before.

Each takes ratios of occupancy (`density_ratio`) at the rows of the sample: `w` below is either w(s) times the ratio of
the one action taken (names that end in `_s`), or w(s, a) (names that end in `_sa`). Their variance doesn't grow with
the length of episodes. The price: the observation must hold all that the future depends on, and the ratios are
estimated. A limit on cumulative weights doesn't touch them.
"""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.doubly_robust import dm, weighted_residuals
from rl.ope.estimators.importance_sampling import refuse_without_weight
from rl.ope.intervals.sums import RatioSums, sums_by_unit
from rl.ope.samples.sample import EvaluationSample


def mis_s(sample: EvaluationSample) -> RatioSums:
    """Return the sums of importance sampling by state: mean of sum over t of discount_t w(s_t) ratio_t r_t.

    Consistent if ratios and propensities are. Its interval takes the ratios as known: don't trust it (or `mis_sa`)
    for a promotion, but as a check of `drl_s`, whose interval covers them. Cut episodes cost nothing where the ratios
    were estimated past the cut, as those of `density_ratio_fitting` are.

    Source: Liu, Li, Tang and Zhou (2018), equation 6, with visits counted per episode; by step Xie, Ma and Wang (2019).
    """
    return _weighted_mean(sample, _state_weight(sample))


def mis_sa(sample: EvaluationSample) -> RatioSums:
    """Return the sums of importance sampling by state and action: mean of sum over t of discount_t w(s_t, a_t) r_t.

    Reads no propensity itself, so that wrong ones don't hurt it; all the more rests on the ratios. It refuses logs that
    can't be weighted all the same: nothing reweights what a deterministic log never shows.

    Source: Uehara, Huang and Jiang (2020), the estimator of minimax weight learning.
    """
    return _weighted_mean(sample, _pair_weight(sample))


def snmis_s(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised `mis_s`: expected length times the w-weighted mean of rewards.

    Rewards' weights sum to the expected discounted length of an episode under the evaluation policy, which the ratios'
    fit gives. Stays among the rewards seen, so a constant added to every reward adds that constant times the length;
    biased on few episodes.

    Source: Liu et al. (2018), the normalized form; the length takes the place of 1 / (1 - discount).
    """
    return _self_normalised(sample, _state_weight(sample), sample.discount * sample.reward)


def snmis_sa(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised `mis_sa`, as `snmis_s` is of `mis_s`.

    Source: Uehara, Huang and Jiang (2020), the normalized form of the estimator of minimax weight learning.
    """
    return _self_normalised(sample, _pair_weight(sample), sample.discount * sample.reward)


def drl_s(sample: EvaluationSample) -> RatioSums:
    """Return double reinforcement learning by state: V(s_0) + sum discount_t w (r_t + factor V(s') - Q(s_t, a_t)).

    Here w = w(s_t) ratio_t, and s' follows s_t. Consistent if either the ratios or Q are; errors of both multiply, so
    that its interval holds though both are estimated, if neither saw the unit's own episodes. Where the log cuts an
    episode, V of the state after the cut stands in. Don't trust it where the observation isn't the whole state: `dr`
    doesn't need that.

    Source: Kallus and Uehara (2020, 2022), the efficient estimator of Markov decision processes.
    """
    return _corrected(sample, _state_weight(sample))


def drl_sa(sample: EvaluationSample) -> RatioSums:
    """Return the sums of double reinforcement learning by state and action: as `drl_s` with w = w(s_t, a_t).

    Source: Kallus and Uehara (2020, 2022).
    """
    return _corrected(sample, _pair_weight(sample))


def sndrl_s(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised `drl_s`: V(s_0) plus expected length times the weighted mean residual.

    Source: Kallus and Uehara (2020), with the normalisation of Liu et al. (2018).
    """
    return _corrected_by_mean(sample, _state_weight(sample))


def sndrl_sa(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised `drl_sa`, as `sndrl_s` is of `drl_s`.

    Source: Kallus and Uehara (2020), with the normalisation of Uehara, Huang and Jiang (2020).
    """
    return _corrected_by_mean(sample, _pair_weight(sample))


def _state_weight(sample: EvaluationSample) -> FloatArray:
    """Return w(s) times the ratio of the action taken, `(n,)`."""
    sample.require_weights()
    ratio = sample.weights.ratio if sample.weights is not None else np.zeros(0)
    weight = sample.require_density_ratios().state * ratio
    refuse_without_weight(sample, weight)
    return weight


def _pair_weight(sample: EvaluationSample) -> FloatArray:
    """Return w(s, a), `(n,)`."""
    sample.require_weights()
    ratios = sample.require_density_ratios()
    if ratios.pair_refusal is not None:
        raise UnsupportedEstimator(ratios.pair_refusal)
    weight = ratios.state_action
    refuse_without_weight(sample, weight)
    return weight


def _weighted_mean(sample: EvaluationSample, weight: FloatArray) -> RatioSums:
    return sample.mean_over_episodes(sample.per_episode(weight * sample.discount * sample.reward))


def _self_normalised(sample: EvaluationSample, weight: FloatArray, per_row: FloatArray) -> RatioSums:
    """Return the expected length times the mean of `per_row / discount`, weighted by discounted weights."""
    length = sample.require_density_ratios().expected_length
    unit = sample.unit_of_row
    numerators = sums_by_unit(length * weight * per_row, unit, sample.n_units)
    denominators = sums_by_unit(sample.discount * weight, unit, sample.n_units)
    return RatioSums(sample.unit_ids, numerators[:, None], denominators[:, None])


def _corrected(sample: EvaluationSample, weight: FloatArray) -> RatioSums:
    start = sample.require_values().value[sample.offsets[:-1]]
    return sample.mean_over_episodes(start + sample.per_episode(weight * weighted_residuals(sample)))


def _corrected_by_mean(sample: EvaluationSample, weight: FloatArray) -> RatioSums:
    start, correction = dm(sample), _self_normalised(sample, weight, weighted_residuals(sample))
    return RatioSums(
        sample.unit_ids,
        np.hstack([start.numerators, correction.numerators]),
        np.hstack([start.denominators, correction.denominators]),
    )
