"""Logs of a tabular shop whose policy values are exact, with rewards of several tails and shoppers of many sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from tests.bench.gate.shop import GAMMA, PURCHASE_POINTS, STEPS, behavior, candidate, gate_shop
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp

GAIN = 0.15
SHOPPERS_PER_SESSION = 0.5
_EAGERNESS = np.array([0.4, 1.6])
_LOG_SPREAD = 1.5
_PARETO_SHAPE = 1.5

Draw = Callable[[np.random.Generator, FloatArray], FloatArray]
"""Amounts drawn, one for each given chance that there is any."""


@dataclass(frozen=True)
class RewardKind:
    """How a shop's rewards are distributed around their table of means.

    Attributes:
        name: of the rows.
        tail: bounded, light, or heavy.
        chance: that a decision earns anything, `(n_states, n_actions)`.
        mean_amount: of what it then earns.
        draw: the amounts.
    """

    name: str
    tail: str
    chance: FloatArray
    mean_amount: float
    draw: Draw

    @property
    def mean_reward(self) -> FloatArray:
        return self.chance * self.mean_amount


def _earned(rng: np.random.Generator, chance: FloatArray) -> FloatArray:
    return np.asarray(rng.random(len(chance)) < chance, dtype=np.float64)


def _baskets(rng: np.random.Generator, chance: FloatArray) -> FloatArray:
    return _earned(rng, chance) * rng.exponential(size=len(chance))


def _large_orders(rng: np.random.Generator, chance: FloatArray) -> FloatArray:
    """Lognormal amounts of mean 1: half of the turnover comes from the largest fourteenth of the orders."""
    spread = _LOG_SPREAD
    return _earned(rng, chance) * rng.lognormal(-(spread**2) / 2, spread, size=len(chance))


def _boundless_orders(rng: np.random.Generator, chance: FloatArray) -> FloatArray:
    """Pareto amounts of mean 1 whose variance is infinite."""
    scale = (_PARETO_SHAPE - 1) / _PARETO_SHAPE
    return _earned(rng, chance) * scale * (1 + rng.pareto(_PARETO_SHAPE, size=len(chance)))


@cache
def reward_kinds() -> Mapping[str, RewardKind]:
    """Clicks and baskets are frequent, purchases and orders rare (up to four in a hundred decisions)."""
    purchase = np.asarray(gate_shop().purchase_rate)
    click = gate_shop().mean_reward - PURCHASE_POINTS * purchase
    kinds = (
        RewardKind("clicks", "bounded", click, 1.0, _earned),
        RewardKind("baskets", "light", click, 1.0, _baskets),
        RewardKind("purchases", "bounded", purchase, 1.0, _earned),
        RewardKind("uneven baskets", "heavy", click, 1.0, _large_orders),
        RewardKind("large orders", "heavy", purchase, 1.0, _large_orders),
        RewardKind("boundless baskets", "heavy", click, 1.0, _boundless_orders),
    )
    return {kind.name: kind for kind in kinds}


@cache
def policy() -> TablePolicy:
    """The policy evaluated: in points of the gate's shop 15% better than the behavior policy."""
    return candidate(GAIN)


def shop_of(kind: str) -> TabularMdp:
    """The shop whose mean rewards are those of the kind."""
    return replace(gate_shop(), mean_reward=reward_kinds()[kind].mean_reward)


@cache
def true_value(kind: str, *, of_behavior: bool = False) -> float:
    """Exact discounted value per session."""
    return shop_of(kind).exact_value(behavior() if of_behavior else policy(), gamma=GAMMA, steps=STEPS)


@cache
def true_decision_value(kind: str, *, of_behavior: bool = False) -> float:
    """Exact expected reward of one decision, at the observations that the behavior policy brings about."""
    table = behavior().table if of_behavior else policy().table
    return float(_visits() @ (table * reward_kinds()[kind].mean_reward).sum(axis=1))


def session_log(n_sessions: int, seed: int) -> LoggedEpisodes:
    """Sessions under the behavior policy; the rewards of each kind are the metrics of that name.

    Some shoppers come once, others ten times, and a shopper's eagerness multiplies all his chances. It doesn't hang on
    how often he comes, so the value per session is the tables'.
    """
    log = gate_shop().log(behavior(), n_episodes=n_sessions, seed=seed, max_steps=STEPS)
    rng = np.random.default_rng([seed, 1])
    n_shoppers = max(2, int(SHOPPERS_PER_SESSION * n_sessions))
    visits = rng.exponential(size=n_shoppers)
    unit = rng.choice(n_shoppers, size=n_sessions, p=visits / visits.sum())
    eagerness = rng.choice(_EAGERNESS, size=n_shoppers)[unit][log.episode]
    state = _states(log)
    rewards = {
        kind.name: kind.draw(rng, kind.chance[state, log.action] * eagerness) for kind in reward_kinds().values()
    }
    return replace(log, unit=unit.astype(np.int64), metrics=rewards)


def _states(log: LoggedEpisodes) -> IntArray:
    return np.asarray(log.features.argmax(axis=1), dtype=np.int64)


def _visits() -> FloatArray:
    """Share of the behavior policy's decisions made in each state, `(n_states,)`."""
    shop = gate_shop()
    step = np.einsum("sa,sat->st", behavior().table, shop.dynamics[:, :, :-1])
    at, total = shop.start, np.zeros(shop.n_states)
    for _ in range(STEPS):
        total = total + at
        at = at @ step
    return np.asarray(total / total.sum(), dtype=np.float64)
