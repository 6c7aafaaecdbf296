"""What each shopper adds to a candidate's gain in every split, by Q-functions that saw none of the shopper's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rl.data.episode_selection import join_episodes, take_episodes
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.intervals import Resampling
from rl.ope.intervals.sums import RatioSums, difference, merged
from rl.ope.overlap.differing_units import RowWeights
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.ope.samples.weights import effective_sample_size

_N_FOLDS = 2
DEAL_SEED = 20_260_115
"""Of the deal of units into halves: the same units are dealt alike every night."""


@dataclass(frozen=True)
class PolicyOnSplits:
    """A policy with every split of a night, as its own encoder sees them.

    Attributes:
        name: in reports.
        policy: evaluation policy.
        before: training and validation episodes, in the order of time.
        test: test episodes, of units numbered as in `before`.
    """

    name: str
    policy: Policy
    before: tuple[LoggedEpisodes, ...]
    test: LoggedEpisodes


@dataclass(frozen=True)
class SplitContributions:
    """What units add to the gain; a unit stands once for each window of about the test split's length.

    Attributes:
        contribution: sum over a unit's episodes of the gain less the mean gain, `(n,)`.
        n_episodes: of the unit in the window, `(n,)`.
        is_test: the window is the test split, `(n,)`.
        n_differing: units, each counted once, for which candidate and baseline decide differently, effectively.
    """

    contribution: FloatArray
    n_episodes: FloatArray
    is_test: BoolArray
    n_differing: float


def split_contributions(
    compared: Sequence[PolicyOnSplits], *, settings: EvaluationSettings, estimator: str
) -> SplitContributions:
    """Return each unit's part in the difference of candidate and baseline, in every window of every split.

    Units are dealt into two halves. The Q-functions that value a half are fitted on the other, over all splits. So a
    unit's own rewards move its part by its weights alone, in the training split as in the test split.

    Args:
        compared: the candidate, and the champion where it is the baseline; else the behavior policy is.
        settings: of the night's evaluation.
        estimator: the one the gate may use.

    Raises:
        UnsupportedEstimator: the splits can't be valued by it.
        EvaluationError: they can't be evaluated at all.
    """
    unit_ids, unit = np.unique(np.concatenate([one.unit for one in _splits(compared[0])]), return_inverse=True)
    if len(unit_ids) < _N_FOLDS * 2:
        raise UnsupportedEstimator(f"{len(unit_ids)} units can't be dealt into {_N_FOLDS} halves of two or more")
    half = (np.random.default_rng(DEAL_SEED).permutation(len(unit_ids)) % _N_FOLDS)[unit]
    window = _windows(compared[0])
    found = [_of_half(compared, number, half, window, settings=settings, estimator=estimator) for number in (0, 1)]
    sums = merged(*(one.sums for one in found))
    n_windows = int(window.max()) + 1
    n_episodes = np.bincount(
        np.searchsorted(sums.unit_ids, _labels(compared[0], window)), minlength=sums.n_units
    ).astype(np.float64)
    return SplitContributions(
        contribution=sums.influence() * (n_episodes.sum() / sums.n_units),
        n_episodes=n_episodes,
        is_test=sums.unit_ids % n_windows == n_windows - 1,
        n_differing=effective_sample_size(np.concatenate([one.departures for one in found])),
    )


@dataclass(frozen=True)
class _Half:
    """Sums of the difference by unit and window, and each unit's departure of weights over all windows."""

    sums: RatioSums
    departures: FloatArray


def _of_half(
    compared: Sequence[PolicyOnSplits],
    number: int,
    half: IntArray,
    window: IntArray,
    *,
    settings: EvaluationSettings,
    estimator: str,
) -> _Half:
    own = replace(settings, estimators=(estimator,), resampling=Resampling(n_draws=1))
    labels = _labels(compared[0], window)
    parts: list[PolicyEvaluation] = []
    for one in compared:
        valued = replace(_part(one, half == number), unit=labels[half == number])
        found = evaluate_policies(
            {one.name: one.policy},
            train=_part(one, half != number),
            test=valued,
            settings=own,
            has_behavior=len(compared) == 1,
        )
        if (refusal := found.report(one.name, estimator).refusal) is not None:
            raise UnsupportedEstimator(refusal)
        parts.append(found)
    names = [one.name for one in compared] if len(compared) > 1 else [compared[0].name, BEHAVIOR]
    sums = {key: value for part in parts for key, value in part.sums.items()}
    if missing := [name for name in names if (name, estimator) not in sums]:
        raise UnsupportedEstimator(f"{missing[0]} can't be valued")
    weights = {key: value for part in parts for key, value in part.weights.items()}
    paired = difference(sums[names[0], estimator], sums[names[1], estimator])
    unit_of = paired.unit_ids // (int(window.max()) + 1)
    return _Half(paired, _departures(weights[names[0]], weights[names[1]], unit_of))


def _departures(candidate: RowWeights, baseline: RowWeights, unit_of: IntArray) -> FloatArray:
    """Return each unit's sum of |weight under one - weight under the other| over its windows."""
    by_window = np.bincount(candidate.unit, weights=np.abs(candidate.weight.astype(np.float64) - baseline.weight))
    return np.bincount(np.unique(unit_of, return_inverse=True)[1], weights=by_window).astype(np.float64)


def _splits(one: PolicyOnSplits) -> tuple[LoggedEpisodes, ...]:
    return (*one.before, one.test)


def _part(one: PolicyOnSplits, kept: BoolArray) -> LoggedEpisodes:
    """Return the episodes of all splits for which `kept` is True, a mask over all of them in turn."""
    ends = np.cumsum([0, *(split.n_episodes for split in _splits(one))])
    taken = [
        take_episodes(split, kept[start:end])
        for split, start, end in zip(_splits(one), ends[:-1], ends[1:], strict=True)
    ]
    return join_episodes([part for part in taken if part.n_episodes])


def _labels(one: PolicyOnSplits, window: IntArray) -> IntArray:
    """Return a number for unit and window of each episode of all splits; the window is its remainder."""
    unit = np.concatenate([split.unit for split in _splits(one)]).astype(np.int64)
    return np.asarray(unit * (int(window.max()) + 1) + window)


def _windows(one: PolicyOnSplits) -> IntArray:
    """Return the window of each episode of all splits, from 0; the test split is the last.

    A unit that comes back adds up over a split: a training split of two test splits' length would hold larger parts
    than the test split ever could, so it is divided into windows as long as the test split, or nearly so.
    """
    found: list[IntArray] = []
    first = 0
    for split in one.before:
        n_windows = _n_windows(split.start_time, one.test.start_time)
        since = (split.start_time - split.start_time.min(initial=np.iinfo(np.int64).max)).astype(np.float64)
        share = since / max(1.0, float(since.max(initial=0.0)))
        found.append(first + np.minimum((share * n_windows).astype(np.int64), n_windows - 1))
        first += n_windows
    found.append(np.full(one.test.n_episodes, first, dtype=np.int64))
    return np.concatenate(found)


def _n_windows(start: IntArray, of_test: IntArray) -> int:
    """Return into how many windows a split is divided; blocks that begin together are never parted."""
    n_moments = len(np.unique(start))
    extent = _extent(of_test)
    if extent == 0.0:
        return max(1, n_moments)
    return max(1, min(n_moments, round(_extent(start) / extent)))


def _extent(start: IntArray) -> float:
    """Return the time that episodes cover, the last moment's own stretch included; 0 where all begin at once."""
    n_moments = len(np.unique(start))
    return float(np.ptp(start)) * n_moments / (n_moments - 1) if n_moments > 1 else 0.0
