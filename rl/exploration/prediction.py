"""What nights would say of a gain if shares of the decisions followed another policy: predicted from a night's log.

With e the candidate, c the baseline and b what logged, a later night's decisions are drawn by
p = (1 - s) c + s x, where x is what explored decisions follow and s the share at the decision. The doubly robust gain
of an episode is a value at its start and one part for every row, W_e d_e - W_c d_c, of mean zero given what was before
(d: temporal difference of the fitted values), so its variance is that of the start and the sum of the parts' second
moments. Under p weights are W / M, M the product of p / b up to the row, and rows come up M times as often: a row's
part squared, E_p[(part / M)^2] = E_b[part^2 / M]. So one night's rows predict all nights', for every s at once. The
prediction is convex in s, and so has one best allocation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray, IntArray
from rl.exploration.belief import Belief
from rl.exploration.rows import ExplorationArm, GainRows
from rl.ope.samples.episode_products import cumulative_products
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size

NEVER = math.inf
_FACTOR_SPREAD = 0.5
_TINY = 1e-12
"""Stands for a probability of 0: what nobody would ever show takes forever to judge."""


@dataclass(frozen=True)
class Tonight:
    """What the gate found tonight, and what it asks for.

    Attributes:
        gain: candidate less baseline per episode.
        standard_error: of it.
        level: one-sided, of a night's look.
        floors: that the gate requires, of effective units: of decisions, of those decided differently, of rewards.
        episodes_a_night: that a night brings.
        baseline_value: mean reward of an episode under the baseline.
    """

    gain: float
    standard_error: float
    level: float
    floors: tuple[float, float, float]
    episodes_a_night: float
    baseline_value: float

    @property
    def believed(self) -> Belief:
        """What is believed of the gain after tonight."""
        return Belief.after(self.gain, self.standard_error, value=self.baseline_value)


@dataclass(frozen=True)
class Strata:
    """Which decisions are explored at the same share.

    Attributes:
        dimension: what tells them apart.
        labels: of the strata.
        code: of each row, index into the labels, `(n,)`.
    """

    dimension: str
    labels: tuple[str, ...]
    code: IntArray


class Outlook:
    """Predicts later nights of one candidate, explored by one arm in some strata."""

    def __init__(self, rows: GainRows, strata: Strata, tonight: Tonight, arm: ExplorationArm) -> None:
        """Take what a night found.

        Args:
            rows: of its test split.
            strata: of the decisions.
            tonight: what the gate found and asks for.
            arm: what explored decisions follow.
        """
        self._rows, self._strata, self._tonight, self._arm = rows, strata, tonight, arm
        self._moments = expected_moments(rows, strata)
        thinner = min((rows.candidate_weight, rows.baseline_weight), key=effective_sample_size)
        differing = rows.candidate_weight - rows.baseline_weight
        self._sizes = [(one, tonight.floors[place]) for place, one in enumerate((thinner, differing))]
        rewarded = effective_rewarded_units(rows.reward, rows.unit)
        self._sizes.append((thinner, tonight.floors[2] * rows.n_units / max(rewarded, _TINY)))

    @cached_property
    def _fixed_variance(self) -> float:
        """Variance of the mean gain that no exploration changes: of values at the start, and within units."""
        n = self._rows.n_episodes
        return max(self._tonight.standard_error**2 - float(np.square(self._rows.part).sum()) / n**2, self._of_starts)

    @property
    def _of_starts(self) -> float:
        return float(self._rows.start.var()) / self._rows.n_episodes

    def thinned(self, shares: Sequence[float]) -> FloatArray:
        """Return how often each row would come up, relative to the log, up to and including it, `(n,)`.

        Args:
            shares: by stratum.
        """
        share = np.asarray(shares, dtype=np.float64)[self._strata.code]
        step = (1 - share) * self._rows.baseline_ratio + share * self._arm.ratio
        return cumulative_products(np.maximum(step, _TINY), self._rows.offsets)

    def night_variance(self, shares: Sequence[float]) -> float:
        """Return the variance of the gain that one night alone would tell."""
        moved = float((self._moments / self.thinned(shares)).sum()) / self._rows.n_episodes**2
        return (self._fixed_variance + moved) * self._rows.n_episodes / self._tonight.episodes_a_night

    def nights_to_floors(self, shares: Sequence[float]) -> float:
        """Return after how many nights the last of the gate's floors is reached; infinite where one never is.

        Rewarded units are as large a part of the effective ones as they are of all units of the log: tonight's own
        count of them rests on the few rewards of decisions that the log seldom made.
        """
        thinned, waits = self.thinned(shares), [0.0]
        per_episode = self._tonight.episodes_a_night / self._rows.n_episodes
        for weight, floor in self._sizes:
            total = float(np.abs(weight).sum())
            grown = per_episode * total**2 / max(float((np.square(weight) / thinned).sum()), _TINY)
            waits.append(floor / grown if grown > 0 else (NEVER if floor > 0 else 0.0))
        return max(waits)

    def nights(self, shares: Sequence[float]) -> float:
        """Return after how many nights floors and bound are reached if the candidate gains as much as is believed."""
        reach = float(ndtri(1 - self._tonight.level)) / self._tonight.believed.size
        return max(self.nights_to_floors(shares), reach**2 * self.night_variance(shares))


def expected_moments(rows: GainRows, strata: Strata) -> FloatArray:
    """Return the second moment that each row's part is expected to have, `(n,)`.

    A row's own part squared is right on average, but decisions that the log seldom made hold few rewards, and a log
    that happens to lack these would promise too much. So a row's moment is the squared difference of its weights times
    the mean square residual of its stratum, times one factor a stratum: how much larger the parts are than that, drawn
    to 1 by how little the log says of it. It may be off by half (`_FACTOR_SPREAD`) before anything was seen.

    Source: the posterior mean of a normal factor under a normal prior (Gelman et al. 2013, 2.12).
    """
    moments = np.square(rows.part)
    differing = np.square(rows.candidate_weight - rows.baseline_weight)
    spread = np.square(rows.residual)
    for one in range(len(strata.labels)):
        own = strata.code == one
        if own.any():
            moments[own] = _drawn_to_average(moments[own], differing[own], spread[own])
    return np.asarray(moments)


def _drawn_to_average(moments: FloatArray, differing: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the moments of a stratum's rows as they are expected, `(n,)`; as they are where nothing differs."""
    average = float(spread.mean())
    expected = differing * average
    total = float(expected.sum())
    if total == 0.0:
        return moments
    seen = float(moments.sum()) / total
    doubt = (float(np.square(spread).mean()) / average**2 - 1) / effective_sample_size(expected)
    factor = 1 + (seen - 1) * _FACTOR_SPREAD**2 / (_FACTOR_SPREAD**2 + doubt)
    return np.asarray(expected * factor)
