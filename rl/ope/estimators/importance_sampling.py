"""Estimators that weight logged rewards and need no model."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.sums import RatioSums, sums_by_unit
from rl.ope.samples.episode_products import rows_at_step
from rl.ope.samples.sample import EvaluationSample

NO_WEIGHT = "no logged episode could have come from this policy: every importance weight is 0"
"""The reason of a refusal."""


def on_policy(sample: EvaluationSample) -> RatioSums:
    """Return the mean discounted reward per episode of the log itself: the value of the behavior policy.

    Don't trust it where episodes are cut: what would have followed is missing (`share_cut` counts them).
    """
    return sample.mean_over_episodes(sample.per_episode(sample.discount * sample.reward))


def tis(sample: EvaluationSample) -> RatioSums:
    """Return the sums of trajectory importance sampling: mean of (product of all ratios) times discounted return.

    Unbiased under full support. Don't trust it beyond a few steps: its variance grows exponentially with the length.

    Source: Precup, Sutton and Singh (2000), the ordinary estimator of their section 2.
    """
    weight = sample.require_weights()[sample.last_rows]
    refuse_without_weight(sample, weight)
    return sample.mean_over_episodes(weight * sample.per_episode(sample.discount * sample.reward))


def pdis(sample: EvaluationSample) -> RatioSums:
    """Return the sums of per-decision importance sampling: a reward is weighted by ratios up to its decision.

    Unbiased under full support. Don't trust it where late steps earn most: their weights still multiply up.

    Source: Precup, Sutton and Singh (2000), section 3.
    """
    weight = sample.require_weights()
    refuse_without_weight(sample, weight)
    return sample.mean_over_episodes(sample.per_episode(sample.discount * weight * sample.reward))


def wis(sample: EvaluationSample) -> RatioSums:
    """Return the sums of self-normalised trajectory importance sampling: returns averaged by weights summing to one.

    Bounded by the returns seen and consistent. Biased towards the behavior policy's value on few episodes; with one
    dominating weight it is that single episode's return.

    Source: Precup, Sutton and Singh (2000), the weighted estimator of their section 2.
    """
    weight = sample.require_weights()[sample.last_rows]
    refuse_without_weight(sample, weight)
    returns = sample.per_episode(sample.discount * sample.reward)
    numerators = sums_by_unit(weight * returns, sample.unit, sample.n_units)
    denominators = sums_by_unit(weight, sample.unit, sample.n_units)
    return RatioSums(sample.unit_ids, numerators[:, None], denominators[:, None])


def wpdis(sample: EvaluationSample) -> RatioSums:
    """Return the sums of weighted per-decision importance sampling: at each step, weights that sum to one.

    An episode that has ended keeps its last weight in the later denominators and adds no reward: dividing by the
    running episodes alone would give the reward of those still running, not the reward per episode. Consistent, and
    biased towards the behavior policy's value on few episodes.

    Source: Thomas (2015), the consistent weighted per-decision estimator (CWPDIS).
    """
    weight = sample.require_weights()
    refuse_without_weight(sample, weight[sample.offsets[:-1]])
    numerators, denominators = step_sums(sample, sample.discount * weight * sample.reward)
    return RatioSums(sample.unit_ids, numerators, denominators)


def step_sums(sample: EvaluationSample, per_row: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return per-unit sums, at each step, of row values and of the weights held by running and ended episodes.

    Returns:
        numerators and denominators, each `(n_units, longest)`.
    """
    weight = sample.require_weights()
    longest = int(sample.lengths.max())
    numerators, denominators = np.zeros((2, sample.n_units, longest))
    held = np.ones(sample.n_episodes)
    for step in range(longest):
        rows, running = rows_at_step(sample.offsets, step)
        held[running] = weight[rows]
        numerators[:, step] = sums_by_unit(per_row[rows], sample.unit[running], sample.n_units)
        denominators[:, step] = sums_by_unit(held, sample.unit, sample.n_units)
    return numerators, denominators


def refuse_without_weight(sample: EvaluationSample, weight: FloatArray) -> None:
    """Raise if every weight is 0; a part of a log isn't asked, since another part may hold one.

    Raises:
        UnsupportedEstimator: every weight is 0.
    """
    if not sample.is_part and not (weight > 0).any():
        raise UnsupportedEstimator(NO_WEIGHT)
