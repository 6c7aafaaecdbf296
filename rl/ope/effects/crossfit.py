"""Effects and scores for every shopper of a log, each by models that never saw the shopper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import UnsupportedEstimator
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.learners import LEARNERS, action_scores, fit_t_learner


@dataclass(frozen=True)
class CrossFit:
    """What models of the other folds' shoppers say of each shopper.

    Attributes:
        fold: of each decision, `(n,)`.
        best_by_fold: action with the highest mean in the other folds, `(n_folds,)`.
        best_arm: the same for each decision, of the actions that were available at it, `(n,)`.
        scores: doubly robust, of each action, `(n, n_actions)`.
        values: by learner, `(n, n_actions)`; their differences are effects.
        margins_elsewhere: by learner and fold, how much the best other action is predicted to bring over the best arm,
            of the shoppers that it learned from: what thresholds are made of.
    """

    fold: IntArray
    best_by_fold: IntArray
    best_arm: IntArray
    scores: FloatArray
    values: Mapping[str, FloatArray]
    margins_elsewhere: Mapping[str, tuple[FloatArray, ...]]


def deal_shoppers(n: int, n_folds: int, seed: int) -> IntArray:
    """Return the fold of each of `n` shoppers, folds alike in size.

    Raises:
        UnsupportedEstimator: fewer than two shoppers a fold.
    """
    if n < 2 * n_folds:
        raise UnsupportedEstimator(f"{n} shoppers can't be dealt into {n_folds} folds of at least two")
    return (np.random.default_rng(seed).permutation(n) % n_folds).astype(np.int64)


def arm_means(decisions: FirstDecisions) -> FloatArray:
    """Return the self-normalised mean outcome of each action, `(n_actions,)`; NaN of one that nobody got.

    With equal propensities it is the mean of those who got it.
    """
    weight = 1 / decisions.propensity
    total = np.bincount(decisions.action, weights=weight, minlength=decisions.n_actions)
    earned = np.bincount(decisions.action, weights=weight * decisions.outcome, minlength=decisions.n_actions)
    means: FloatArray = np.full(decisions.n_actions, np.nan)
    np.divide(earned, total, out=means, where=total > 0)
    return means


def crossfit(
    decisions: FirstDecisions,
    *,
    baseline: int,
    learners: Sequence[str] = tuple(LEARNERS),
    n_folds: int = 5,
    seed: int = 0,
) -> CrossFit:
    """Return effects, scores and the best arm for each shopper, by models of the other folds.

    Args:
        decisions: one a shopper.
        baseline: action that effects are over.
        learners: names of `LEARNERS`.
        n_folds: shoppers are dealt into so many.
        seed: of the deal and of the models.

    Raises:
        UnsupportedEstimator: too few shoppers, or a fold without anybody who got an action that the others got.
    """
    fold = deal_shoppers(decisions.n, n_folds, seed)
    shape = (decisions.n, decisions.n_actions)
    best_by_fold = np.zeros(n_folds, dtype=np.int64)
    best_arm, scores = np.zeros(decisions.n, dtype=np.int64), np.zeros(shape)
    values = {name: np.zeros(shape) for name in learners}
    margins: dict[str, list[FloatArray]] = {name: [] for name in learners}
    for k in range(n_folds):
        own, others = np.flatnonzero(fold == k), decisions.taken(np.flatnonzero(fold != k))
        held_out = decisions.taken(own)
        means = arm_means(others)
        if np.isnan(means).any():
            raise UnsupportedEstimator(
                f"action {int(np.flatnonzero(np.isnan(means))[0])} was given to nobody in {n_folds - 1} of {n_folds} "
                "folds of shoppers; deal fewer folds, or leave the action out"
            )
        best_by_fold[k] = means.argmax()
        best_arm[own] = np.where(held_out.mask, means, -np.inf).argmax(axis=1)
        best = np.where(others.mask, means, -np.inf).argmax(axis=1)
        scores[own] = action_scores(held_out, fit_t_learner(others, seed=seed).values(held_out.features))
        for name in learners:
            model = LEARNERS[name](others, baseline=baseline, seed=seed)
            values[name][own] = model.values(held_out.features)
            margins[name].append(margin_over(model.values(others.features), others, best))
    return CrossFit(
        fold, best_by_fold, best_arm, scores, values, {name: tuple(found) for name, found in margins.items()}
    )


def margin_over(values: FloatArray, decisions: FirstDecisions, arm: int | IntArray) -> FloatArray:
    """Return how much more the best other available action is worth than the arm, `(n,)`.

    It is minus infinity where no other action is available.
    """
    rows = np.arange(decisions.n)
    arms = np.broadcast_to(np.asarray(arm), (decisions.n,))
    others = np.where(decisions.mask, values, -np.inf)
    others[rows, arms] = -np.inf
    found: FloatArray = others.max(axis=1) - values[rows, arms]
    return found
