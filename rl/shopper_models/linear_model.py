"""The logistic regression, and for amounts its log-linear counterpart, over features that are scaled to be alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.tree_ensemble import Outcome

_INVERSE_PENALTY = 1.0
_MOST_LOG = 30.0


@dataclass(frozen=True)
class LinearModel:
    """A sum of weighted features.

    Attributes:
        kind: a probability by the logistic function, or an amount by the exponential one.
        intercept: what the sum starts from.
        weights: of the scaled features and then of the flags that say where each is missing, `(2 * n_features,)`.
        center, spread: of features' logs, `(n_features,)`.
    """

    kind: Outcome
    intercept: float
    weights: FloatArray
    center: FloatArray
    spread: FloatArray

    def predict(self, features: FloatArray) -> FloatArray:
        """Return the predictions of rows, `(n,)`."""
        total = self.intercept + _inputs(features, self.center, self.spread) @ self.weights
        found: FloatArray = expit(total) if self.kind == "probability" else np.exp(np.minimum(total, _MOST_LOG))
        return found


def fit_linear(features: FloatArray, outcome: FloatArray, *, kind: Outcome) -> LinearModel:
    """Return the model with the least penalized loss; arguments as of `fit_trees`."""
    from sklearn.linear_model import LogisticRegression, PoissonRegressor  # noqa: PLC0415  (takes a second to import; scores need none)

    logs = np.log1p(np.maximum(features, 0.0))
    known = ~np.isnan(logs)
    n = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, logs, 0.0).sum(axis=0) / n
    spread = np.sqrt((np.where(known, logs - center, 0.0) ** 2).sum(axis=0) / n)
    spread = np.where(spread > 0, spread, 1.0)
    inputs = _inputs(features, center, spread)
    if kind == "probability":
        learner = LogisticRegression(C=_INVERSE_PENALTY, max_iter=2_000)
        learner.fit(inputs, outcome)
        return LinearModel(kind, float(learner.intercept_[0]), learner.coef_[0].astype(np.float64), center, spread)
    scale = max(float(outcome.mean()), 1e-12)  # the penalty so means the same in every currency
    regression = PoissonRegressor(alpha=1.0 / len(outcome), max_iter=2_000)
    regression.fit(inputs, outcome / scale)
    intercept = float(regression.intercept_) + float(np.log(scale))
    return LinearModel(kind, intercept, regression.coef_.astype(np.float64), center, spread)


def _inputs(features: FloatArray, center: FloatArray, spread: FloatArray) -> FloatArray:
    logs = np.log1p(np.maximum(features, 0.0))
    is_missing = np.isnan(logs)
    return np.concatenate([np.where(is_missing, 0.0, (logs - center) / spread), is_missing.astype(np.float64)], axis=1)
