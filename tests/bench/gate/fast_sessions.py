"""Nights on the tabular shop's sessions in arrays: the verdicts of the code that judges real nights, much faster.

A session's part in the gain is linear in what a Q-function says of states and actions, so each session is summed up
once and every night is a few products of such sums. Bounds, losses and the verdict are the gate's own code. A test
holds both ways to the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.gate.evidence import gate_rules
from rl.gate.rules import GateEvidence, Verdict, judge
from rl.gate.split_contributions import DEAL_SEED, SplitContributions
from rl.gate.split_losses import SplitLosses, lowered, split_losses
from rl.ope.intervals.sums import RatioSums, mean_sums
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR
from rl.ope.samples.episode_products import shifted_products
from rl.ope.samples.ratio_balance import RatioBalance, balance_of
from rl.ope.samples.sample import evaluation_sample
from rl.ope.samples.weights import effective_sample_size
from tests.bench.gate.fast_nights import Sizes, drawn_where_it_passes
from tests.bench.gate.nights import CANDIDATE
from tests.bench.gate.shop import GAMMA, N_ACTIONS, N_STATES, STEPS
from tests.rl.ope.tabular_mdp import TablePolicy

_DEPENDENT = 1e-9  # as in the linear fit: directions of a smaller relative eigenvalue hold no data
_CELLS = (N_STATES, N_ACTIONS, N_STATES + 1)
_DESIGN = np.hstack([np.ones((N_STATES, 1)), np.eye(N_STATES)])


@dataclass(frozen=True)
class Sessions:
    """Sessions under one candidate, each summed up over its decisions; d discounts, w cumulative weights.

    Attributes:
        unit: shopper, `(n,)`.
        start_time: `(n,)`.
        n_rows: decisions, `(n,)`.
        by_state: sum of d_t w_{t-1} by state, `(n, N_STATES)`.
        by_action: sum of d_t w_t by state and action, `(n, N_STATES * N_ACTIONS)`.
        rest: sum of d_t (w_t - 1) r_t, `(n,)`.
        weights: sums of d_t w_t and of d_t, `(n, 2)`.
        rewards: sums of d_t w_t |r_t| and of d_t |r_t|, `(n, 2)`.
        departure: sum of |d_t w_t - d_t|, each in single precision, `(n,)`.
        ratio: sum of the decisions' own ratios, `(n,)`.
        cell: state, action and next state (N_STATES: none) of each decision as one number, `(n_decisions,)`.
        reward: of each decision, `(n_decisions,)`.
    """

    unit: IntArray
    start_time: IntArray
    n_rows: IntArray
    by_state: FloatArray
    by_action: FloatArray
    rest: FloatArray
    weights: FloatArray
    rewards: FloatArray
    departure: FloatArray
    ratio: FloatArray
    cell: IntArray
    reward: FloatArray

    @classmethod
    def of(cls, policy: TablePolicy, episodes: LoggedEpisodes) -> Self:
        """Return the sessions of a log of the shop, none of which is longer than a value runs."""
        sample = evaluation_sample(policy, episodes, discount=DiscountFunction(GAMMA), steps=STEPS)
        weight, before = sample.require_weights(), shifted_products(sample.require_weights(), sample.offsets)
        discount, reward, episode = sample.discount, sample.reward, episodes.episode
        state = episodes.mask_index
        pair = state * N_ACTIONS + episodes.action
        following = np.where(episodes.terminal, N_STATES, episodes.next_mask_index)
        single, plain = (discount * weight).astype(np.float32), discount.astype(np.float32)
        ratio = sample.weights.ratio if sample.weights else np.ones(len(reward))
        summed = sample.per_episode
        return cls(
            unit=episodes.unit,
            start_time=episodes.start_time,
            n_rows=sample.lengths,
            by_state=_by_column(episode, state, discount * before, (sample.n_episodes, N_STATES)),
            by_action=_by_column(episode, pair, discount * weight, (sample.n_episodes, N_STATES * N_ACTIONS)),
            rest=summed(discount * (weight - 1) * reward),
            weights=np.stack([summed(discount * weight), summed(discount)], axis=1),
            rewards=np.stack([summed(discount * weight * np.abs(reward)), summed(discount * np.abs(reward))], axis=1),
            departure=summed(np.abs(single.astype(np.float64) - plain)),
            ratio=summed(ratio),
            cell=np.asarray(pair * (N_STATES + 1) + following),
            reward=reward,
        )

    @property
    def n(self) -> int:
        return len(self.unit)

    def part(self, first: int, last: int) -> Self:
        """Return the sessions from `first` to before `last`."""
        ends = np.concatenate([[0], np.cumsum(self.n_rows)])
        rows, own = slice(int(ends[first]), int(ends[last])), slice(first, last)
        return type(self)(
            **{one.name: getattr(self, one.name)[rows if one.name in _OF_ROWS else own] for one in fields(self)}
        )

    @classmethod
    def joined(cls, *parts: Self) -> Self:
        """Return the sessions of all parts, one part after the other."""
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)})

    def gains(self, policy: TablePolicy, q: FloatArray) -> FloatArray:
        """Return each session's doubly robust value less its discounted return, which is the log's own, `(n,)`."""
        return np.asarray(self.by_state @ (policy.table * q).sum(axis=1) - self.by_action @ q.ravel() + self.rest)


_OF_ROWS = frozenset({"cell", "reward"})


def _by_column(episode: IntArray, column: IntArray, weight: FloatArray, shape: tuple[int, int]) -> FloatArray:
    found = np.bincount(episode * shape[1] + column, weights=weight, minlength=shape[0] * shape[1])
    return found.astype(np.float64).reshape(shape)


def fitted_q(policy: TablePolicy, sessions: Sessions, halves: IntArray | None = None) -> tuple[FloatArray, ...]:
    """Return what the linear fit over `STEPS` steps says of states and actions, `(N_STATES, N_ACTIONS)`, by half.

    Args:
        policy: that is evaluated.
        sessions: to fit on.
        halves: 0 or 1 for each session, each half with a fit of its own, `(n,)`; None for one fit on all.
    """
    n_fits = 1 if halves is None else 2
    of_row = 0 if halves is None else np.repeat(halves, sessions.n_rows) * int(np.prod(_CELLS))
    size, place = n_fits * int(np.prod(_CELLS)), sessions.cell + of_row
    counts = np.bincount(place, minlength=size).astype(np.float64).reshape(n_fits, *_CELLS)
    rewards = np.bincount(place, weights=sessions.reward, minlength=size).reshape(n_fits, *_CELLS).sum(axis=3)
    return tuple(
        _Regression(count.sum(axis=2)).q(policy, count, reward) for count, reward in zip(counts, rewards, strict=True)
    )


class _Regression:
    """Sums of a target by state and action, turned into fitted values: a shared fit, and actions' ridged departures."""

    def __init__(self, n_rows: FloatArray) -> None:
        self._n_rows = n_rows
        self._shared = _smoother(n_rows.sum(axis=1), 0.0)
        self._own = np.stack([_smoother(of_action, FqeSettings().ridge) for of_action in n_rows.T])

    def fitted(self, sums: FloatArray) -> FloatArray:
        """Return the fit of `(..., N_STATES, N_ACTIONS)` sums of targets, of the same shape."""
        shared = sums.sum(axis=-1) @ self._shared.T
        left = sums - self._n_rows * shared[..., None]
        return np.asarray(shared[..., None] + np.einsum("ast,...ta->...sa", self._own, left))

    def q(self, policy: TablePolicy, counts: FloatArray, rewards: FloatArray) -> FloatArray:
        """Return the values after `STEPS` rounds, each of which regresses on rewards and the values before it."""
        followed = GAMMA * counts[:, :, :N_STATES]
        weight = policy.table.astype(np.float32).astype(np.float64)  # as probabilities of next actions are held
        constant = (weight * self.fitted(rewards)).sum(axis=1)
        slope = (weight * self.fitted(np.moveaxis(followed, 2, 0))).sum(axis=2).T
        value = np.zeros(N_STATES)
        for _ in range(STEPS - 1):
            value = constant + slope @ value
        return self.fitted(rewards + followed @ value)


def _smoother(n_rows: FloatArray, ridge: float) -> FloatArray:
    """Return what turns sums of targets by state into fitted values on an intercept and one-hot states."""
    values, vectors = np.linalg.eigh((_DESIGN * n_rows[:, None]).T @ _DESIGN)
    holds_data = values > _DEPENDENT * values[-1]
    inverted = np.where(holds_data, 1.0 / np.where(holds_data, values + ridge, 1.0), 0.0)
    turned = _DESIGN @ vectors
    return np.asarray((turned * inverted) @ turned.T)


@dataclass(frozen=True)
class NightFigures:
    """What a night's gate looks at, whatever its level.

    Attributes:
        gain: sums of the gain over the log.
        losses: of all splits.
        sizes: effective units.
        balance: of the candidate's ratios.
    """

    gain: RatioSums
    losses: SplitLosses
    sizes: Sizes
    balance: RatioBalance


def halves_of(*splits: Sessions) -> IntArray:
    """Return the half, 0 or 1, that each session of the splits is in; a shopper's are in the same one."""
    ids, unit = np.unique(np.concatenate([split.unit for split in splits]), return_inverse=True)
    return np.asarray((np.random.default_rng(DEAL_SEED).permutation(len(ids)) % 2)[unit])


def night_figures(
    policy: TablePolicy,
    before: Sequence[Sessions],
    test: Sessions,
    q: FloatArray,
    q_of_halves: Sequence[FloatArray] | None = None,
) -> NightFigures:
    """Return the figures of a candidate against the log's own policy.

    Args:
        policy: the candidate.
        before: training sessions, and others that were seen before the test's.
        test: sessions of the test split.
        q: the candidate's fitted values, from the training sessions.
        q_of_halves: those from all sessions of either half (`halves_of`); None for linear fits.
    """
    ids, unit = np.unique(test.unit, return_inverse=True)
    by_unit = np.stack([np.bincount(unit, weights=each) for each in (*test.weights.T, *test.rewards.T)])
    sizes = [effective_sample_size(each) for each in by_unit]
    n_rows = np.bincount(unit, weights=test.n_rows)
    balance = RatioSums(ids, np.bincount(unit, weights=test.ratio)[:, None], n_rows[:, None])
    differing = effective_sample_size(np.bincount(unit, weights=test.departure).astype(np.float64))
    return NightFigures(
        gain=mean_sums(test.gains(policy, q), unit, ids),
        losses=split_losses(_contributions(policy, before, test, q_of_halves)),
        sizes=Sizes(min(sizes[:2]), min(sizes[2:]), differing),
        balance=balance_of(balance),
    )


def verdict_of(figures: NightFigures, *, gate: Gate, alpha: float, seed: int) -> tuple[GateEvidence, Verdict]:
    """Return what the gate looks at and says at that level; a bound that fails needn't be drawn."""
    evidence = GateEvidence(
        candidate=CANDIDATE,
        baseline=BEHAVIOR,
        estimator="dr",
        unit_of_value="points",
        is_logged=True,
        difference=lowered(drawn_where_it_passes(figures.gain, alpha, seed), figures.losses, alpha=alpha),
        losses=figures.losses,
        effective_sample_size=figures.sizes.effective,
        effective_rewarded=figures.sizes.rewarded,
        effective_differing=figures.sizes.differing,
        balances={CANDIDATE: figures.balance, BEHAVIOR: RatioBalance(1.0, 0.0)},
    )
    return evidence, judge(evidence, gate_rules(gate, alpha=alpha))


def _contributions(
    policy: TablePolicy, before: Sequence[Sessions], test: Sessions, q_of_halves: Sequence[FloatArray] | None
) -> SplitContributions:
    """Return what `split_contributions` finds: two halves of units, windows as long as the test split."""
    rows = Sessions.joined(*before, test)
    half, unit = halves_of(rows), np.unique(rows.unit, return_inverse=True)[1]
    of_first, of_second = (rows.gains(policy, q) for q in q_of_halves or fitted_q(policy, rows, half))
    gains = np.where(half == 0, of_second, of_first)  # each half by the fit on the other
    window = _numbered_windows(before, test)
    n_windows = int(window.max()) + 1
    labels, place = np.unique(unit * n_windows + window, return_inverse=True)
    n_episodes = np.bincount(place).astype(np.float64)
    return SplitContributions(
        contribution=np.bincount(place, weights=gains) - gains.mean() * n_episodes,
        n_episodes=n_episodes,
        is_test=np.asarray(labels % n_windows == n_windows - 1),
        n_differing=effective_sample_size(np.bincount(unit, weights=rows.departure).astype(np.float64)),
    )


def _numbered_windows(before: Sequence[Sessions], test: Sessions) -> IntArray:
    """Return each session's window, numbered on from split to split; sessions begin one at a time."""
    found, first = [], 0
    for split in before:
        since = (split.start_time - split.start_time.min()).astype(np.float64)
        n_windows = max(1, min(split.n, round(_extent(split) / _extent(test))))
        found.append(first + np.minimum((since / since.max() * n_windows).astype(np.int64), n_windows - 1))
        first += n_windows
    return np.concatenate([*found, np.full(test.n, first, dtype=np.int64)])


def _extent(split: Sessions) -> float:
    return float(np.ptp(split.start_time)) * split.n / (split.n - 1)
