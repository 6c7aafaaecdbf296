"""Density ratios as linear functions of features, by minimax weight learning in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import UnsupportedEstimator
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches

_MAX_BASIS = 3000  # functions of state and action: the square of so many doubles takes 72 MB
_N_FOR_BANDWIDTH = 500


@dataclass(frozen=True)
class Basis:
    """Functions of the observation: a constant, and the standardised features or random Fourier features of them.

    Attributes:
        center: of the features, `(n_features,)`.
        spread: of the features, `(n_features,)`.
        frequencies: `(n_features, n_fourier)`; None for the features themselves.
        phases: `(n_fourier,)`; None likewise.
    """

    center: FloatArray
    spread: FloatArray
    frequencies: FloatArray | None = None
    phases: FloatArray | None = None

    def of(self, features: FeatureArray) -> FloatArray:
        """Return the values of the functions, `(n, n_functions)`."""
        standard = (features - self.center) / self.spread
        if self.frequencies is not None and self.phases is not None:
            standard = np.cos(standard @ self.frequencies + self.phases) * np.sqrt(2 / len(self.phases))
        return np.hstack([np.ones((len(features), 1)), standard])


def fit_basis(
    features: FeatureArray, *, kind: Literal["linear", "fourier"], n_fourier: int = 100, seed: int = 0
) -> Basis:
    """Return functions fitted to these observations.

    Fourier features stand for a Gaussian kernel whose bandwidth is the median distance of standardised observations.

    Source: Rahimi and Recht (2007), random Fourier features.
    """
    center, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 0, spread, 1.0)
    if kind == "linear":
        return Basis(center, spread)
    generator = np.random.default_rng(seed)
    some = features[generator.choice(len(features), min(_N_FOR_BANDWIDTH, len(features)), replace=False)]
    standard = (some - center) / spread
    distances = np.sqrt(np.maximum(_squared_distances(standard), 0.0))
    bandwidth = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
    frequencies = generator.normal(size=(features.shape[1], n_fourier)) / bandwidth
    return Basis(center, spread, frequencies, generator.uniform(0, 2 * np.pi, n_fourier))


@dataclass(frozen=True)
class LinearRatios:
    """Ratios w(s) = phi(s) state, and w(s, a) = phi(s) state_action[a].

    Attributes:
        basis: phi.
        state: coefficients, `(n_functions,)`.
        state_action: coefficients, `(n_actions, n_functions)`; None where those of pairs are too many.
        expected_length: discounted steps of an episode under the evaluation policy.
    """

    basis: Basis
    state: FloatArray
    state_action: FloatArray | None
    expected_length: float

    def ratios(self, policy: Policy, episodes: LoggedEpisodes) -> DensityRatios:  # noqa: ARG002 -- the protocol's
        """Return the ratios at all rows, in batches; a linear ratio may be negative where it fits badly."""
        n = episodes.n_transitions
        state, state_action = np.zeros((2, n))
        for rows in row_batches(n, self.state.size):
            phi = self.basis.of(episodes.features[rows])
            state[rows] = phi @ self.state
            if self.state_action is not None:
                state_action[rows] = (phi * self.state_action[episodes.action[rows]]).sum(axis=1)
        refusal = None if self.state_action is not None else _too_many(episodes.n_actions, self.state.size)
        return DensityRatios(state, state_action, np.full(n, self.expected_length), np.nan, "linear minimax", refusal)


def fit_minimax(
    policy: Policy,
    episodes: LoggedEpisodes,
    is_fitted_on: BoolArray,
    *,
    basis: Basis,
    factors: FloatArray,
    ridge: float,
) -> LinearRatios:
    """Return the ratios that break the flow of visits least, for any function of the basis to look at it.

    What flows into a state must flow out: E_log[D w(s) f(s)] = E[f(s_0)] + E_log[D w(s) ratio factor f(s')] for every
    f, with D the discount of the row. With w and f linear in the same functions, f of unit mean square and a ridge on
    w's mean square, the worst f and the best w follow from one linear system. With little ridge, weighting rewards
    by w(s, a) gives what least-squares temporal differences give for Q on the same functions. Don't trust it where the
    true ratio isn't near such a function: it can go negative and says nothing about what it misses. Where actions times
    functions are too many for a ratio of pairs, that of states is fitted alone.

    Args:
        policy: evaluation policy.
        episodes: the log; every row needs a propensity for the state's ratio.
        is_fitted_on: episodes to fit on, `(n_episodes,)`.
        basis: functions of the observation.
        factors: discount to the next observation, `(n,)`.
        ridge: penalty on the mean square of w, relative to the flow's.

    Raises:
        UnsupportedEstimator: too many functions.

    Source: Uehara, Huang and Jiang (2020), minimax weight learning and its closed form for linear classes; for states
    Liu et al. (2018), theorem 1, with the start added for episodes.
    """
    n_functions = basis.of(episodes.features[:1]).shape[1]
    if n_functions > _MAX_BASIS:
        raise UnsupportedEstimator(
            f"{n_functions} functions of the observation are over {_MAX_BASIS}: too many for a ratio of states; give "
            "fewer features, or ratios estimated elsewhere"
        )
    has_pairs = n_functions * episodes.n_actions <= _MAX_BASIS
    flows = _Flows(policy, episodes, is_fitted_on, basis=basis, factors=factors, has_pairs=has_pairs)
    state = _least_flow(flows.state_flow, flows.state_gram, flows.state_start, ridge)
    length = float(flows.state_gram[0] @ state)
    if not has_pairs:
        return LinearRatios(basis, state, None, length)
    pairs = _least_flow(flows.pair_flow, flows.pair_gram, flows.pair_start, ridge)
    return LinearRatios(basis, state, pairs.reshape(episodes.n_actions, n_functions), length)


def _too_many(n_actions: int, n_functions: int) -> str:
    return (
        f"{n_actions} actions times {n_functions} functions of the observation are over {_MAX_BASIS}: too many for a "
        "ratio of states and actions; give fewer features, or use an estimator by state"
    )


class _Flows:
    """Moments per episode, gathered in batches: only sums of products of functions are held for all rows.

    Those of pairs are empty unless asked for.

    Attributes:
        state_gram: mean of D phi(s) phi(s)'.
        state_flow: mean of D (phi(s) - ratio factor phi(s')) phi(s)'.
        state_start: mean of phi(s_0).
        pair_gram: as `state_gram`, for functions of state and action, action by action.
        pair_flow: as `state_flow`, with the policy's mean over its next actions in place of the ratio.
        pair_start: mean over starts and the policy's first actions.
    """

    def __init__(
        self,
        policy: Policy,
        episodes: LoggedEpisodes,
        is_fitted_on: BoolArray,
        *,
        basis: Basis,
        factors: FloatArray,
        has_pairs: bool,
    ) -> None:
        self._policy, self._episodes, self._basis, self._has_pairs = policy, episodes, basis, has_pairs
        n_functions = basis.of(episodes.features[:1]).shape[1]
        n_pairs = n_functions * episodes.n_actions if has_pairs else 0
        self.state_gram, self.state_flow = np.zeros((2, n_functions, n_functions))
        self.pair_gram, self.pair_flow = np.zeros((2, n_pairs, n_pairs))
        self.state_start, self.pair_start = np.zeros(n_functions), np.zeros(n_pairs)
        discount = shifted_products(cumulative_products(factors, episodes.offsets), episodes.offsets)
        factor = np.where(episodes.terminal, 0.0, factors)
        n_episodes = int(is_fitted_on.sum())
        starts = episodes.offsets[:-1][is_fitted_on]
        width = max(n_pairs, n_functions, episodes.n_actions)
        for batch in row_batches(len(starts), width):
            self._add_starts(starts[batch], 1 / n_episodes)
        rows = np.flatnonzero(np.repeat(is_fitted_on, episodes.lengths))
        for batch in row_batches(len(rows), width):
            self._add_rows(rows[batch], discount[rows[batch]] / n_episodes, factor[rows[batch]])

    def _add_starts(self, rows: IntArray, share: float) -> None:
        features, mask = self._episodes.features[rows], self._episodes.mask(rows)
        phi = self._basis.of(features)
        self.state_start += share * phi.sum(axis=0)
        if self._has_pairs:
            self.pair_start += share * (checked_probabilities(self._policy, features, mask).T @ phi).ravel()

    def _add_rows(self, rows: IntArray, weight: FloatArray, factor: FloatArray) -> None:
        episodes = self._episodes
        phi, phi_next = self._basis.of(episodes.features[rows]), self._basis.of(episodes.next_features[rows])
        taken = checked_probabilities(self._policy, episodes.features[rows], episodes.mask(rows))
        action = episodes.action[rows]
        ratio = taken[np.arange(len(rows)), action] / episodes.propensity[rows]
        weighted = phi * weight[:, None]
        self.state_gram += weighted.T @ phi
        self.state_flow += (phi - (ratio * factor)[:, None] * phi_next).T @ weighted
        if self._has_pairs:
            self._add_pairs(rows, phi, phi_next, weighted, factor)

    def _add_pairs(
        self, rows: IntArray, phi: FloatArray, phi_next: FloatArray, weighted: FloatArray, factor: FloatArray
    ) -> None:
        episodes = self._episodes
        action = episodes.action[rows]
        following = checked_probabilities(self._policy, episodes.next_features[rows], episodes.next_mask(rows))
        inflow = ((factor[:, None] * following)[:, :, None] * phi_next[:, None, :]).reshape(len(rows), -1)
        for a in np.unique(action):
            own = np.flatnonzero(action == a)
            block = slice(a * phi.shape[1], (a + 1) * phi.shape[1])
            gram = weighted[own].T @ phi[own]
            self.pair_gram[block, block] += gram
            self.pair_flow[block, block] += gram
            self.pair_flow[:, block] -= inflow[own].T @ weighted[own]


def _least_flow(flow: FloatArray, gram: FloatArray, start: FloatArray, ridge: float) -> FloatArray:
    """Return the coefficients w that minimise |flow w - start|^2 in the norm of gram^-1, plus ridge times w' gram w.

    Directions in which the log holds nothing are left at 0.
    """
    eigenvalues, vectors = np.linalg.eigh(gram)
    holds_data = eigenvalues > 1e-10 * eigenvalues[-1]
    whiten = vectors[:, holds_data] / np.sqrt(eigenvalues[holds_data])
    whitened, target = whiten.T @ flow @ whiten, whiten.T @ start
    solved = np.linalg.solve(whitened.T @ whitened + ridge * np.eye(len(target)), whitened.T @ target)
    return np.asarray(whiten @ solved, dtype=np.float64)


def _squared_distances(points: FloatArray) -> FloatArray:
    squares = np.square(points).sum(axis=1)
    return np.asarray(squares[:, None] + squares - 2 * points @ points.T, dtype=np.float64)
