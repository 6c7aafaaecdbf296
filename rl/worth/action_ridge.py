"""What each action adds to a prediction from the observation: ridge regressions, their penalties chosen by shopper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FeatureArray, FloatArray, IntArray

STATE_PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
LEVEL_PENALTIES = (10.0, 100.0, 1_000.0, 10_000.0)
SLOPE_PENALTIES = (30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 100_000.0)
N_INNER_FOLDS = 3

# Actions times cubed columns of one eigendecomposition each: beyond it features are reduced to principal components.
_MAX_CUBES = 2.5e9


@dataclass(frozen=True)
class Standardizer:
    """Features, centered and scaled by the rows it was fitted on; projected where they are too many to fit by action.

    Attributes:
        center: `(n_features,)`.
        projection: scales, drops constant columns, and rotates where needed, `(n_features, n_columns)`.
    """

    center: FloatArray
    projection: FloatArray

    @classmethod
    def fit(cls, features: FeatureArray, n_actions: int) -> Standardizer:
        """Return the standardizer of these rows."""
        values = features.astype(np.float64)
        center, spread = values.mean(axis=0), values.std(axis=0)
        kept = np.flatnonzero(spread > 1e-9)
        projection = np.zeros((values.shape[1], len(kept)))
        projection[kept, np.arange(len(kept))] = 1 / spread[kept]
        limit = max(1, int((_MAX_CUBES / n_actions) ** (1 / 3)))
        if len(kept) > limit:
            standard = (values - center) @ projection
            vectors = np.linalg.eigh(standard.T @ standard / len(standard))[1]
            projection = projection @ vectors[:, -limit:]
        return cls(center, projection)

    def columns(self, features: FeatureArray) -> FloatArray:
        """Return the standard columns, `(n, n_columns)`."""
        return np.asarray((features - self.center) @ self.projection, dtype=np.float64)


@dataclass(frozen=True)
class StateRidge:
    """Outcomes predicted from the observation alone.

    Attributes:
        intercept: `(n_outcomes,)`.
        slopes: `(n_columns, n_outcomes)`.
    """

    intercept: FloatArray
    slopes: FloatArray

    def predict(self, columns: FloatArray) -> FloatArray:
        """Return the predictions, `(n, n_outcomes)`."""
        return np.asarray(self.intercept + columns @ self.slopes, dtype=np.float64)


@dataclass(frozen=True)
class ActionRidge:
    """What each action adds to `StateRidge`: a level of its own, and slopes of its own.

    Attributes:
        level: `(n_actions, n_outcomes)`.
        slopes: `(n_actions, n_columns, n_outcomes)`.
    """

    level: FloatArray
    slopes: FloatArray

    def predict(self, columns: FloatArray, outcome: int) -> FloatArray:
        """Return what every action adds to one outcome, `(n, n_actions)`."""
        return np.asarray(self.level[:, outcome] + columns @ self.slopes[:, :, outcome].T, dtype=np.float64)


def fit_state(columns: FloatArray, outcomes: FloatArray, fold: IntArray) -> StateRidge:
    """Return ridge regressions with, for each outcome, the largest penalty that held-out error doesn't speak against.

    Slopes that the held-out rows don't ask for would come back as differences between actions wherever the next
    observation records what was shown.

    Args:
        columns: standard columns, `(n, n_columns)`.
        outcomes: `(n, n_outcomes)`.
        fold: of each row; rows of a shopper share one, `(n,)`.

    Source: Breiman et al. (1984), the one-standard-error rule, with the error of paired differences.
    """
    mean = outcomes.mean(axis=0)
    centered = outcomes - mean
    errors = np.zeros((len(STATE_PENALTIES), *outcomes.shape))
    for k in range(N_INNER_FOLDS):
        inside, held = fold != k, fold == k
        paths = _ridge_path(columns[inside], centered[inside], STATE_PENALTIES)
        errors[:, held] = np.stack([np.square(centered[held] - columns[held] @ slopes) for slopes in paths])
    paths = _ridge_path(columns, centered, STATE_PENALTIES)
    slopes = np.take_along_axis(np.stack(paths), _largest_fit(errors)[None, None, :], axis=0)[0]
    return StateRidge(mean, slopes)


def fit_actions(
    columns: FloatArray, residual: FloatArray, action: IntArray, *, n_actions: int, fold: IntArray
) -> ActionRidge:
    """Return what each action adds to outcomes from which the observation's part was taken off.

    Levels are shrunk means; slopes are ridge regressions of what those leave. Both penalties are common to all actions
    and chosen by squared error on held-out folds, so where actions make no difference they add next to nothing.

    Args:
        columns: standard columns, `(n, n_columns)`.
        residual: outcomes less their `StateRidge`, `(n, n_outcomes)`.
        action: index of each row's action, `(n,)`.
        n_actions: size of the vocabulary.
        fold: of each row; rows of a shopper share one, `(n,)`.
    """
    level = _levels(residual, action, n_actions, fold)
    rest = residual - level[action]
    slopes = np.zeros((n_actions, columns.shape[1], residual.shape[1]))
    errors = np.zeros((len(SLOPE_PENALTIES), *residual.shape))
    paths: dict[int, list[FloatArray]] = {}
    for one in np.unique(action):
        rows = np.flatnonzero(action == one)
        errors[:, rows] = _held_out_errors(columns[rows], rest[rows], fold[rows])
        paths[int(one)] = _ridge_path(columns[rows], rest[rows], SLOPE_PENALTIES)
    chosen = _largest_fit(errors)
    for one, path in paths.items():
        slopes[one] = np.take_along_axis(np.stack(path), chosen[None, None, :], axis=0)[0]
    return ActionRidge(level, slopes)


def deal_folds(unit: IntArray, n_folds: int, seed: int) -> IntArray:
    """Return a fold for every row, dealt by shopper, `(n,)`."""
    found, index = np.unique(unit, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(found)) % n_folds
    return np.asarray(dealt[index], dtype=np.int64)


def _largest_fit(errors: FloatArray) -> IntArray:
    """Return the index of the largest penalty within one standard error of the best, by outcome.

    `errors` are `(n_penalties, n, ...)`.
    """
    best = errors.mean(axis=1).argmin(axis=0)
    excess = errors - np.take_along_axis(errors, best[None, None, :], axis=0)
    is_close = excess.mean(axis=1) <= excess.std(axis=1) / np.sqrt(errors.shape[1])
    return np.asarray(len(errors) - 1 - is_close[::-1].argmax(axis=0), dtype=np.int64)


def _levels(residual: FloatArray, action: IntArray, n_actions: int, fold: IntArray) -> FloatArray:
    def shrunk(rows: IntArray) -> list[FloatArray]:
        counts = np.bincount(action[rows], minlength=n_actions)[:, None]
        sums = np.zeros((n_actions, residual.shape[1]))
        np.add.at(sums, action[rows], residual[rows])
        return [sums / (counts + penalty) for penalty in LEVEL_PENALTIES]

    errors = np.zeros((len(LEVEL_PENALTIES), *residual.shape))
    for k in range(N_INNER_FOLDS):
        held = np.flatnonzero(fold == k)
        for i, level in enumerate(shrunk(np.flatnonzero(fold != k))):
            errors[i, held] = np.square(residual[held] - level[action[held]])
    paths = np.stack(shrunk(np.arange(len(action))))
    return np.asarray(np.take_along_axis(paths, _largest_fit(errors)[None, None, :], axis=0)[0], dtype=np.float64)


def _held_out_errors(columns: FloatArray, outcomes: FloatArray, fold: IntArray) -> FloatArray:
    """Return the squared errors of one action's rows by penalty, `(n_penalties, n, n_outcomes)`."""
    errors = np.zeros((len(SLOPE_PENALTIES), *outcomes.shape))
    for k in range(N_INNER_FOLDS):
        inside, held = fold != k, fold == k
        if not held.any():
            continue
        paths = _ridge_path(columns[inside], outcomes[inside], SLOPE_PENALTIES)
        errors[:, held] = np.stack([np.square(outcomes[held] - columns[held] @ slopes) for slopes in paths])
    return errors


def _ridge_path(columns: FloatArray, outcomes: FloatArray, penalties: tuple[float, ...]) -> list[FloatArray]:
    """Return the slopes under each penalty, `(n_columns, n_outcomes)`, through the smaller Gram matrix."""
    if len(columns) < columns.shape[1]:
        values, vectors = np.linalg.eigh(columns @ columns.T)
        turned = vectors.T @ outcomes
        return [columns.T @ (vectors @ (turned / (np.maximum(values, 0) + p)[:, None])) for p in penalties]
    values, vectors = np.linalg.eigh(columns.T @ columns)
    turned = vectors.T @ (columns.T @ outcomes)
    return [vectors @ (turned / (np.maximum(values, 0) + p)[:, None]) for p in penalties]
