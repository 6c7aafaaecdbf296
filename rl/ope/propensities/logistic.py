"""Logistic models of the behavior policy: with masks in the likelihood, or scikit-learn's with masks afterwards."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.ope.propensities.decisions import LoggedChoices, Standard
from rl.policy.action_probabilities import masked_softmax

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

_MAX_ITERATIONS = 60
_UNSEEN = -20.0  # score of an action that the rows never show; the uniform share mixed in later is what it gets
_INTERCEPT_PENALTY = 1.0


@dataclass(frozen=True)
class LinearScores:
    """Scores that are linear in standardized features.

    Attributes:
        standard: scale of the features.
        coefficients: intercept first, `(n_features + 1, n_actions)`.
    """

    standard: Standard
    coefficients: FloatArray

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        coefficients = self.coefficients.astype(np.float32)
        scores = coefficients[0] + self.standard.apply(features) @ coefficients[1:]
        return masked_softmax(scores.astype(np.float64), mask, 1.0)


def fit_masked_logistic(decisions: LoggedChoices, *, penalty: float, seed: int) -> LinearScores:  # noqa: ARG001
    """Return a logistic regression whose softmax runs over the available actions in the likelihood too.

    A common fit over all actions, masked afterwards, reads an action that was seldom available as one that was seldom
    wanted. The fit has no randomness.

    Args:
        decisions: to learn from.
        penalty: per squared coefficient, relative to the log-likelihood of one decision; intercepts get 1.
        seed: unused.
    """
    import torch  # noqa: PLC0415  (takes seconds to import; logged propensities need none)

    standard = Standard.of(decisions.features)
    features = torch.from_numpy(standard.apply(decisions.features))
    closed = torch.from_numpy(~decisions.mask)
    action = torch.from_numpy(decisions.action)
    n_rows = features.shape[1] + 1
    coefficients = torch.zeros(n_rows, decisions.n_actions, requires_grad=True)
    penalties = torch.full((n_rows, 1), penalty / (2 * decisions.n_decisions))
    penalties[0] = _INTERCEPT_PENALTY / (2 * decisions.n_decisions)
    optimizer = torch.optim.LBFGS(
        [coefficients], max_iter=_MAX_ITERATIONS, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = (coefficients[0] + features @ coefficients[1:]).masked_fill(closed, -1e9)
        fit = torch.nn.functional.cross_entropy(scores, action)
        total: torch.Tensor = fit + (penalties * coefficients.square()).sum()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return LinearScores(standard, coefficients.detach().numpy().astype(np.float64))


def fit_multinomial_logistic(decisions: LoggedChoices, *, penalty: float, seed: int) -> LinearScores:
    """Return scikit-learn's multinomial logistic regression, renormalised over the available actions.

    Don't trust it where masks change from row to row: see `fit_masked_logistic`.

    Args:
        decisions: to learn from.
        penalty: as of `fit_masked_logistic`; scikit-learn leaves intercepts free.
        seed: of the solver.
    """
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  (as above)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    standard = Standard.of(decisions.features)
    seen = np.unique(decisions.action)
    coefficients = np.zeros((decisions.features.shape[1] + 1, decisions.n_actions))
    coefficients[0] = _UNSEEN
    if len(seen) == 1:
        coefficients[0, seen] = 0.0
        return LinearScores(standard, coefficients)
    model = LogisticRegression(C=1.0 / penalty, max_iter=_MAX_ITERATIONS, tol=1e-3, random_state=seed)
    # 60 iterations leave the likelihood flat to the third digit; scikit-learn would warn of every fit that stops there.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(standard.apply(decisions.features), decisions.action)
    _fill(coefficients, model, seen)
    return LinearScores(standard, coefficients)


def _fill(coefficients: FloatArray, model: LogisticRegression, seen: IntArray) -> None:
    """Fill in the model's coefficients for the actions it saw; for two actions it holds the second's only."""
    weights, intercepts = model.coef_.T, model.intercept_
    if len(seen) == 2:
        coefficients[0, seen[0]] = 0.0
        coefficients[0, seen[1]], coefficients[1:, seen[1]] = intercepts[0], weights[:, 0]
        return
    coefficients[0, seen] = intercepts
    coefficients[1:, seen] = weights
