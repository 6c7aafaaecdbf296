"""Gradient-boosted trees, learned by scikit-learn and kept as plain arrays: nothing is unpickled to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from conf.kernel.arrays import IntArray
from rl.shopper_models.daily_activity import FloatArray

Outcome = Literal["probability", "amount"]

_VALIDATION_SHARE = 0.15
_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_iter": 400,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 50,
    "l2_regularization": 1.0,
    "n_iter_no_change": 15,
}


@dataclass(frozen=True)
class TreeEnsemble:
    """Trees whose leaves are added up; all nodes stand in one row of arrays, `(n_nodes,)`.

    Attributes:
        kind: a probability by the logistic function, or an amount by the exponential one.
        baseline: what the sum starts from.
        roots: node of each tree's root, `(n_trees,)`.
        feature: that a node asks for.
        threshold: rows at most as large go left.
        left, right: nodes below; of a leaf, itself.
        missing_left: whether rows without the feature go left.
        value: of a leaf.
    """

    kind: Outcome
    baseline: float
    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    missing_left: IntArray
    value: FloatArray

    def predict(self, features: FloatArray) -> FloatArray:
        """Return the predictions of rows, `(n,)`."""
        total = np.full(len(features), self.baseline)
        rows = np.arange(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            while True:
                asked = features[rows, self.feature[node]]
                goes_left = np.where(np.isnan(asked), self.missing_left[node] > 0, asked <= self.threshold[node])
                below = np.where(goes_left, self.left[node], self.right[node])
                if np.array_equal(below, node):
                    break
                node = below
            total += self.value[node]
        found: FloatArray = expit(total) if self.kind == "probability" else np.exp(total)
        return found


def fit_trees(
    features: FloatArray, outcome: FloatArray, shopper: IntArray, *, kind: Outcome, seed: int
) -> TreeEnsemble:
    """Return trees that stop growing in number where held-out shoppers' loss no longer falls.

    Args:
        features: `(n, n_features)`, NaN where there is none.
        outcome: 0 or 1, or amounts of at least 0, `(n,)`.
        shopper: of each row, so that no shopper is on both sides, `(n,)`.
        kind: of the outcome.
        seed: which shoppers are held out.
    """
    from sklearn.ensemble import (  # noqa: PLC0415  (takes a second to import; scores need none)
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    held_out = _held_out(shopper, seed)
    learner = (
        HistGradientBoostingClassifier(early_stopping=True, random_state=seed, **_SETTINGS)
        if kind == "probability"
        else HistGradientBoostingRegressor(loss="poisson", early_stopping=True, random_state=seed, **_SETTINGS)
    )
    if outcome[~held_out].min() == outcome[~held_out].max() or outcome[held_out].sum() == 0:
        held_out[:] = False  # too few outcomes to hold any out
        learner.set_params(early_stopping=False, max_iter=50)
        learner.fit(features, outcome)
    else:
        learner.fit(features[~held_out], outcome[~held_out], X_val=features[held_out], y_val=outcome[held_out])
    return _as_arrays(learner, kind)


def _held_out(shopper: IntArray, seed: int) -> npt.NDArray[np.bool_]:
    shoppers = np.unique(shopper)
    n = max(1, round(_VALIDATION_SHARE * len(shoppers)))
    chosen = np.random.default_rng(seed).choice(shoppers, size=n, replace=False)
    return np.isin(shopper, chosen)


def _as_arrays(learner: Any, kind: Outcome) -> TreeEnsemble:
    """Return the learner's trees; a test compares what they predict with what the learner does."""
    trees = [one[0].nodes for one in learner._predictors]
    offsets = np.cumsum([0, *(len(nodes) for nodes in trees)])
    every = np.concatenate(trees)
    base = np.repeat(offsets[:-1], [len(nodes) for nodes in trees])
    is_leaf = every["is_leaf"].astype(bool)
    own = np.arange(len(every))
    return TreeEnsemble(
        kind=kind,
        baseline=float(np.ravel(learner._baseline_prediction)[0]),
        roots=offsets[:-1].astype(np.int64),
        feature=np.where(is_leaf, 0, every["feature_idx"]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, every["num_threshold"]),
        left=np.where(is_leaf, own, base + every["left"]).astype(np.int64),
        right=np.where(is_leaf, own, base + every["right"]).astype(np.int64),
        missing_left=every["missing_go_to_left"].astype(np.int64),
        value=np.where(is_leaf, every["value"], 0.0),
    )
