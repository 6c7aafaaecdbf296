"""Inputs of the golden values, made from seeds alone by NumPy's raw uniform numbers, which no version of it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OneStepShape:
    """What a random log of one-step episodes looks like; `reward` is rare, bounded or heavy-tailed."""

    name: str
    n: int
    n_actions: int
    n_categories: int
    n_loggers: int
    reward: str
    sharpness: float
    seed: int


@dataclass(frozen=True)
class SequentialShape:
    """What a random log of episodes of one length looks like."""

    name: str
    n_episodes: int
    horizon: int
    n_actions: int
    gamma: float
    sharpness: float
    seed: int


ONE_STEP_SHAPES = (
    OneStepShape("small", 40, 3, 2, 2, "bounded", 1.0, 1),
    OneStepShape("rare clicks", 800, 6, 3, 3, "rare", 1.0, 2),
    OneStepShape("heavy tail", 300, 5, 2, 2, "heavy", 2.0, 3),
    OneStepShape("many actions", 250, 40, 8, 4, "bounded", 3.0, 4),
    OneStepShape("far policies", 500, 10, 5, 3, "bounded", 6.0, 5),
)

SEQUENTIAL_SHAPES = (
    SequentialShape("one step", 60, 1, 4, 1.0, 1.0, 11),
    SequentialShape("short", 80, 3, 3, 0.95, 1.0, 12),
    SequentialShape("undiscounted", 120, 5, 6, 1.0, 0.7, 13),
    SequentialShape("long", 50, 12, 4, 0.9, 0.4, 14),
    SequentialShape("many actions", 40, 4, 50, 0.8, 0.5, 15),
)


@dataclass(frozen=True)
class OneStepInput:
    """Arrays of a one-step log; probabilities and `q` are `(n, n_actions)`, `loggers` `(n_loggers, n, n_actions)`."""

    action: Ints
    reward: Floats
    logger: Ints
    loggers: Floats
    evaluation: Floats
    q: Floats
    category: Ints

    @property
    def n(self) -> int:
        return len(self.action)

    @property
    def behavior(self) -> Floats:
        """Probabilities under each row's own logger, `(n, n_actions)`."""
        return self.loggers[self.logger, np.arange(self.n)]

    @property
    def propensity(self) -> Floats:
        return self.behavior[np.arange(self.n), self.action]


@dataclass(frozen=True)
class SequentialInput:
    """Arrays of episodes of one length, flat by episode; `state_ratio` and `state_action_ratio` are density ratios."""

    horizon: int
    action: Ints
    reward: Floats
    behavior: Floats
    evaluation: Floats
    q: Floats
    state_ratio: Floats
    state_action_ratio: Floats

    @property
    def n(self) -> int:
        return len(self.action)

    @property
    def propensity(self) -> Floats:
        return self.behavior[np.arange(self.n), self.action]

    @property
    def value(self) -> Floats:
        """Sum over actions of evaluation probability times q, `(n,)`."""
        return (self.evaluation * self.q).sum(axis=1)


def one_step_input(shape: OneStepShape) -> OneStepInput:
    """A log of that shape; the first rows go round all loggers, so that each has some."""
    rng = np.random.default_rng(shape.seed)
    loggers = np.stack([_probabilities(rng, shape.n, shape.n_actions, shape.sharpness) for _ in range(shape.n_loggers)])
    logger = np.arange(shape.n) % shape.n_loggers
    late = np.arange(shape.n) > shape.n // 2
    logger = np.where(late, (rng.random(shape.n) ** 2 * shape.n_loggers).astype(np.int64), logger)
    action = _drawn(rng, loggers[logger, np.arange(shape.n)])
    return OneStepInput(
        action=action,
        reward=_reward(rng, shape.n, shape.reward),
        logger=logger,
        loggers=loggers,
        evaluation=_probabilities(rng, shape.n, shape.n_actions, shape.sharpness),
        q=rng.random((shape.n, shape.n_actions)),
        category=np.arange(shape.n_actions) % shape.n_categories,
    )


def sequential_input(shape: SequentialShape) -> SequentialInput:
    """A log of that shape."""
    rng = np.random.default_rng(shape.seed)
    n = shape.n_episodes * shape.horizon
    behavior = _probabilities(rng, n, shape.n_actions, shape.sharpness)
    return SequentialInput(
        horizon=shape.horizon,
        action=_drawn(rng, behavior),
        reward=4 * rng.random(n) - 1,
        behavior=behavior,
        evaluation=_probabilities(rng, n, shape.n_actions, shape.sharpness),
        q=5 * rng.random((n, shape.n_actions)) - 1,
        state_ratio=0.2 + 2 * rng.random(n),
        state_action_ratio=0.1 + 3 * rng.random(n),
    )


def fingerprint(given: OneStepInput | SequentialInput) -> float:
    """A number that a change of any row's reward, action, probabilities or q changes."""
    row = np.arange(1, given.n + 1)
    return float(
        (row * (given.reward + given.action + given.propensity + given.evaluation[:, 0] + given.q[:, 0])).sum()
    )


def draw(n: int, seed: int) -> Ints:
    """Rows drawn with replacement, `(n,)`."""
    return (np.random.default_rng(seed).random(n) * n).astype(np.int64)


def _probabilities(rng: np.random.Generator, n: int, n_actions: int, sharpness: float) -> Floats:
    weights = (0.02 + rng.random((n, n_actions))) ** sharpness
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _drawn(rng: np.random.Generator, probabilities: Floats) -> Ints:
    below = probabilities.cumsum(axis=1)[:, :-1] < rng.random((len(probabilities), 1))
    return np.asarray(below.sum(axis=1), dtype=np.int64)


def _reward(rng: np.random.Generator, n: int, kind: str) -> Floats:
    uniform = rng.random(n)
    if kind == "rare":
        return (uniform < 0.04).astype(np.float64)
    if kind == "heavy":
        return np.where(uniform < 0.3, (0.001 + uniform / 0.3) ** -0.7, 0.0)
    return 2 * uniform - 0.3
