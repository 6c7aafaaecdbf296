"""How far a candidate can move from the log before too few shoppers speak for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.ope.intervals.intervals import Resampling, unit_weights
from rl.ope.intervals.sums import sums_by_unit
from rl.ope.samples.sample import EvaluationSample
from rl.worth.findings import Bounded, Movement, MovementPoint
from rl.worth.rules import Rule

SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Floors:
    """The least that the gate asks for."""

    effective_sample_size: float
    effective_rewarded: float


@dataclass(frozen=True)
class Spoken:
    """How much each shopper says about a mixture.

    Attributes:
        share: of decisions handed to the rule.
        weight: summed discounted weight of each shopper, `(n_units,)`.
        rewarded: summed absolute weighted discounted reward of each shopper, `(n_units,)`.
    """

    share: float
    weight: FloatArray
    rewarded: FloatArray

    @property
    def effective_sample_size(self) -> float:
        """Kish's figure over shoppers, as the gate reads it."""
        return float(_kish(np.ones((1, len(self.weight))), self.weight)[0])

    @property
    def effective_rewarded(self) -> float:
        """Kish's figure over shoppers' weighted rewards."""
        return float(_kish(np.ones((1, len(self.rewarded))), self.rewarded)[0])

    def is_enough(self, floors: Floors) -> bool:
        return (
            self.effective_sample_size >= floors.effective_sample_size
            and self.effective_rewarded >= floors.effective_rewarded
        )


def spoken(share: float, sample: EvaluationSample) -> Spoken:
    """Return how much each shopper says about the mixture, from the sample's weights."""
    weight = sample.discount * sample.require_weights()
    unit = sample.unit_of_row
    return Spoken(
        share,
        sums_by_unit(weight, unit, sample.n_units),
        sums_by_unit(np.abs(weight * sample.reward), unit, sample.n_units),
    )


def find_movement(
    rule: Rule,
    episodes: LoggedEpisodes,
    curve: tuple[Spoken, ...],
    *,
    floors: Floors,
    level: float,
    resampling: Resampling,
) -> Movement:
    """Return the curve of distance against effective sample size, and where it falls under the gate's floors.

    Args:
        rule: that takes over the shares.
        episodes: the log.
        curve: ascending in share.
        floors: the least effective units that the spec asks for.
        level: of the intervals, which resample shoppers.
        resampling: how shoppers are drawn for the bounds.
    """
    draws = np.concatenate(list(unit_weights(len(curve[0].weight), resampling)))
    sizes = np.stack([_kish(draws, point.weight) for point in curve], axis=1)
    rewarded = np.stack([_kish(draws, point.rewarded) for point in curve], axis=1)
    rule_distance = 0.5 * float(np.abs(rule.logged / episodes.propensity - 1).mean())
    crossings = [_crossing(curve, size, n_rewarded, floors) for size, n_rewarded in zip(sizes, rewarded, strict=True)]
    points = tuple(
        MovementPoint(
            share=point.share,
            distance=point.share * rule_distance,
            effective_sample_size=bounded(point.effective_sample_size, sizes[:, i], level),
            effective_rewarded=bounded(point.effective_rewarded, rewarded[:, i], level),
            is_enough=point.is_enough(floors),
        )
        for i, point in enumerate(curve)
    )
    farthest = _crossing(
        curve,
        np.array([point.effective_sample_size for point in curve]),
        np.array([point.effective_rewarded for point in curve]),
        floors,
    )
    return Movement(
        points=points,
        min_effective_sample_size=floors.effective_sample_size,
        min_effective_rewarded=floors.effective_rewarded,
        farthest=bounded(farthest, np.array(crossings), level),
    )


def bounded(value: float, draws: FloatArray, level: float) -> Bounded:
    """Return the value with the percentile bounds of its draws."""
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Bounded(value=value, lower=float(lower), upper=float(upper))


def _crossing(curve: tuple[Spoken, ...], sizes: FloatArray, rewarded: FloatArray, floors: Floors) -> float:
    """Return the share at which either figure falls under its floor, between the curve's points by a straight line."""
    slack = np.minimum(sizes / floors.effective_sample_size, rewarded / floors.effective_rewarded) - 1
    below = np.flatnonzero(slack < 0)
    if not below.size:
        return curve[-1].share
    first = int(below[0])
    if first == 0:
        return 0.0
    left, right = curve[first - 1].share, curve[first].share
    return float(left + (right - left) * slack[first - 1] / (slack[first - 1] - slack[first]))


def _kish(draws: FloatArray, values: FloatArray) -> FloatArray:
    """Return the effective number of shoppers under each row of draws, `(n_draws,)`; 0 where nothing is left."""
    scaled = values / max(float(values.max(initial=0.0)), 1e-300)
    square = draws @ np.square(scaled)
    total = np.square(draws @ scaled)
    return np.divide(total, square, out=np.zeros(len(draws)), where=square > 0)
