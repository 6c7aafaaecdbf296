"""Logs made by several policies: a value from each one's episodes, averaged by what each can tell.

Needs no policy to be asked, only each row's own propensity. A logger far from the evaluation policy has a few large
weights; averaged by rows, as one log, they would drown what the others know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.intervals.sums import RatioSums
from rl.ope.propensities.balanced_loggers import EpisodeLoggers
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import ImportanceWeights


@dataclass(frozen=True)
class WeightedOverLoggers:
    """One value from the episodes of several loggers.

    Attributes:
        sums: whose value is the mean of the loggers' values, weighted by `shares`.
        versions: policy versions of the loggers.
        shares: weight of each logger's value; they add up to 1.
        values: of each logger's episodes alone.
        n_episodes: how many episodes each logger made.
    """

    sums: RatioSums
    versions: tuple[str, ...]
    shares: tuple[float, ...]
    values: tuple[float, ...]
    n_episodes: tuple[int, ...]


def weighted_over_loggers(
    per_unit_sums: Callable[[EvaluationSample], RatioSums],
    sample: EvaluationSample,
    made_by: EpisodeLoggers,
    *,
    by: Literal["divergence", "variance"] = "divergence",
) -> WeightedOverLoggers:
    """Return the estimator on each logger's episodes, averaged by how much each can tell.

    By `divergence`, a logger counts by its effective number of episodes, n_j / mean of w^2, which looks at weights
    alone. By `variance`, by 1 / variance of its value (delta method over units): best for frequent rewards, but a
    logger whose few rewards were missed looks certain, so its value, too low, counts most. Intervals take the shares
    as given.

    Args:
        per_unit_sums: a weighted estimator.
        sample: of one policy on the whole log.
        made_by: loggers of its episodes.
        by: what shares go by.

    Raises:
        UnsupportedEstimator: no weights, or a logger without any, or whose value doesn't vary.
        EvaluationError: loggers of another number of episodes.

    Source: Agarwal, Basu, Schnabel and Joachims (2017), the weighted estimator, whose divergence is the variance of
    the weighted rewards; without rewards in it, that of the weights.
    """
    weight = sample.require_weights()[sample.last_rows]
    if len(made_by.logger) != sample.n_episodes:
        raise EvaluationError(f"loggers of {len(made_by.logger)} episodes, expected {sample.n_episodes}")
    chosen = [made_by.logger == code for code in range(len(made_by.versions))]
    precision = [_effective(weight[e], name) for e, name in zip(chosen, made_by.versions, strict=True)]
    parts = [per_unit_sums(_only(sample, episodes)) for episodes in chosen]
    if by == "variance":
        precision = [_precision(part, name) for part, name in zip(parts, made_by.versions, strict=True)]
    shares = np.array(precision) / sum(precision)
    sums = RatioSums(
        sample.unit_ids,
        np.hstack([share * part.numerators for share, part in zip(shares, parts, strict=True)]),
        np.hstack([part.denominators for part in parts]),
    )
    values = tuple(part.value() for part in parts)
    counts = tuple(int(episodes.sum()) for episodes in chosen)
    return WeightedOverLoggers(sums, made_by.versions, tuple(shares.tolist()), values, counts)


def _effective(weight: FloatArray, version: str) -> float:
    squares = float(np.square(weight).sum())
    if squares == 0:
        raise UnsupportedEstimator(
            f"no episode that {version} made could have come from this policy: every importance weight is 0"
        )
    return len(weight) ** 2 / squares


def _precision(sums: RatioSums, version: str) -> float:
    """Return the units that the logger met over the variance of their influence values."""
    met = sums.denominators.any(axis=1)
    influence = RatioSums(sums.unit_ids[met], sums.numerators[met], sums.denominators[met]).influence()
    squares = float(np.square(influence).sum())
    if len(influence) < 2 or squares == 0:
        raise UnsupportedEstimator(
            f"the value on the episodes that {version} made doesn't vary, or rests on one unit: its variance can't "
            "weigh it against others; weight by divergence"
        )
    return len(influence) ** 2 / squares


def _only(sample: EvaluationSample, chosen: BoolArray) -> EvaluationSample:
    """Return the chosen episodes of a sample, over the same units."""
    rows = np.repeat(chosen, sample.lengths)
    weights = sample.weights
    return replace(
        sample,
        reward=sample.reward[rows],
        discount=sample.discount[rows],
        next_discount=sample.next_discount[rows],
        offsets=np.concatenate([[0], np.cumsum(sample.lengths[chosen])]).astype(np.int64),
        unit=sample.unit[chosen],
        is_cut=sample.is_cut[chosen],
        weights=None if weights is None else _rows_of(weights, rows),
        values=None if sample.values is None else sample.values.rows(rows),
    )


def _rows_of(weights: ImportanceWeights, rows: BoolArray) -> ImportanceWeights:
    return replace(weights, ratio=weights.ratio[rows], cumulative=weights.cumulative[rows])
