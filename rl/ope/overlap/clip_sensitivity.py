"""What an estimate becomes when weights are clipped: how much of it rests on a few large ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rl.errors import UnsupportedEstimator
from rl.ope.intervals.intervals import student_interval
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import weights_from_ratio

DEFAULT_QUANTILES = (0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class ClippedEstimate:
    """The estimate at one limit on cumulative weights.

    Attributes:
        clip: the limit; None for none.
        share_clipped: share of decisions at which it bites.
        value: of the policy, or its lead over the baseline.
        lower: bound at the level asked for, by influence values.
        upper: likewise.
    """

    clip: float | None
    share_clipped: float
    value: float
    lower: float
    upper: float


def clip_sensitivity(
    sample: EvaluationSample,
    estimate: Callable[[EvaluationSample], RatioSums],
    *,
    baseline: RatioSums | None = None,
    level: float = 0.95,
    quantiles: Sequence[float] = DEFAULT_QUANTILES,
) -> tuple[ClippedEstimate, ...]:
    """Return the estimate with weights clipped at the given quantiles of their values, and unclipped last.

    A value that moves little rests on many decisions; one that falls with every limit rests on a few, and nobody can
    tell whether those were luck. Clipping biases towards the behavior policy's rewards, so the values are not to be
    picked from.

    Args:
        sample: the rows of a split as the policy weights them.
        estimate: function of a sample, of the registry.
        baseline: sums to subtract, paired by unit; None: the policy's own value.
        level: two-sided.
        quantiles: of the cumulative weights, at which these are limited.

    Raises:
        UnsupportedEstimator: the log can't be weighted.
    """
    if sample.weights is None:
        raise UnsupportedEstimator(sample.refusal or "no importance weights were computed")
    limits = dict.fromkeys(float(limit) for limit in np.quantile(sample.weights.cumulative, sorted(quantiles)))
    found = [_at(sample, estimate, clip, baseline, level) for clip in (*limits, None) if clip is None or clip > 0]
    return tuple(found)


def _at(
    sample: EvaluationSample,
    estimate: Callable[[EvaluationSample], RatioSums],
    clip: float | None,
    baseline: RatioSums | None,
    level: float,
) -> ClippedEstimate:
    weights = sample.weights
    assert weights is not None  # noqa: S101 -- asked by the caller
    clipped = weights_from_ratio(weights.ratio, sample.offsets, clip=clip)
    sums = estimate(replace(sample, weights=clipped))
    interval = student_interval(sums if baseline is None else difference(sums, baseline), level=level)
    return ClippedEstimate(clip, clipped.share_clipped, interval.value, interval.lower, interval.upper)
