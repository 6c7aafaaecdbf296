"""The two rules that are compared, and the candidate that shows how far one can move from the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.worth.crossfit import CrossfitPredictions

TILT = 0.3
"""Log-odds that a rule adds for each standard deviation of predicted reward by which an action is better than usual.

A gentle lean: bolder rules earn more in truth, but the log's word on them thins out faster than their gain grows.
"""

_LARGEST_ADVANTAGE = 3.0  # in standard deviations: one wild prediction may not decide alone
_LEAST_AGREEMENT = 0.5


@dataclass(frozen=True)
class Rule:
    """A stochastic rule on the rows of a log.

    Attributes:
        probabilities: of every action, `(n, n_actions)`.
        logged: of the logged action, `(n,)`.
        predicted: expected predicted return under the rule's choice at this row and today's policy afterwards, `(n,)`.
    """

    probabilities: FloatArray
    logged: FloatArray
    predicted: FloatArray


def one_step_rule(predictions: CrossfitPredictions, episodes: LoggedEpisodes) -> Rule:
    """Return the rule that leans towards the largest predicted reward and looks no further (a contextual bandit)."""
    reward = _advantage(predictions.reward, predictions)
    return _leaning(reward / _spread(reward, predictions), predictions, episodes)


def look_ahead_rule(predictions: CrossfitPredictions, episodes: LoggedEpisodes) -> Rule:
    """Return the rule that leans towards the largest predicted reward plus what should follow under today's policy.

    One step of policy improvement on a fitted Q-function of the behavior policy. What of the future goes along with
    the reward is scaled away: it would make the rule bolder, not wiser. So where the future agrees with the reward, or
    no future effect was learned, this is the one-step rule, and else it differs by what only a look ahead can tell.
    """
    reward = _advantage(predictions.reward, predictions)
    future = _advantage(predictions.future, predictions)
    spread = _spread(reward, predictions)
    along = _mean_by_fold((predictions.usual * reward * future).sum(axis=1), predictions) / np.square(spread[:, 0])
    agreement = np.maximum(1 + along, _LEAST_AGREEMENT)[:, None]
    return _leaning((reward + future) / agreement / spread, predictions, episodes)


def greedy_rule(predictions: CrossfitPredictions, episodes: LoggedEpisodes, *, exploration: float) -> Rule:
    """Return the rule of the largest predicted reward with a share of uniform choices: as far from a log as can be."""
    mask = episodes.mask()
    best = np.where(mask, predictions.reward, -np.inf).argmax(axis=1)
    probabilities = exploration * mask / mask.sum(axis=1, keepdims=True)
    probabilities[np.arange(len(best)), best] += 1 - exploration
    return _rule(probabilities, predictions, episodes)


def _leaning(standard: FloatArray, predictions: CrossfitPredictions, episodes: LoggedEpisodes) -> Rule:
    """Return the usual choice, each action's weight multiplied by exp(TILT times its standardised advantage)."""
    weights = predictions.usual * np.exp(TILT * np.clip(standard, -_LARGEST_ADVANTAGE, _LARGEST_ADVANTAGE))
    return _rule(weights / weights.sum(axis=1, keepdims=True), predictions, episodes)


def _rule(probabilities: FloatArray, predictions: CrossfitPredictions, episodes: LoggedEpisodes) -> Rule:
    logged = probabilities[np.arange(len(probabilities)), episodes.action]
    predicted = (probabilities * (predictions.reward + predictions.future)).sum(axis=1)
    return Rule(probabilities, logged, predicted)


def _advantage(score: FloatArray, predictions: CrossfitPredictions) -> FloatArray:
    return np.asarray(score - (predictions.usual * score).sum(axis=1, keepdims=True), dtype=np.float64)


def _spread(advantage: FloatArray, predictions: CrossfitPredictions) -> FloatArray:
    """Return the spread of the advantages in each row's fold under the usual choice, `(n, 1)`; 1 where all are 0.

    Like everything a rule is made of, it reads observations and availability of held-out rows, and of their actions
    and rewards nothing.
    """
    variance = _mean_by_fold((predictions.usual * np.square(advantage)).sum(axis=1), predictions)
    return np.where(variance > 0, np.sqrt(variance), 1.0)[:, None]


def _mean_by_fold(values: FloatArray, predictions: CrossfitPredictions) -> FloatArray:
    counts = np.bincount(predictions.fold)
    means = np.bincount(predictions.fold, weights=values) / np.maximum(counts, 1)
    return np.asarray(means[predictions.fold], dtype=np.float64)
