"""One-step nights in arrays: the same figures as by the code that judges real nights, some ten times as fast.

Q-functions, weights and sums are computed here, from counts; bounds, losses, tails and the verdict are the gate's own
code. A test holds both ways to the same figures. Bounds are drawn only where the closed forms already pass: draws can
but lower a bound further, so no verdict hangs on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from conf.specs.judging import Gate
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from rl.gate.evidence import gate_rules
from rl.gate.rules import GateEvidence, Verdict, judge
from rl.gate.split_contributions import DEAL_SEED, SplitContributions
from rl.gate.split_losses import lowered, split_losses
from rl.night.gate_ahead import GateAhead
from rl.ope.intervals.intervals import (
    Interval,
    Resampling,
    cautious_bounds,
    skew_corrected_interval,
    standard_error,
    student_interval,
)
from rl.ope.intervals.sums import RatioSums, mean_sums
from rl.ope.intervals.tails import tail_report
from rl.ope.propensities.known import know_propensities
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.samples.ratio_balance import balance_of
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size
from tests.bench.gate.one_step_nights import CANDIDATE, TRAIN, VALIDATION, WEIGHT_CHECKS, Kind, OneStepNight
from tests.bench.gate.one_step_shop import N_ACTIONS, N_VISITS
from tests.rl.ope.tabular_mdp import TablePolicy

BEHAVIOR = "behavior"
_DEPENDENT = 1e-9  # as in the linear fit: directions of a smaller relative eigenvalue hold no data


@dataclass(frozen=True)
class Visits:
    """Rows of one or more splits, `(n,)` each."""

    visit: IntArray
    action: IntArray
    reward: FloatArray
    propensity: FloatArray
    unit: IntArray

    @classmethod
    def of(cls, *splits: LoggedEpisodes) -> Visits:
        fields = ("mask_index", "action", "reward", "propensity", "unit")
        return cls(*(np.concatenate([getattr(split, name) for split in splits]) for name in fields))

    def at(self, kept: BoolArray) -> Visits:
        return Visits(*(each[kept] for each in (self.visit, self.action, self.reward, self.propensity, self.unit)))


def fast_night(kind: Kind, seed: int, *, gate: Gate, alpha: float) -> OneStepNight:
    """Return the night of `one_step_night`, of the same seed."""
    shop, n = kind.shop, kind.shop.n
    train = shop.log(int(TRAIN * n), 10 * seed + 1, is_test=False)
    validation = shop.log(int(VALIDATION * n), 10 * seed + 2, is_test=False)
    test = shop.log(n, 10 * seed + 3, is_test=True)
    policy = (
        learned_policy(kind, train, validation, gate=gate, alpha=alpha, seed=seed)
        if kind.gain is None
        else shop.candidate(kind.gain)
    )
    found, verdict = judged_splits(policy, (train, validation), test, gate=gate, alpha=alpha, seed=seed)
    own = drawn_where_it_passes(gain_sums(policy, Visits.of(test), fitted_q(Visits.of(train))), alpha, seed)
    return OneStepNight(
        true_gain=shop.gain(policy),
        value=own.value,
        own_lower=own.lower,
        lower=cast(Interval, found.difference).lower,
        tail_index=None if found.tail is None else found.tail.tail_index,
        effective_sample_size=cast(float, found.effective_sample_size),
        effective_rewarded=cast(float, found.effective_rewarded),
        effective_differing=cast(float, found.effective_differing),
        weights_pass=all(check.is_passed for check in verdict.checks if check.name in WEIGHT_CHECKS),
        survived=1.0,
        decision=verdict.decision,
    )


def judged_splits(
    policy: TablePolicy,
    before: Sequence[LoggedEpisodes],
    test: LoggedEpisodes,
    *,
    gate: Gate,
    alpha: float,
    seed: int,
) -> tuple[GateEvidence, Verdict]:
    """Return what the gate looks at and says of a policy; Q-functions are fitted on the first of the earlier splits."""
    known = know_propensities(test, is_logged=True)
    rows = Visits.of(known.episodes)
    gain = gain_sums(policy, rows, fitted_q(Visits.of(before[0])))
    losses = split_losses(_contributions(policy, before, known.episodes))
    sizes = sizes_of(policy, rows)
    evidence = GateEvidence(
        candidate=CANDIDATE,
        baseline=BEHAVIOR,
        estimator="dr",
        unit_of_value="points",
        is_logged=True,
        difference=lowered(drawn_where_it_passes(gain, alpha, seed), losses, alpha=alpha),
        tail=tail_report(gain.influence()),
        losses=losses,
        effective_sample_size=sizes.effective,
        effective_rewarded=sizes.rewarded,
        effective_differing=sizes.differing,
        balances={CANDIDATE: balance_of(mean_sums(_ratio(policy, rows), *_by_unit(rows.unit)))},
        propensities=known.trust,
    )
    return evidence, judge(evidence, gate_rules(gate, alpha=alpha))


def fitted_q(rows: Visits) -> FloatArray:
    """Return what the linear fit says of every visit and action, `(N_VISITS, N_ACTIONS)`: ridge around a shared fit."""
    shape = (N_VISITS, N_ACTIONS)
    cell = rows.visit * N_ACTIONS + rows.action
    counts = np.bincount(cell, minlength=N_VISITS * N_ACTIONS).reshape(shape).astype(np.float64)
    sums = np.bincount(cell, weights=rows.reward, minlength=N_VISITS * N_ACTIONS).reshape(shape)
    pooled = sums.sum(axis=1) / np.maximum(counts.sum(axis=1), 1.0)
    left = sums - counts * pooled[:, None]
    own = [_departure(counts[:, action], left[:, action]) for action in range(N_ACTIONS)]
    return np.asarray(pooled[:, None] + np.array(own).T)


def _departure(counts: FloatArray, left: FloatArray) -> FloatArray:
    """Return an action's departure from the shared fit on an intercept and one-hot visits, `(N_VISITS,)`."""
    gram = np.zeros((N_VISITS + 1, N_VISITS + 1))
    gram[0, 0], gram[0, 1:], gram[1:, 0] = counts.sum(), counts, counts
    gram[1:, 1:] = np.diag(counts)
    values, vectors = np.linalg.eigh(gram)
    holds_data = values > _DEPENDENT * values[-1]
    inverted = np.where(holds_data, 1.0 / np.where(holds_data, values + FqeSettings().ridge, 1.0), 0.0)
    found = (vectors * inverted) @ vectors.T @ np.concatenate([[left.sum()], left])
    return np.asarray(found[0] + found[1:], dtype=np.float64)


@dataclass(frozen=True)
class Sizes:
    """Effective units: the smaller of candidate and log behind weights and rewards, and those that differ."""

    effective: float
    rewarded: float
    differing: float


def sizes_of(policy: TablePolicy, rows: Visits) -> Sizes:
    """Return the smaller effective sizes of candidate and log, and the units that differ."""
    unit = _by_unit(rows.unit)[0]
    ratio = _ratio(policy, rows)
    summed = [np.bincount(unit, weights=weight).astype(np.float64) for weight in (ratio, np.ones(len(ratio)))]
    return Sizes(
        min(effective_sample_size(each) for each in summed),
        min(effective_rewarded_units(weight * rows.reward, unit) for weight in (ratio, np.ones(len(ratio)))),
        effective_sample_size(np.bincount(unit, weights=np.abs(ratio - 1)).astype(np.float64)),
    )


def _ratio(policy: TablePolicy, rows: Visits) -> FloatArray:
    return np.asarray(policy.table[rows.visit, rows.action] / rows.propensity)


def _by_unit(unit: IntArray) -> tuple[IntArray, IntArray]:
    """Return each row's unit as an index, and the units in ascending order."""
    ids, index = np.unique(unit, return_inverse=True)
    return index.astype(np.int64), ids.astype(np.int64)


def _parts(policy: TablePolicy, rows: Visits, q: FloatArray) -> FloatArray:
    """Return each row's doubly robust value less its reward, which is the log's own value of it, `(n,)`."""
    value = (policy.table * q).sum(axis=1)[rows.visit]
    return np.asarray(value + _ratio(policy, rows) * (rows.reward - q[rows.visit, rows.action]) - rows.reward)


def gain_sums(policy: TablePolicy, rows: Visits, q: FloatArray) -> RatioSums:
    """Return the sums of the doubly robust gain over the log."""
    return mean_sums(_parts(policy, rows, q), *_by_unit(rows.unit))


def drawn_where_it_passes(gain: RatioSums, alpha: float, seed: int) -> Interval:
    """Return the gate's bounds on the gain; by closed forms alone where these keep the candidate back already."""
    closed = min(
        (form(gain, level=1 - 2 * alpha) for form in (student_interval, skew_corrected_interval)),
        key=lambda found: found.lower,
    )
    if closed.lower <= 0:
        return closed
    return cautious_bounds(gain, alpha=alpha, resampling=Resampling(n_draws=200, seed=seed))


def _contributions(policy: TablePolicy, before: Sequence[LoggedEpisodes], test: LoggedEpisodes) -> SplitContributions:
    """Return what `split_contributions` finds: two halves of units, windows as long as the test split."""
    rows = Visits.of(*before, test)
    unit, _ = _by_unit(rows.unit)
    half = (np.random.default_rng(DEAL_SEED).permutation(int(unit.max()) + 1) % 2)[unit]
    window = _numbered_windows(before, test)
    n_windows = int(window.max()) + 1
    parts = np.empty(len(unit))
    for number in (0, 1):
        own = half == number
        parts[own] = _parts(policy, rows.at(own), fitted_q(rows.at(~own)))
    labels, place = np.unique(unit * n_windows + window, return_inverse=True)
    n_episodes = np.bincount(place).astype(np.float64)
    summed = np.bincount(place, weights=parts)
    departures = np.bincount(unit, weights=np.abs(_ratio(policy, rows).astype(np.float32).astype(np.float64) - 1))
    return SplitContributions(
        contribution=summed - parts.mean() * n_episodes,
        n_episodes=n_episodes,
        is_test=cast(BoolArray, labels % n_windows == n_windows - 1),
        n_differing=effective_sample_size(departures.astype(np.float64)),
    )


def _numbered_windows(before: Sequence[LoggedEpisodes], test: LoggedEpisodes) -> IntArray:
    """Return each visit's window, numbered on from split to split."""
    found: list[IntArray] = []
    first = 0
    for split in (*before, test):
        found.append(first + _windows(split, test))
        first = int(found[-1].max()) + 1
    return np.concatenate(found)


def _windows(split: LoggedEpisodes, test: LoggedEpisodes) -> IntArray:
    """Return the window of each visit within its split, from 0."""
    span = int(np.ptp(split.start_time))
    n_windows = max(1, round(span / int(np.ptp(test.start_time))))
    since = split.start_time - split.start_time.min()
    return np.minimum(since * n_windows // span, n_windows - 1).astype(np.int64)


def learned_policy(
    kind: Kind, train_split: LoggedEpisodes, validation_split: LoggedEpisodes, *, gate: Gate, alpha: float, seed: int
) -> TablePolicy:
    """Return the policy of which the gate can be expected to ship most, of several learned from training visits."""
    train, validation = Visits.of(train_split), Visits.of(validation_split)
    q = fitted_q(train)
    ahead = GateAhead(
        VALIDATION * gate.min_effective_sample_size,
        VALIDATION * gate.min_effective_rewarded,
        test_share=1 / VALIDATION,
        alpha=alpha,
    )

    def rank(policy: TablePolicy) -> tuple[bool, float]:
        gain, sizes = gain_sums(policy, validation, q), sizes_of(policy, validation)
        chance = ahead.chance_of_floors(sizes.effective, sizes.rewarded, sizes.differing)
        value, error = gain.value(), standard_error(gain)
        if not ahead.is_within_reach(chance):
            return (False, value - error)
        return (True, chance * ahead.gain_to_ship(value, error))

    rng = np.random.default_rng(1_000_000 + seed)
    return max((from_means(train, rng) for _ in range(kind.n_learned)), key=rank)


def from_means(train: Visits, rng: np.random.Generator) -> TablePolicy:
    """Return a softmax of mean rewards by visit and action, over a resample of the visits, with a floor of .1."""
    weight = rng.poisson(1.0, len(train.action)).astype(np.float64)
    cell = train.visit * N_ACTIONS + train.action
    counts = np.bincount(cell, weights=weight, minlength=N_VISITS * N_ACTIONS)
    sums = np.bincount(cell, weights=weight * train.reward, minlength=N_VISITS * N_ACTIONS)
    means = (sums / np.maximum(counts, 1.0)).reshape(N_VISITS, N_ACTIONS)
    scores: FloatArray = np.exp((means - means.max(axis=1, keepdims=True)) / (0.3 * means.std() + 1e-9))
    return TablePolicy(0.9 * scores / scores.sum(axis=1, keepdims=True) + 0.1 / N_ACTIONS, "learned")
