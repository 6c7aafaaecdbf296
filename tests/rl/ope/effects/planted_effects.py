"""Experiments whose effects are known: three actions, two kinds of shoppers that the features tell apart."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.effects.first_decisions import FirstDecisions
from tests.rl.ope.one_step_logs import one_step_log

NONE, FIRST, SECOND = range(3)
EFFECT = np.array([[0.0, 1.0, -0.5], [0.0, -0.5, 0.6]])
"""By kind and action, over nothing."""


def planted_log(
    n: int, *, seed: int = 0, noise: float = 1.0, propensities: tuple[float, ...] = (0.2, 0.3, 0.5)
) -> LoggedEpisodes:
    """Kind 0 is moved by the first action, kind 1 by the second; who buys more anyway is another matter."""
    rng = np.random.default_rng(seed)
    kind, action = rng.integers(0, 2, n), rng.choice(3, size=n, p=propensities)
    reward = 2.0 * kind + EFFECT[kind, action] + noise * rng.normal(size=n)
    return one_step_log(kind, action, reward, np.array(propensities)[action], np.ones((2, 3), dtype=bool))


def decisions_of(log: LoggedEpisodes) -> FirstDecisions:
    return FirstDecisions(
        features=log.features,
        mask=log.mask(),
        action=log.action,
        propensity=log.propensity,
        outcome=log.reward,
        unit=log.unit,
    )
