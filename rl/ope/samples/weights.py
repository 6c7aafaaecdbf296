"""Importance weights of logged rows, and what they leave to estimate from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.samples.episode_products import cumulative_products

_LARGEST_WEIGHT = 1e150  # its square is still a double


@dataclass(frozen=True)
class ImportanceWeights:
    """Weights of the rows of a split under one evaluation policy.

    Attributes:
        ratio: evaluation probability over propensity, `(n,)`.
        cumulative: product of the ratios from the episode's start up to and including the row, clipped, `(n,)`.
        clip: upper limit put on `cumulative`; None where there is none.
        share_clipped: share of rows at which the limit bit.
        max_weight: the largest cumulative weight before clipping.
    """

    ratio: FloatArray
    cumulative: FloatArray
    clip: float | None
    share_clipped: float
    max_weight: float


def refusal_to_weight(propensity: FloatArray, *, is_part: bool = False) -> str | None:
    """Return why rows with these propensities can't be weighted, in plain words; None where they can.

    Args:
        propensity: of the logged actions, `(n,)`.
        is_part: the rows are a part of a log, which may be certain of its actions where the rest isn't.
    """
    n_certain = 0 if is_part else int((propensity >= 1.0).sum())
    return refusal_of_counts(len(propensity), int(np.isnan(propensity).sum()), n_certain)


def refusal_of_counts(n_decisions: int, n_unknown: int, n_certain: int) -> str | None:
    """Return why a log can't be weighted, from counts that add up over its parts; None where it can.

    Args:
        n_decisions: rows.
        n_unknown: rows without a propensity.
        n_certain: rows with a propensity of 1.
    """
    if not n_decisions:
        return "there are no logged decisions to weight"
    if n_unknown == n_decisions:
        return "the log holds no propensities: nobody knows how likely the other actions were"
    if n_unknown:
        return f"{n_unknown} of {n_decisions} logged decisions have no propensity"
    if n_certain == n_decisions:
        return "the log is deterministic (every propensity is 1): it never shows what another action would have earned"
    return None


def weights_from_ratio(ratio: FloatArray, offsets: IntArray, *, clip: float | None = None) -> ImportanceWeights:
    """Return the cumulative weights within episodes from per-step ratios.

    Args:
        ratio: evaluation probability over propensity, `(n,)`.
        offsets: start row of each episode and, last, `n`.
        clip: upper limit on the cumulative weights.

    Raises:
        EvaluationError: a limit that isn't above 0.
        UnsupportedEstimator: the products overflow.
    """
    if clip is not None and not clip > 0:
        raise EvaluationError(f"weights are limited by a number above 0 (clip), got {clip}")
    with np.errstate(over="ignore", invalid="ignore"):
        cumulative = cumulative_products(ratio, offsets)
    if not (cumulative <= _LARGEST_WEIGHT).all():
        raise UnsupportedEstimator("the importance weights overflow: the policies differ too much over such episodes")
    max_weight = float(cumulative.max(initial=0.0))
    share_clipped = 0.0
    if clip is not None:
        share_clipped = float((cumulative > clip).mean()) if len(cumulative) else 0.0
        cumulative = np.minimum(cumulative, clip)
    return ImportanceWeights(ratio, cumulative, clip, share_clipped, max_weight)


def effective_sample_size(weights: FloatArray) -> float:
    """Return the number of equally weighted draws that would vary as much; 0 where all weights are 0.

    Source: Kish (1965), (sum w)^2 / sum w^2. It looks at weights alone: a log of rare rewards can have a large one and
    still decide nothing, hence `effective_rewarded_units`.
    """
    magnitude = np.abs(weights)
    largest = float(magnitude.max(initial=0.0))
    if largest == 0.0:
        return 0.0
    scaled = magnitude / largest
    return float(scaled.sum() ** 2 / np.square(scaled).sum())


def effective_rewarded_units(weighted_reward: FloatArray, unit_of_row: IntArray) -> float:
    """Return the number of units that a sum of weighted rewards rests on, as if they contributed equally.

    Kish's formula on each unit's sum of absolute weighted rewards: units without reward count nothing, and one large
    order among many small ones counts for less than one.

    Args:
        weighted_reward: weight times discounted reward, `(n,)`.
        unit_of_row: unit of each row, `(n,)`.
    """
    if not len(weighted_reward):
        return 0.0
    return effective_sample_size(np.bincount(unit_of_row, weights=np.abs(weighted_reward)).astype(np.float64))
