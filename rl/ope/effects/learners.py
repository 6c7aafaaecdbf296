"""Learners of what each action does to whom: by a model for each action, or by doubly robust effects.

Both give values of actions whose differences are effects. A policy that takes the best of them is what a team would do
without reinforcement learning; `EffectPolicy` makes it one that any evaluation takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.regression import Regression, fit_regression


class EffectModel(Protocol):
    """What was learned of the actions."""

    def values(self, features: FeatureArray) -> FloatArray:
        """Return a value for each action, whose differences are effects in the outcome's unit, `(n, n_actions)`."""
        ...


@dataclass(frozen=True)
class OutcomeModels:
    """A model of the outcome for each action."""

    by_action: tuple[Regression, ...]

    def values(self, features: FeatureArray) -> FloatArray:
        """Return the predicted outcome of each action, `(n, n_actions)`."""
        return np.column_stack([one.predict(features) for one in self.by_action])


@dataclass(frozen=True)
class EffectRegressions:
    """Models of what each action brings over one of them, several of each, whose mean counts."""

    baseline: int
    by_part: tuple[tuple[Regression, ...], ...]

    def values(self, features: FeatureArray) -> FloatArray:
        """Return the effect of each action over the baseline's, which is 0, `(n, n_actions)`."""
        parts = [np.column_stack([one.predict(features) for one in part]) for part in self.by_part]
        found: FloatArray = np.mean(parts, axis=0)
        return found


def fit_t_learner(decisions: FirstDecisions, *, baseline: int = 0, seed: int = 0) -> OutcomeModels:
    """Return a model of the outcome for each action, fitted on those who got it.

    Where actions went to few, or to others than they would be taken for, differences of two models are noise: the
    models shrink outcomes and not effects.

    Source: Künzel, Sekhon, Bickel and Yu (2019), Metalearners for estimating heterogeneous treatment effects, the
    T-learner.

    Args:
        decisions: to learn from.
        baseline: has no part in it; all learners take it.
        seed: of the regressions.
    """
    del baseline
    fitted = []
    for action in range(decisions.n_actions):
        rows = decisions.action == action
        fitted.append(fit_regression(decisions.features[rows], decisions.outcome[rows], seed=seed))
    return OutcomeModels(tuple(fitted))


def fit_dr_learner(decisions: FirstDecisions, *, baseline: int = 0, seed: int = 0) -> EffectRegressions:
    """Return regressions of doubly robust effects over the baseline's action, cross-fitted in two halves of shoppers.

    A half's outcome models make the pseudo-outcomes of the other, on which its effects are regressed; the two fits'
    mean counts. Effects are shrunk themselves, so that where there is nothing to learn all actions differ by constants.

    Source: Kennedy (2023), Towards optimal doubly robust estimation of heterogeneous causal effects, algorithm 1, for
    each action against the baseline.

    Args:
        decisions: to learn from.
        baseline: index of the action that effects are over.
        seed: of the halves and the regressions.

    Raises:
        EvaluationError: the baseline is no action, or there are fewer than two shoppers.
    """
    if not 0 <= baseline < decisions.n_actions:
        raise EvaluationError(f"effects over action {baseline}, but there are {decisions.n_actions}")
    if decisions.n < 2:
        raise EvaluationError("effects need at least two shoppers, one for each half")
    half = shopper_halves(decisions, seed)
    parts = []
    for own in (0, 1):
        nuisance = fit_t_learner(decisions.taken(np.flatnonzero(half != own)), seed=seed)
        parts.append(_effects(decisions.taken(np.flatnonzero(half == own)), nuisance, baseline, seed))
    return EffectRegressions(baseline, tuple(parts))


def shopper_halves(decisions: FirstDecisions, seed: int) -> IntArray:
    """Return the half of each decision, `(n,)`: all of a shopper's stand in one."""
    _, first, place = np.unique(decisions.unit, return_index=True, return_inverse=True)
    half = np.random.default_rng(seed).permutation(len(first)) % 2
    # Shoppers are numbered as they first come, so that the order of ids decides nothing.
    return np.asarray(half[np.argsort(np.argsort(first))[place]], dtype=np.int64)


def _effects(decisions: FirstDecisions, nuisance: EffectModel, baseline: int, seed: int) -> tuple[Regression, ...]:
    scores = action_scores(decisions, nuisance.values(decisions.features))
    fitted = []
    for action in range(decisions.n_actions):
        rows = decisions.mask[:, action] & decisions.mask[:, baseline]
        effect = scores[rows, action] - scores[rows, baseline]
        fitted.append(fit_regression(decisions.features[rows], effect, seed=seed))
    return tuple(fitted)


def action_scores(decisions: FirstDecisions, predicted: FloatArray) -> FloatArray:
    """Return a doubly robust score of each decision for each action, `(n, n_actions)`.

    Its mean is the value of giving all shoppers the action, where predictions were made without the shopper's own row;
    the value of a policy is the mean of its probabilities times the scores. Scores of actions that weren't available
    are predictions alone.

    Source: Robins, Rotnitzky and Zhao (1994); for several actions Dudík, Langford and Li (2011).

    Args:
        decisions: with their propensities.
        predicted: outcome of each action, by a model of other shoppers, `(n, n_actions)`.
    """
    scores = predicted.copy()
    rows = np.arange(decisions.n)
    missed = decisions.outcome - predicted[rows, decisions.action]
    scores[rows, decisions.action] += missed / decisions.propensity
    return scores


@dataclass(frozen=True)
class EffectPolicy:
    """Takes the available action of the highest value: a baseline for any evaluation of policies.

    Attributes:
        model: what was learned of the actions.
        version: name under which it is reported.
    """

    model: EffectModel
    version: str

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return 1 for the action taken and 0 for all others, `(n, n_actions)`; of equal actions the first is taken."""
        return best_available(self.model.values(features), mask)


def best_available(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Return 1 for the available action of the highest value and 0 for all others, `(n, n_actions)`."""
    chosen = np.where(mask, values, -np.inf).argmax(axis=1)
    found: FloatArray = np.eye(mask.shape[1])[chosen]
    return found


LEARNERS: Mapping[str, Callable[..., EffectModel]] = {"t_learner": fit_t_learner, "dr_learner": fit_dr_learner}
"""Learners by name; each takes decisions, `baseline` and `seed`."""
