"""The behavior policy, estimated where a log of decisions holds no propensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from rl.errors import EvaluationError
from rl.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.ope.calibration import CalibrationReport, calibration_report
from rl.ope.evaluation_probabilities import row_batches


@dataclass(frozen=True)
class BehaviorSettings:
    """How the behavior policy is estimated.

    Attributes:
        n_folds: shoppers are dealt into so many folds.
        ridges: penalties to choose from by the likelihood of the first fold, per squared coefficient, relative to the
            log-likelihood of one row; intercepts are penalised by the smallest.
        uniform_share: share of a uniform choice mixed in, so that no logged action gets a propensity near 0.
        max_rows: a fit uses at most this many rows, drawn at random.
        max_iterations: of the optimizer.
        seed: of folds and draws.
    """

    n_folds: int = 5
    ridges: tuple[float, ...] = (1.0, 30.0, 1000.0)
    uniform_share: float = 1e-3
    max_rows: int = 20_000
    max_iterations: int = 60
    seed: int = 0


@dataclass(frozen=True)
class LogisticBehavior:
    """A masked multinomial logistic policy.

    Attributes:
        center: of the features, `(n_features,)`.
        spread: of the features, `(n_features,)`.
        coefficients: intercept first, `(n_features + 1, n_actions)`.
        uniform_share: share of a uniform choice over available actions.
        version: name.
    """

    center: FloatArray
    spread: FloatArray
    coefficients: FloatArray
    uniform_share: float
    version: str = "estimated-behavior"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Action probabilities, `(n, n_actions)`, 0 where the mask is False."""
        standard = (features - self.center) / self.spread
        scores = np.where(mask, self.coefficients[0] + standard @ self.coefficients[1:], -np.inf)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        softmax = weights / weights.sum(axis=1, keepdims=True)
        uniform = mask / mask.sum(axis=1, keepdims=True)
        return np.asarray((1 - self.uniform_share) * softmax + self.uniform_share * uniform, dtype=np.float64)


@dataclass(frozen=True)
class EstimatedBehavior:
    """A log with estimated propensities.

    Attributes:
        episodes: the log, every propensity filled in by a model that saw no row of the same shopper.
        propensity_source: always `estimated`; shown beside every value that rests on it.
        policy: fitted on all rows; for querying, not for weighting these rows.
        ridge: penalty chosen.
        calibration: of the cross-fitted probabilities.
    """

    episodes: LoggedEpisodes
    propensity_source: Literal["estimated"]
    policy: LogisticBehavior
    ridge: float
    calibration: CalibrationReport


def estimate_behavior(episodes: LoggedEpisodes, settings: BehaviorSettings | None = None) -> EstimatedBehavior:
    """The log with cross-fitted propensities, and how well they are calibrated.

    Cross-fitting keeps a shopper's own choices from raising their own propensity. Don't trust the weights where the
    calibration is poor, or where the logging policy saw something that the features don't hold.

    Raises:
        EvaluationError: fewer units than folds.
    """
    chosen = settings or BehaviorSettings()
    fold = _folds(episodes, chosen)
    ridge, first = _best_ridge(episodes, fold, chosen)
    others = [fit_logistic(episodes, np.flatnonzero(fold != k), chosen, ridge=ridge) for k in range(1, chosen.n_folds)]
    models = [first, *others]
    crossfit = CrossfitBehavior(models, fold)
    filled = replace(episodes, propensity=crossfit.logged_probabilities(episodes))
    whole = fit_logistic(episodes, np.arange(episodes.n_transitions), chosen, ridge=ridge)
    return EstimatedBehavior(filled, "estimated", whole, ridge, calibration_report(crossfit, episodes))


class CrossfitBehavior:
    """Probabilities at each row by the model that saw no row of its shopper."""

    def __init__(self, models: Sequence[LogisticBehavior], fold: IntArray) -> None:
        self._models = models
        self._fold = fold

    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """Probabilities of all actions at the given rows, `(len(rows), n_actions)`."""
        features, mask, fold = episodes.features[rows], episodes.mask(rows), self._fold[rows]
        probabilities = np.empty(mask.shape)
        for k, model in enumerate(self._models):
            if (of_fold := fold == k).any():
                probabilities[of_fold] = model.probabilities(features[of_fold], mask[of_fold])
        return probabilities

    def logged_probabilities(self, episodes: LoggedEpisodes) -> FloatArray:
        """Probability of the logged action at each row, `(n,)`."""
        taken = np.empty(episodes.n_transitions)
        for rows in row_batches(episodes.n_transitions, episodes.n_actions):
            probabilities = self.row_probabilities(episodes, rows)
            taken[rows] = probabilities[np.arange(len(probabilities)), episodes.action[rows]]
        return taken


def fit_logistic(
    episodes: LoggedEpisodes, rows: IntArray, settings: BehaviorSettings, *, ridge: float
) -> LogisticBehavior:
    """Masked multinomial logistic regression of the logged action on the features.

    The softmax runs over the available actions in the likelihood too. A common fit over all actions, masked
    afterwards, would read an action that was seldom available as one that was seldom wanted.
    """
    if len(rows) > settings.max_rows:
        rows = np.sort(np.random.default_rng(settings.seed).choice(rows, settings.max_rows, replace=False))
    features = episodes.features[rows].astype(np.float64)
    center, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    standard = torch.from_numpy(((features - center) / spread).astype(np.float32))
    closed = torch.from_numpy(~episodes.mask(rows))
    action = torch.from_numpy(episodes.action[rows])
    coefficients = torch.zeros(features.shape[1] + 1, episodes.n_actions, requires_grad=True)
    penalty = torch.full((features.shape[1] + 1, 1), ridge / (2 * len(rows)))
    penalty[0] = min(settings.ridges) / (2 * len(rows))
    optimizer = torch.optim.LBFGS(
        [coefficients], max_iter=settings.max_iterations, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = (coefficients[0] + standard @ coefficients[1:]).masked_fill(closed, -1e9)
        fit = torch.nn.functional.cross_entropy(scores, action)
        total: torch.Tensor = fit + (penalty * coefficients.square()).sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    fitted = coefficients.detach().numpy().astype(np.float64)
    return LogisticBehavior(center, spread, fitted, settings.uniform_share)


def _best_ridge(episodes: LoggedEpisodes, fold: IntArray, settings: BehaviorSettings) -> tuple[float, LogisticBehavior]:
    """The penalty under which the first fold is likeliest, and the model of the other folds under it."""
    held_out = np.flatnonzero(fold == 0)
    best: tuple[float, float, LogisticBehavior] | None = None
    for ridge in settings.ridges:
        model = fit_logistic(episodes, np.flatnonzero(fold != 0), settings, ridge=ridge)
        loss = 0.0
        for batch in row_batches(len(held_out), episodes.n_actions):
            rows = held_out[batch]
            probabilities = model.probabilities(episodes.features[rows], episodes.mask(rows))
            loss -= float(np.log(probabilities[np.arange(len(rows)), episodes.action[rows]]).sum())
        if best is None or loss < best[0]:
            best = (loss, ridge, model)
    if best is None:
        raise EvaluationError("no ridge penalties to choose from")
    return best[1], best[2]


def _folds(episodes: LoggedEpisodes, settings: BehaviorSettings) -> IntArray:
    """Fold of each row; all rows of a unit share one, `(n,)`."""
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    if len(unit_ids) < settings.n_folds:
        raise EvaluationError(f"{len(unit_ids)} units can't be dealt into {settings.n_folds} folds")
    dealt = np.random.default_rng(settings.seed).permutation(len(unit_ids)) % settings.n_folds
    return np.asarray(dealt[unit][episodes.episode], dtype=np.int64)
