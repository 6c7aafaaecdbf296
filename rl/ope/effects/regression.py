"""The regression that the learners of effects are made of: boosted trees that stop where held-out shoppers say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rl.data.logged_episodes import FeatureArray, FloatArray

_HELD_OUT_SHARE = 0.2
_FEWEST_TO_HOLD_OUT = 200
# Effects are small beside the spread of what shoppers spend: shallow trees, large leaves, small steps.
_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_iter": 200,
    "max_leaf_nodes": 6,
    "l2_regularization": 1.0,
    "n_iter_no_change": 10,
}


@dataclass(frozen=True)
class Regression:
    """A fitted mean of an outcome given features; of few or constant rows, their mean.

    Attributes:
        mean: of the outcomes it was fitted on.
        trees: scikit-learn's; None where the mean is all that can be said.
    """

    mean: float
    trees: Any = None

    def predict(self, features: FeatureArray) -> FloatArray:
        """Return the predicted means, `(n,)`."""
        if self.trees is None:
            return np.full(len(features), self.mean)
        return np.asarray(self.trees.predict(features), dtype=np.float64)


def fit_regression(features: FeatureArray, outcome: FloatArray, *, seed: int) -> Regression:
    """Return the regression of the outcome on the features; a fifth of the rows says when to stop.

    Args:
        features: `(n, n_features)`.
        outcome: `(n,)`; no rows at all give 0 everywhere.
        seed: which rows are held out.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  (takes a second to import; few reports need it)

    mean = float(outcome.mean()) if len(outcome) else 0.0
    if len(outcome) < _FEWEST_TO_HOLD_OUT or outcome.min() == outcome.max():
        return Regression(mean)
    trees = HistGradientBoostingRegressor(
        random_state=seed,
        early_stopping=True,
        validation_fraction=_HELD_OUT_SHARE,
        min_samples_leaf=max(20, len(outcome) // 100),
        **_SETTINGS,
    )
    return Regression(mean, trees.fit(features, outcome))
