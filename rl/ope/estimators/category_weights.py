"""Weights of actions' categories, from a behavior policy that can be queried, or estimated from the log."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.marginalized_actions import CategorySample
from rl.ope.propensities.behavior_policy import BehaviorSettings, estimate_behavior
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from rl.ope.samples.weights import refusal_to_weight, weights_from_ratio

_REPLACED = ("weights", "refusal")  # of the sample that weights actions


def category_sample(
    policy: Policy,
    episodes: LoggedEpisodes,
    category: IntArray,
    *,
    discount: DiscountFunction,
    behavior: Policy | None = None,
    clip: float | None = None,
    reward: FloatArray | None = None,
) -> CategorySample:
    """Return the sample of one-step episodes with the weights of their actions' categories.

    The ratio's numerator is a sum of the evaluation policy's probabilities. Its denominator is the same of the
    behavior policy where that can be queried. Else it is estimated: E[w|x, c] = pi(c|x) / mu(c|x), so what must be
    learned of the log is mu(c|x) alone, a regression of the category on the observation, cross-fitted over units.
    There an estimate under the logged propensity is raised to it, since a category is at least as likely as its action.

    Args:
        policy: evaluation policy.
        episodes: of one step each.
        category: of each action, from 0, `(n_actions,)`.
        discount: what a later reward counts for, as the spec states it.
        behavior: the behavior policy, where it can be queried.
        clip: upper limit on weights.
        reward: another outcome to value instead of the reward, `(n,)`.

    Raises:
        EvaluationError: categories that don't fit the actions, or logged categories that `behavior` never takes.
        UnsupportedEstimator: mu(c|x) is neither known nor can be estimated.
    """
    categories = _checked_categories(category, episodes.n_actions)
    base = evaluation_sample(None, episodes, discount=discount, reward=reward)
    if (base.lengths > 1).any():
        raise UnsupportedEstimator("categories are weighted in one-step episodes only: make them with as_decisions()")
    taken = _logged_category_probabilities(policy, episodes, categories)
    if behavior is None:
        below = _estimated_propensities(episodes, categories)
    else:
        below = _logged_category_probabilities(behavior, episodes, categories)
    if (never := np.flatnonzero(below <= 0)).size:
        raise EvaluationError(f"rows {never[:5].tolist()} have a category that policy {_name(behavior)} never takes")
    refusal = refusal_to_weight(below)
    return CategorySample(
        **{field.name: getattr(base, field.name) for field in fields(EvaluationSample) if field.name not in _REPLACED},
        weights=None if refusal else weights_from_ratio(taken / below, base.offsets, clip=clip),
        refusal=refusal,
        n_categories=int(categories.max()) + 1,
        category_source="estimated" if behavior is None else "queried",
    )


def _logged_category_probabilities(policy: Policy, episodes: LoggedEpisodes, category: IntArray) -> FloatArray:
    """Return the probability that the policy takes any action of the logged action's category, `(n,)`."""
    taken = np.empty(episodes.n_transitions)
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities = checked_probabilities(policy, episodes.features[rows], episodes.mask(rows))
        is_same = category[None, :] == category[episodes.action[rows]][:, None]
        taken[rows] = np.where(is_same, probabilities, 0.0).sum(axis=1)
    return taken


def _estimated_propensities(episodes: LoggedEpisodes, category: IntArray) -> FloatArray:
    """Return the cross-fitted probability of the logged category, at least the action's known propensity, `(n,)`."""
    by_category = by_categories(episodes, category)
    n_units, n_folds = len(np.unique(episodes.unit)), BehaviorSettings().n_folds
    if n_units < n_folds:
        raise UnsupportedEstimator(
            f"the behavior policy can't be queried for its categories, and {n_units} units are too few to estimate "
            f"them ({n_folds} needed)"
        )
    estimated = estimate_behavior(by_category).episodes.propensity
    return np.fmax(estimated, episodes.propensity)  # fmax passes over unknown propensities


def by_categories(episodes: LoggedEpisodes, category: IntArray) -> LoggedEpisodes:
    """Return the log with categories for actions, propensities unknown.

    A category is available where any of its actions is.
    """
    n_categories = int(category.max()) + 1
    available = np.zeros((len(episodes.availability), n_categories), dtype=bool)
    for action, of_action in enumerate(category.tolist()):
        available[:, of_action] |= episodes.availability[:, action]
    unknown = np.full(episodes.n_transitions, np.nan)
    return replace(episodes, action=category[episodes.action], availability=available, propensity=unknown, lumped=None)


def _checked_categories(category: IntArray, n_actions: int) -> IntArray:
    if category.shape != (n_actions,):
        raise EvaluationError(f"categories have shape {category.shape}, expected one for each of {n_actions} actions")
    if (bad := np.flatnonzero(category < 0)).size:
        raise EvaluationError(f"actions {bad[:5].tolist()} have no category: categories count from 0")
    return category


def _name(behavior: Policy | None) -> str:
    return "as estimated" if behavior is None else behavior.version
