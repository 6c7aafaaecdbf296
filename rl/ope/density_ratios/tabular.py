"""Density ratios of a log with few distinct states, by counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.intervals.sums import ratio
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.ope.samples.evaluation_probabilities import checked_probabilities

_NEGLIGIBLE = 1e-3  # share of visits past the value's last step that one ratio for all steps may take in
_SETTLED = 1e-6  # an occupancy may be negative by rounding, relative to the largest


@dataclass(frozen=True)
class StateIndex:
    """The distinct states of a log: encoded observation and availability set.

    Attributes:
        keys: hashes of the states, ascending, `(n_states,)`.
        features: of each state, `(n_states, n_features)`.
        mask: available actions of each state, `(n_states, n_actions)`.
    """

    keys: IntArray
    features: FeatureArray
    mask: BoolArray

    @property
    def n_states(self) -> int:
        return len(self.keys)

    def of(self, features: FeatureArray, mask_index: IntArray) -> IntArray:
        """Return the index of each row's state, `(n,)`; `n_states` for a state the index doesn't hold."""
        keys = _state_keys(features, mask_index)
        at = np.minimum(np.searchsorted(self.keys, keys), self.n_states - 1)
        return np.where(self.keys[at] == keys, at, self.n_states).astype(np.int64)


def index_states(episodes: LoggedEpisodes, *, max_states: int) -> StateIndex | None:
    """Return the states that decisions or observations after them were in; None where they are too many."""
    keys = np.concatenate(
        [
            _state_keys(episodes.features, episodes.mask_index),
            _state_keys(episodes.next_features, episodes.next_mask_index)[~episodes.terminal],
        ]
    )
    unique, first = np.unique(keys, return_index=True)
    if len(unique) > max_states:
        return None
    n = episodes.n_transitions
    after = np.flatnonzero(~episodes.terminal)
    is_decision = first < n
    row = np.where(is_decision, first, after[np.maximum(first - n, 0)] if len(after) else 0)
    features = np.where(is_decision[:, None], episodes.features[row], episodes.next_features[row])
    mask = np.where(is_decision[:, None], episodes.mask(row), episodes.next_mask(row))
    return StateIndex(unique, features, mask)


@dataclass(frozen=True)
class TabularRatios:
    """Ratios looked up by state, and by step where the value runs over a given number of steps.

    Attributes:
        index: the distinct states.
        state: `(n_steps, n_states)`; one row where the ratio doesn't depend on the step.
        state_action: `(n_steps, n_states, n_actions)`.
        expected_length: discounted steps of an episode under the evaluation policy.
        share_outside: share of decisions that the log can't follow.
    """

    index: StateIndex
    state: FloatArray
    state_action: FloatArray
    expected_length: float
    share_outside: float

    def ratios(self, policy: Policy, episodes: LoggedEpisodes) -> DensityRatios:  # noqa: ARG002 -- the protocol's
        """Return the ratios at all rows; 0 in states, and at steps, that the fit hasn't seen."""
        at = self.index.of(episodes.features, episodes.mask_index)
        n_steps = len(self.state)
        step = np.zeros(len(at), dtype=np.int64) if n_steps == 1 else episodes.step
        known = (at < self.index.n_states) & (step < n_steps)
        at, step = np.where(known, at, 0), np.where(known, step, 0)
        return DensityRatios(
            state=np.where(known, self.state[step, at], 0.0),
            state_action=np.where(known, self.state_action[step, at, episodes.action], 0.0),
            expected_length=np.full(len(at), self.expected_length),
            share_outside=self.share_outside,
            method="tabular counting" if n_steps == 1 else "tabular counting by step",
        )


def fit_tabular(
    policy: Policy,
    episodes: LoggedEpisodes,
    is_fitted_on: BoolArray,
    *,
    index: StateIndex,
    factors: FloatArray,
    steps: int | None,
) -> TabularRatios:
    """Return the policy's occupancy in the counted dynamics of the log over the occupancy counted in the log.

    Dynamics are looked at past a cut too, so the occupancy is that of whole episodes though the log holds cut ones.
    Exact as the log grows, if the observation is the whole state. Don't trust states seen a few times: their ratio is
    one over a small count. One ratio serves all steps, which is steadiest; where the value stops at a given step and
    more than a thousandth of the policy's visits would follow it, each step has ratios of its own.

    Args:
        policy: evaluation policy.
        episodes: the log.
        is_fitted_on: episodes to count, `(n_episodes,)`.
        index: of the log's states.
        factors: discount to the next observation, `(n,)`.
        steps: over which the value runs.

    Raises:
        UnsupportedEstimator: an undiscounted occupancy that grows without bound.

    Source: Xie, Ma and Wang (2019), section 3, by step; Liu et al. (2018), equation 5, for the stationary ratio, its
    flow equation solved in the counted model.
    """
    counts = _Counts(episodes, is_fitted_on, index, factors=factors)
    probabilities = checked_probabilities(policy, index.features, index.mask)
    is_logged = counts.n_pairs > 0
    flow = counts.flow(probabilities)
    occupancy = _visits_by_step(counts.start, flow, steps) if steps else _visits(counts.start, flow)
    if steps and _is_all(occupancy, counts.start, flow):
        occupancy, steps = occupancy.sum(axis=0, keepdims=True), None
    outside = float((occupancy.sum(axis=0) @ np.where(is_logged, 0.0, probabilities)).sum())
    length = float(occupancy.sum())
    logged_pairs = counts.discounted_pairs(steps)
    return TabularRatios(
        index,
        state=ratio(occupancy, logged_pairs.sum(axis=2)),
        state_action=ratio(occupancy[:, :, None] * probabilities, logged_pairs),
        expected_length=length,
        share_outside=outside / length,
    )


class _Counts:
    """What the chosen episodes hold, per episode."""

    def __init__(
        self,
        episodes: LoggedEpisodes,
        is_fitted_on: BoolArray,
        index: StateIndex,
        *,
        factors: FloatArray,
    ) -> None:
        n_states, n_actions = index.mask.shape
        self._shape = (n_states, n_actions)
        rows = np.repeat(is_fitted_on, episodes.lengths)
        self._discount = shifted_products(cumulative_products(factors, episodes.offsets), episodes.offsets)[rows]
        self._step = episodes.step[rows]
        self._at = index.of(episodes.features[rows], episodes.mask_index[rows])
        self._next = index.of(episodes.next_features[rows], episodes.next_mask_index[rows])
        self._pair = self._at * n_actions + episodes.action[rows]
        self._factor = np.where(episodes.terminal[rows], 0.0, factors[rows])
        self._n_episodes = int(is_fitted_on.sum())
        first = index.of(*_first_observations(episodes, is_fitted_on))
        self.start = np.bincount(first, minlength=n_states) / self._n_episodes
        self.n_pairs = np.bincount(self._pair, minlength=n_states * n_actions).reshape(self._shape)

    def discounted_pairs(self, steps: int | None) -> FloatArray:
        """Return discounted visits of each state and action by step, or of all steps, `(steps or 1, *shape)`."""
        step = self._step if steps else np.zeros_like(self._step)
        n_steps, n_pairs = steps or 1, self._shape[0] * self._shape[1]
        within = step < n_steps
        cell = (step * n_pairs + self._pair)[within]
        visits = np.bincount(cell, weights=self._discount[within], minlength=n_steps * n_pairs)
        return np.asarray(visits.reshape(n_steps, *self._shape) / self._n_episodes, dtype=np.float64)

    def flow(self, probabilities: FloatArray) -> FloatArray:
        """Return the discounted probability of the next state under the policy, `(n_states, n_states)`.

        What ends adds nothing.
        """
        n_states = self._shape[0]
        weight = ratio(probabilities, self.n_pairs.astype(np.float64)).ravel()[self._pair] * self._factor
        follows = self._factor > 0
        cell = self._at[follows] * n_states + self._next[follows]
        between = np.bincount(cell, weights=weight[follows], minlength=n_states**2)
        return np.asarray(between.reshape(n_states, n_states), dtype=np.float64)


def _visits_by_step(start: FloatArray, flow: FloatArray, steps: int) -> FloatArray:
    """Return the discounted visits per episode at each step, `(steps, n_states)`."""
    visits = [start]
    while len(visits) < steps:
        visits.append(visits[-1] @ flow)
    return np.stack(visits)


def _is_all(by_step: FloatArray, start: FloatArray, flow: FloatArray) -> bool:
    """Return whether hardly any visits follow the last of these steps."""
    try:
        return bool(by_step.sum() >= (1 - _NEGLIGIBLE) * _visits(start, flow).sum())
    except UnsupportedEstimator:
        return False


def _visits(start: FloatArray, flow: FloatArray) -> FloatArray:
    """Return the discounted visits per episode of all steps together, `(1, n_states)`."""
    try:
        occupancy = np.linalg.solve(np.eye(len(start)) - flow.T, start)
    except np.linalg.LinAlgError:
        occupancy = np.full(len(start), np.nan)
    # Mass that circles for good without a discount shows as an infinite, or a negative, number of visits.
    if not (np.isfinite(occupancy).all() and occupancy.min() >= -_SETTLED * np.abs(occupancy).max()):
        raise UnsupportedEstimator(
            "the policy's visits grow without bound in the counted dynamics: no episode ends there, and nothing is "
            "discounted; give the value a number of steps"
        )
    return np.asarray(np.maximum(occupancy, 0.0)[None], dtype=np.float64)


def _first_observations(episodes: LoggedEpisodes, chosen: BoolArray) -> tuple[FeatureArray, IntArray]:
    first = episodes.offsets[:-1][chosen]
    return episodes.features[first], episodes.mask_index[first]


def _state_keys(features: FeatureArray, mask_index: IntArray) -> IntArray:
    """Return a 64-bit hash of each row's features and availability set, `(n,)`.

    Random multipliers modulo 2^64: two of a million states share a key with probability of about 10^-7.
    """
    if features.shape[1] == 0:
        raise EvaluationError("observations without features have no states to count")
    multipliers = np.random.default_rng(0).integers(1, 2**63, size=features.shape[1] + 1, dtype=np.uint64) * 2 + 1
    keys = mask_index.astype(np.uint64) * multipliers[-1]
    for column in range(features.shape[1]):
        # Adding 0 turns -0 into 0, whose bits differ though the state is the same.
        bits = np.ascontiguousarray(features[:, column] + np.float32(0)).view(np.uint32).astype(np.uint64)
        bits = (bits ^ (bits << np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
        keys += (bits ^ (bits >> np.uint64(29))) * multipliers[column]
    return np.asarray(keys.view(np.int64), dtype=np.int64)
