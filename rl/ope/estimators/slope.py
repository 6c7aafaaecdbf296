"""How strictly weights are limited, chosen from data: the strictest level whose value the laxer ones don't contradict.

A level is the largest weight that an estimator lets through. A lax one has variance and little bias, a strict one the
reverse; the bias can't be seen, but a value outside what the laxer levels' intervals allow betrays it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.intervals import student_interval
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.sample import EvaluationSample

LEVEL_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
"""Quantiles of the positive weights that the default levels are."""

ONE_STANDARD_ERROR = 0.6827
"""Confidence at which an interval reaches one standard error to each side.

At 95% biases of several standard errors stand: over 60 random logs of 2,000 rows clipped IPS had four times the root
mean squared error of IPS and covered the truth in 3%, against the same error and 95% here. Still narrower ones keep
nearly every weight where they are heavy.
"""

_C = math.sqrt(6) - 1  # Tucker and Lee (2021), the constant of their selection rule; Su et al. let intervals overlap

AtLevel = Callable[[EvaluationSample, float], RatioSums]
"""The sums of an estimator at a given level; no limit at an infinite one."""


@dataclass(frozen=True)
class ChosenLevel:
    """The level at which an estimator was used, and all that were tried.

    Attributes:
        level: the largest weight let through; infinite where weights are left alone.
        levels: tried, from the widest interval to the narrowest.
        values: the estimate at each.
        half_widths: of each estimate's interval.
        confidence: of these intervals.
    """

    level: float
    levels: tuple[float, ...]
    values: tuple[float, ...]
    half_widths: tuple[float, ...]
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; no limit becomes None."""
        content = asdict(self)
        content["level"] = _finite_or_none(self.level)
        content["levels"] = [_finite_or_none(level) for level in self.levels]
        return content


@dataclass(frozen=True)
class LeveledSums:
    """The sums of an estimator at the level that was chosen for it."""

    sums: RatioSums
    choice: ChosenLevel


def sums_at_chosen_level(sample: EvaluationSample, at_level: AtLevel) -> LeveledSums:
    """Return the sums at the level that SLOPE picks from the default grid.

    Intervals of these sums take the level as given: they leave out that it was chosen on the same rows. Sums of two
    parts of a log merge only at one level for both: use `default_levels` and `choose_level` on merged sums there.

    Raises:
        UnsupportedEstimator: the sample is a part of a log, has fewer than two units, or the estimator refuses it.
    """
    if sample.is_part:
        raise UnsupportedEstimator("a level is chosen on the whole log: a part of it needs one that is given")
    by_level = {level: at_level(sample, level) for level in default_levels(sample.require_weights())}
    choice = choose_level(by_level)
    return LeveledSums(by_level[choice.level], choice)


def default_levels(weight: FloatArray) -> tuple[float, ...]:
    """Return no limit, then quantiles of the positive weights that lie below the largest, from lax to strict.

    None is under 1, the mean of all weights: limiting those would discard what an equal policy would have.
    """
    positive = weight[weight > 0]
    if not positive.size:
        return (math.inf,)
    quantiles = np.maximum(np.quantile(positive, LEVEL_QUANTILES), 1.0)
    return (math.inf, *np.unique(quantiles[quantiles < positive.max()])[::-1].tolist())


def choose_level(by_level: Mapping[float, RatioSums], *, confidence: float = ONE_STANDARD_ERROR) -> ChosenLevel:
    """Return the last level, from wide intervals to narrow, that no earlier one contradicts.

    Level i stands if |value_i - value_j| <= h_i + (sqrt(6) - 1) h_j for all j before it, where h are half-widths of
    Student intervals over units. The first that doesn't stand ends the search. The error of what is chosen is then at
    most a small multiple of the best compromise on the grid. That is no promise of coverage: a bias of up to 2.45
    half-widths of the widest can stand, and rewards too rare to have been seen leave nothing to contradict with. Don't
    promote on an interval at a chosen level.

    Args:
        by_level: the sums at each level, all of the same episodes.
        confidence: level of each interval, two-sided.

    Raises:
        UnsupportedEstimator: fewer than two units.

    Source: Tucker and Lee (2021), SLOPE++ ("Improved estimator selection for off-policy evaluation"): the rule, its
    constant, and the order by interval width, since a stricter level needn't be the narrower one. It sharpens SLOPE
    (Su, Srinath and Krishnamurthy 2020), which asks whether intervals of twice the half-widths share a point.
    """
    if any(sums.n_units < 2 for sums in by_level.values()):
        raise UnsupportedEstimator("a level can't be chosen from fewer than two units: their spread is unknown")
    levels, values, half_widths = _widest_first(by_level, confidence)
    chosen = 0
    for i in range(1, len(levels)):
        apart = np.abs(values[:i] - values[i])
        if (apart > half_widths[i] + _C * half_widths[:i]).any():
            break
        chosen = i
    return ChosenLevel(
        float(levels[chosen]), tuple(levels.tolist()), tuple(values.tolist()), tuple(half_widths.tolist()), confidence
    )


def _widest_first(by_level: Mapping[float, RatioSums], confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the levels, values and half-widths by falling half-width; equally wide ones from lax to strict."""
    levels = np.array(sorted(by_level, reverse=True))
    intervals = [student_interval(by_level[level], level=confidence) for level in levels.tolist()]
    values = np.array([interval.value for interval in intervals])
    half_widths = np.array([(interval.upper - interval.lower) / 2 for interval in intervals])
    order = np.argsort(-half_widths, kind="stable")
    return levels[order], values[order], half_widths[order]


def _finite_or_none(level: float) -> float | None:
    return level if math.isfinite(level) else None
