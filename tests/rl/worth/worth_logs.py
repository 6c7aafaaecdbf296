"""Small made-up logs: what actions do to reward and to staying is set by hand."""

from __future__ import annotations

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.worth.crossfit import CrossfitPredictions, crossfit
from tests.rl.factories import make_logged_episodes

DISCOUNT = DiscountFunction(0.9)
LOGGER = np.array([0.5, 0.3, 0.2])
REWARDS = np.array([0.2, 0.5, 0.8])
MAX_STEPS = 5


def make_log(
    *, n_shoppers: int = 300, n_visits: int = 4, leaving: tuple[float, float, float] = (0.3, 0.3, 0.3), seed: int = 0
) -> LoggedEpisodes:
    """Episodes of up to five steps: three actions by a known logger, their rewards, and how likely each ends a visit.

    The observation is a feature that says nothing, and the last action one-hot.
    """
    generator = np.random.default_rng(seed)
    lengths, actions = [], []
    for _ in range(n_shoppers * n_visits):
        taken = generator.choice(3, size=MAX_STEPS, p=LOGGER)
        leaves = generator.random(MAX_STEPS) < np.array(leaving)[taken]
        length = int(leaves.argmax()) + 1 if leaves.any() else MAX_STEPS
        lengths.append(length)
        actions.append(taken[:length])
    action = np.concatenate(actions).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    before = np.where(np.isin(np.arange(len(action)), first), -1, np.roll(action, 1))
    noise = generator.normal(size=len(action))
    return make_logged_episodes(
        lengths,
        features=_features(noise, before),
        next_features=_features(np.roll(noise, -1), action),
        action=action,
        reward=(generator.random(len(action)) < REWARDS[action]).astype(np.float64),
        propensity=LOGGER[action],
        unit=np.repeat(np.arange(n_shoppers), n_visits),
    )


def predictions_of(log: LoggedEpisodes) -> CrossfitPredictions:
    """Cross-fitted predictions at the discount of these logs."""
    return crossfit(log, DISCOUNT)


def _features(noise: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.column_stack([noise, *(last == action for action in range(3))]).astype(np.float32)
