"""Fitted Q evaluation with a linear Q-function, each round in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.q_functions.next_probabilities import NextProbabilities

_MAX_ROUNDS = 2000
_TOLERANCE = 1e-9  # relative to the largest value
_DEPENDENT = 1e-9  # directions of a relative eigenvalue below this hold no data (an intercept beside one-hot features)
_MAX_INVERSE_CELLS = 200_000_000  # 1.6 GB of doubles


@dataclass(frozen=True)
class LinearQ:
    """Q(s, a) = x (pooled + own[a]) with x = (1, features).

    Attributes:
        coefficients: pooled plus own, `(n_actions, n_features + 1)`.
    """

    coefficients: FloatArray

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the action values, `(n, n_actions)`; 0 where the mask is False."""
        return np.where(mask, _design(features) @ self.coefficients.T, 0.0)


def fit_linear(
    episodes: LoggedEpisodes,
    reward: FloatArray,
    *,
    factors: FloatArray,
    probabilities: NextProbabilities,
    ridge: float,
    steps: int | None,
) -> tuple[LinearQ, tuple[float, ...]]:
    """Return the Q-function that looks exactly `steps` ahead (None: until it settles), and the loss per round.

    Actions share a pooled fit; each adds its own ridge-penalised departure, so an action seldom logged stays near the
    pool. Round k regresses on reward plus the value of round k - 1, starting from 0, so it holds the k-step value.

    Args:
        episodes: rows to fit on.
        reward: `(n,)`.
        factors: discount to the next observation, `(n,)`; rows after which nothing follows have no next value.
        probabilities: of the evaluation policy at next observations.
        ridge: penalty on an action's own departure.
        steps: rounds at most.

    Raises:
        EvaluationError: too many actions times squared features, or values that grow without bound.
    """
    regression = _PerActionRidge(_design(episodes.features), episodes.action, episodes.n_actions, ridge=ridge)
    next_value = np.zeros(len(reward))
    curve: list[float] = []
    for _ in range(steps or _MAX_ROUNDS):
        function = LinearQ(regression.solve(reward + factors * next_value))
        curve.append(regression.mean_squared_error(function.coefficients, reward + factors * next_value))
        previous, next_value = next_value, _expected(function, probabilities, len(reward))
        scale = float(np.abs(next_value).max(initial=0.0))
        if not scale < 1e12 * max(1.0, float(np.abs(reward).max(initial=0.0))):
            raise EvaluationError("linear fitted Q evaluation diverged: use more ridge, or the neural fit")
        if float(np.abs(next_value - previous).max(initial=0.0)) <= _TOLERANCE * max(scale, 1e-300):
            break
    return function, tuple(curve)


class _PerActionRidge:
    """Repeated regressions on the same rows: the inverses are computed once."""

    def __init__(self, design: FloatArray, action: IntArray, n_actions: int, *, ridge: float) -> None:
        n_columns = design.shape[1]
        self._order = np.argsort(action, kind="stable")
        self._design = design[self._order]
        self._present, self._starts = np.unique(action[self._order], return_index=True)
        if len(self._present) * n_columns**2 > _MAX_INVERSE_CELLS:
            raise EvaluationError(
                f"{len(self._present)} actions with {n_columns} columns are too many for the linear fit: use neural"
            )
        self._n_actions = n_actions
        self._segment = np.searchsorted(self._present, action[self._order])
        self._pooled_inverse = _ridge_inverse(self._design, 0.0)
        ends = np.append(self._starts[1:], len(design))
        self._inverses = np.stack(
            [_ridge_inverse(self._design[start:end], ridge) for start, end in zip(self._starts, ends, strict=True)]
        )

    def solve(self, target: FloatArray) -> FloatArray:
        """Return the coefficients of each action, `(n_actions, n_columns)`."""
        y = target[self._order]
        pooled = self._pooled_inverse @ (self._design.T @ y)
        residual = y - self._design @ pooled
        moments = np.add.reduceat(self._design * residual[:, None], self._starts, axis=0)
        coefficients = np.tile(pooled, (self._n_actions, 1))
        coefficients[self._present] += np.einsum("aij,aj->ai", self._inverses, moments)
        return coefficients

    def mean_squared_error(self, coefficients: FloatArray, target: FloatArray) -> float:
        own = coefficients[self._present][self._segment]
        return float(np.square(target[self._order] - (self._design * own).sum(axis=1)).mean())


def _ridge_inverse(design: FloatArray, ridge: float) -> FloatArray:
    """Return the inverse of the ridged Gram matrix on the directions that hold data, 0 on the others."""
    eigenvalues, vectors = np.linalg.eigh(design.T @ design)
    holds_data = eigenvalues > _DEPENDENT * eigenvalues[-1]
    inverted = np.where(holds_data, 1.0 / np.where(holds_data, eigenvalues + ridge, 1.0), 0.0)
    return np.asarray((vectors * inverted) @ vectors.T, dtype=np.float64)


def _design(features: FeatureArray) -> FloatArray:
    return np.hstack([np.ones((len(features), 1)), features.astype(np.float64)])


def _expected(function: LinearQ, probabilities: NextProbabilities, n_rows: int) -> FloatArray:
    value = np.zeros(n_rows)
    for rows, features, weight in probabilities.batches():
        value[rows] = (weight * (_design(features) @ function.coefficients.T)).sum(axis=1)
    return value
