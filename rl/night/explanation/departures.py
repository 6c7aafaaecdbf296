"""Where a policy departs most from the log: the distance of the two, decision by decision, by readable segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.data.shopper_segments import Segment
from rl.errors import UnsupportedEstimator
from rl.night.explanation.shopper_means import mean_over_shoppers
from rl.ope.intervals.intervals import Interval
from rl.ope.samples.weights import refusal_to_weight

_FEWEST_SHOPPERS = 20


@dataclass(frozen=True)
class SegmentDeparture:
    """How far the policy is from the log in one segment of decisions.

    Attributes:
        dimension: name of the rule.
        label: of the segment.
        n_decisions: in it.
        n_shoppers: they come from.
        distance: mean total variation distance, 0 to 1, between its bounds.
    """

    dimension: str
    label: str
    n_decisions: int
    n_shoppers: int
    distance: Interval


@dataclass(frozen=True)
class Departures:
    """Distance over all decisions, and by segment, the furthest first.

    Attributes:
        overall: over all decisions.
        segments: of at least 20 shoppers.
        n_too_small: further segments.
        level: of each interval by itself.
    """

    overall: Interval
    segments: tuple[SegmentDeparture, ...]
    n_too_small: int
    level: float


def departures(
    evaluation_probability: FloatArray,
    propensity: FloatArray,
    unit: IntArray,
    *,
    segments: Sequence[Segment],
    level: float = 0.95,
) -> Departures:
    """Return the total variation distance of evaluation and behavior policy, from logged actions alone.

    sum_a max(0, b(a) - p(a)) = E_{a ~ b} max(0, 1 - p(a) / b(a)) is the distance of the two at an observation, so the
    mean over logged decisions needs no model of the behavior policy and is unbiased under logged propensities. With
    estimated ones it is a distance from the estimate. The segments are ranked by what came out, so the first one's
    figure is a little too large by having been picked.

    Args:
        evaluation_probability: of the logged action, `(n,)`.
        propensity: of the logged action, `(n,)`.
        unit: shopper of each decision, `(n,)`.
        segments: parts of the decisions.
        level: of the intervals, two-sided.

    Raises:
        UnsupportedEstimator: propensities are unknown, or all 1.
    """
    if reason := refusal_to_weight(propensity):
        raise UnsupportedEstimator(reason)
    per_decision = np.maximum(0.0, 1.0 - evaluation_probability / propensity)
    found, n_too_small = [], 0
    for segment in segments:
        shoppers = unit[segment.is_member]
        if (n_shoppers := len(np.unique(shoppers))) < _FEWEST_SHOPPERS:
            n_too_small += 1
            continue
        distance = _bounded(mean_over_shoppers(per_decision[segment.is_member], shoppers, level=level))
        found.append(SegmentDeparture(segment.dimension, segment.label, len(shoppers), n_shoppers, distance))
    overall = _bounded(mean_over_shoppers(per_decision, unit, level=level))
    ranked = tuple(sorted(found, key=lambda one: -one.distance.value))
    return Departures(overall, ranked, n_too_small, level)


def _bounded(interval: Interval) -> Interval:
    """Return the interval cut to what a distance can be: 0 to 1."""
    lower, upper = max(0.0, interval.lower), min(1.0, interval.upper)
    return Interval(interval.value, lower, upper, interval.level, interval.method, interval.standard_error)
