"""Gradient-boosted trees as a model of the behavior policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.ope.propensities.decisions import LoggedChoices, MarginalBehavior, fit_marginal, renormalized

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# scikit-learn grows one tree per action and round, so a budget of trees keeps the time of a fit the same for 5 actions
# and for 100; past 200 actions so few rounds are left that the trees learn little beyond the marginal frequencies.
TREE_BUDGET = 400
MAX_ACTIONS = 200
_MOST_ROUNDS = 60
_LEAVES = 12
_STEP_SUM = 4.0  # learning rate times rounds: fewer rounds take larger steps


@dataclass(frozen=True)
class BoostedTrees:
    """Trees over all actions that the rows show, renormalised over the available ones.

    Attributes:
        classifier: scikit-learn's; None where the rows show one action only.
        seen: actions it knows, ascending, `(n_seen,)`.
        marginal: for rows whose available actions it doesn't know.
    """

    classifier: HistGradientBoostingClassifier | None
    seen: IntArray
    marginal: MarginalBehavior

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        weights = np.zeros(mask.shape)
        weights[:, self.seen] = 1.0 if self.classifier is None else self.classifier.predict_proba(features)
        is_known = (mask & (weights > 0)).any(axis=1, keepdims=True)
        return renormalized(np.where(is_known, weights, self.marginal.rates), mask)


def fit_boosted_trees(decisions: LoggedChoices, *, penalty: float, seed: int) -> BoostedTrees:
    """Return gradient-boosted trees of scikit-learn, one for each action and round, from raw features.

    They find steps and interactions that a linear score can't. Masks come afterwards, as in
    `fit_multinomial_logistic`: don't trust it where they change from row to row. With many actions the rounds are few.

    Args:
        decisions: to learn from.
        penalty: per squared value of a leaf.
        seed: of the binning sample.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  (takes a second to import; as in `recalibration`)

    seen = np.unique(decisions.action)
    marginal = fit_marginal(decisions)
    if len(seen) == 1:
        return BoostedTrees(None, seen, marginal)
    n_trees_a_round = 1 if len(seen) == 2 else len(seen)
    n_rounds = int(np.clip(TREE_BUDGET // n_trees_a_round, 3, _MOST_ROUNDS))
    classifier = HistGradientBoostingClassifier(
        max_iter=n_rounds,
        learning_rate=float(np.clip(_STEP_SUM / n_rounds, 0.05, 0.5)),
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=max(5, min(50, decisions.n_decisions // 100)),
        l2_regularization=penalty,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )
    classifier.fit(decisions.features, decisions.action)
    return BoostedTrees(classifier, seen, marginal)
