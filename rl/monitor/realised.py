"""What the champion earned more than those whom another decided for on the same days.

On policy: nothing is weighted, but days under an exploration plan (`explored_days`). Arms are compared within each day,
so that neither seasons nor a share that grows from day to day makes a difference where there is none, and days count
by how many episodes both arms have. The unit is the shopper, over all days and arms together: a shopper's visits are
not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.intervals.confidence_sequence import information_sequence_interval
from rl.ope.intervals.intervals import Interval

LEAST_EPISODES = 2
"""Of an arm on a day; with one alone nothing is known of how episodes vary."""

FIRST_ERROR_SHRINKS = 4.0
"""Where nothing was promised, the sequence is tightest once the first day's error has shrunk so much: in some two weeks
of alike days."""


@dataclass(frozen=True)
class ServedEpisodes:
    """Episodes of served days.

    Attributes:
        day: of each, as an ordinal, `(n,)`.
        shopper: code, the same on all days, `(n,)`.
        arm: index into `arms`, `(n,)`.
        arms: names.
        value: discounted reward over the steps that count, in the reward's unit, `(n,)`.
        is_settled: whether every attribution window of it had closed, `(n,)`.
        is_weighed: whether its value was weighed by importance, since explored decisions are in it, `(n,)`.
        cut: by arm, the days that count for no promise of it, and why.
    """

    day: IntArray
    shopper: IntArray
    arm: IntArray
    arms: tuple[str, ...]
    value: FloatArray
    is_settled: BoolArray
    is_weighed: BoolArray
    cut: Mapping[str, Mapping[date, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.day)

    def take(self, kept: BoolArray) -> ServedEpisodes:
        """Return the episodes where `kept` is True, `(n,)`."""
        return ServedEpisodes(
            self.day[kept],
            self.shopper[kept],
            self.arm[kept],
            self.arms,
            self.value[kept],
            self.is_settled[kept],
            self.is_weighed[kept],
            self.cut,
        )

    def of(self, arm: str) -> ServedEpisodes:
        """Return the episodes of an arm; none where there is no such arm."""
        return self.take(self.arm == (self.arms.index(arm) if arm in self.arms else -1))

    def counted_for(self, arm: str) -> ServedEpisodes:
        """Return the episodes of days that count for an arm's promise, whatever their arms."""
        cut = [day.toordinal() for day in self.cut.get(arm, {})]
        return self.take(~np.isin(self.day, cut))

    @property
    def days(self) -> tuple[date, ...]:
        """Days that have episodes, ascending."""
        return tuple(date.fromordinal(int(day)) for day in np.unique(self.day))


@dataclass(frozen=True)
class ArmMean:
    """Mean value of an arm's episodes.

    Attributes:
        n_episodes: of the arm.
        n_shoppers: who had them.
        value: in the reward's unit per episode.
        standard_error: clustered by shopper; NaN where it isn't known.
    """

    n_episodes: int
    n_shoppers: int
    value: float
    standard_error: float


@dataclass(frozen=True)
class RunningGain:
    """The gain over all days up to one of them.

    Attributes:
        day: the last one counted.
        value: mean difference of the arms within days, per episode.
        standard_error: clustered by shopper.
        own_value: of that day alone.
        own_error: likewise.
        n_shoppers: of both arms so far.
    """

    day: date
    value: float
    standard_error: float
    own_value: float
    own_error: float
    n_shoppers: int


@dataclass(frozen=True)
class GainInfluences:
    """What each shopper moves a gain by: the squares sum to its variance.

    Attributes:
        shopper: codes, ascending, `(n,)`.
        influence: of each, in the reward's unit per episode, `(n,)`.
    """

    shopper: IntArray
    influence: FloatArray

    def covariance(self, other: GainInfluences) -> float:
        """Return what the two gains have in common, by the shoppers who are in both."""
        _, own, others = np.intersect1d(self.shopper, other.shopper, assume_unique=True, return_indices=True)
        return float(self.influence[own] @ other.influence[others])


def arm_mean(episodes: ServedEpisodes) -> ArmMean | None:
    """Return the mean of the episodes, whatever their arms; None without any."""
    if not len(episodes):
        return None
    shopper = np.unique(episodes.shopper, return_inverse=True)[1]
    n_shoppers = int(shopper.max()) + 1
    mean = float(episodes.value.mean())
    sums = np.bincount(shopper, weights=episodes.value - mean, minlength=n_shoppers)
    spread = float(np.square(sums).sum()) * n_shoppers / (n_shoppers - 1) if n_shoppers > 1 else math.nan
    return ArmMean(len(episodes), n_shoppers, mean, math.sqrt(spread) / len(episodes))


def running_gains(episodes: ServedEpisodes, arm: str, baseline: str) -> Iterator[RunningGain]:
    """Yield the gain of an arm over another after each day on which both have episodes.

    A day's difference counts by n1 n0 / (n1 + n0), with n1 and n0 the arms' episodes on it.

    Args:
        episodes: of all days, settled alike in both arms.
        arm: whose gain.
        baseline: over which.

    Source: the difference's variance by influences summed over each shopper (Liang and Zeger 1986), the residuals of an
    arm's day enlarged for the mean that was taken from them.
    """
    kept = _of_both(episodes, arm, baseline)
    shopper = np.unique(kept.shopper, return_inverse=True)[1]
    influence, squares = np.zeros(int(shopper.max(initial=-1)) + 1), 0.0
    is_seen = np.zeros(len(influence), dtype=bool)
    total, weight = 0.0, 0.0
    for rows, own, parts, counts in _differences(kept, arm):
        who, place = np.unique(shopper[rows], return_inverse=True)
        added = np.bincount(place, weights=parts * counts)
        own_error = math.sqrt(float(np.square(np.bincount(place, weights=parts)).sum()))
        squares += float((np.square(influence[who] + added) - np.square(influence[who])).sum())
        influence[who] += added
        is_seen[who] = True
        total, weight, n_seen = total + counts * own, weight + counts, int(is_seen.sum())
        error = math.sqrt(max(squares, 0.0) * n_seen / (n_seen - 1)) / weight
        yield RunningGain(date.fromordinal(int(kept.day[rows[0]])), total / weight, error, own, own_error, n_seen)


def gain_influences(episodes: ServedEpisodes, arm: str, baseline: str) -> GainInfluences:
    """Return each shopper's influence on the gain over all days, as in `running_gains`; none without a gain."""
    kept = _of_both(episodes, arm, baseline)
    codes, shopper = np.unique(kept.shopper, return_inverse=True)
    influence, weight = np.zeros(len(codes)), 0.0
    is_seen = np.zeros(len(codes), dtype=bool)
    for rows, _, parts, counts in _differences(kept, arm):
        influence += np.bincount(shopper[rows], weights=parts * counts, minlength=len(codes))
        is_seen[shopper[rows]] = True
        weight += counts
    n_seen = int(is_seen.sum())
    if not n_seen:
        return GainInfluences(codes[:0], influence[:0])
    return GainInfluences(codes[is_seen], influence[is_seen] * math.sqrt(n_seen / (n_seen - 1)) / weight)


def _of_both(episodes: ServedEpisodes, arm: str, baseline: str) -> ServedEpisodes:
    names = [episodes.arms.index(one) if one in episodes.arms else -1 for one in (arm, baseline)]
    return episodes.take(np.isin(episodes.arm, names))


def _differences(both: ServedEpisodes, arm: str) -> Iterator[tuple[IntArray, float, FloatArray, float]]:
    """Yield each day's rows, with what `_day_difference` finds of them; days that have both arms, in their order."""
    own = both.arms.index(arm) if arm in both.arms else -1
    order = np.argsort(both.day, kind="stable")
    bounds = np.flatnonzero(np.diff(both.day[order], prepend=-1, append=-1))
    for start, end in pairwise(bounds.tolist()):
        rows = order[start:end]
        found = _day_difference(both.value[rows], both.arm[rows] == own)
        if found is not None:
            yield rows, *found


def _day_difference(value: FloatArray, is_arm: BoolArray) -> tuple[float, FloatArray, float] | None:
    """Return a day's difference of means, each episode's influence on it, `(n,)`, and what the day counts.

    None where an arm has too few episodes.
    """
    counts = np.array([int((~is_arm).sum()), int(is_arm.sum())])
    if counts.min() < LEAST_EPISODES:
        return None
    means = np.bincount(is_arm, weights=value, minlength=2) / counts
    own = is_arm.astype(np.int64)
    enlarged = np.sqrt(counts / (counts - 1)) / counts * np.array([-1.0, 1.0])
    parts = (value - means[own]) * enlarged[own]
    return float(means[1] - means[0]), parts, float(counts.prod() / counts.sum())


def gain_interval(gain: RunningGain, *, level: float, planned_error: float) -> Interval:
    """Return the gain between bounds that hold at all days together.

    Raises:
        EvaluationError: an error that isn't above 0: nothing was earned at all.
    """
    return information_sequence_interval(gain.value, gain.standard_error, level=level, planned_error=planned_error)


def planned_error(promised_error: float | None, gains: list[RunningGain]) -> float:
    """Return the standard error at which the running gain's interval shall be tightest.

    That is the promise's own, known before anybody was served: then the served days know as much as the night did.

    Args:
        promised_error: of the promised gain; None where nothing was promised.
        gains: in the order of days; the first one alone counts, where nothing was promised.

    Raises:
        EvaluationError: nothing promised, and no day with both arms.
    """
    if promised_error is not None and promised_error > 0:
        return promised_error
    first = next((one.standard_error for one in gains if one.standard_error > 0), None)
    if first is None:
        raise EvaluationError("no day has episodes of both arms, so that no gain is known")
    return first / FIRST_ERROR_SHRINKS
