"""A tabular shop with known values, and candidates whose gain over its behavior policy is set beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq

from rl.data.logged_episodes import FloatArray, IntArray
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp

GAMMA, STEPS = 0.95, 40
N_STATES, N_ACTIONS = 8, 8
PURCHASE_POINTS = 10.0


@dataclass(frozen=True)
class GateShop(TabularMdp):
    """Sessions whose rewards are clicks (1 point) and purchases (10), both Poisson, with eager and reluctant shoppers.

    A shopper's eagerness multiplies all rates of all his sessions, so sessions of one shopper are alike while mean
    rewards stay as the tables say.

    Attributes:
        purchase_rate: mean number of purchases, `(n_states, n_actions)`; `mean_reward` holds their points.
    """

    purchase_rate: FloatArray | None = None

    def eagerness(self, n_units: int, rng: np.random.Generator) -> FloatArray:
        """Gamma of shape 2: a tenth of the shoppers hardly ever reacts, a tenth twice as often as most."""
        return rng.gamma(2.0, 0.5, size=n_units)

    def rewards(self, state: IntArray, action: IntArray, eagerness: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Points of clicks and purchases."""
        bought = np.asarray(self.purchase_rate)[state, action]
        clicks = rng.poisson((self.mean_reward[state, action] - PURCHASE_POINTS * bought) * eagerness)
        return np.asarray(clicks + PURCHASE_POINTS * rng.poisson(bought * eagerness), dtype=np.float64)


@cache
def gate_shop() -> GateShop:
    """Three to four steps a session; what is shown changes what follows and whether the shopper stays."""
    rng = np.random.default_rng(11)
    shape = (N_STATES, N_ACTIONS)
    following = rng.dirichlet(np.full(N_STATES, 0.5), size=shape)
    leaves = rng.uniform(0.2, 0.4, size=shape)
    dynamics = np.concatenate([following * (1 - leaves)[..., None], leaves[..., None]], axis=2)
    clicks, purchase_rate = rng.uniform(0.05, 0.5, size=shape), rng.uniform(0.0, 0.04, size=shape)
    mask = rng.random(shape) < 0.9
    return GateShop(
        dynamics,
        clicks + PURCHASE_POINTS * purchase_rate,
        mask | (np.arange(N_ACTIONS) < 2),
        np.full(N_STATES, 1 / N_STATES),
        purchase_rate=purchase_rate,
    )


@cache
def behavior() -> TablePolicy:
    """A shop's rule that prefers what clicks best, with a tenth of its choices at random."""
    shop = gate_shop()
    return _mixed(_softmax(shop.mean_reward, 2.0), _uniform(), 0.1, "behavior")


@cache
def behavior_value() -> float:
    """Exact value of the behavior policy per session."""
    return gate_shop().exact_value(behavior(), gamma=GAMMA, steps=STEPS)


@cache
def candidate(gain: float) -> TablePolicy:
    """A policy whose exact value is (1 + gain) times the behavior policy's.

    Better ones move towards better actions in all states, worse ones towards worse actions. One of equal value moves
    towards better actions in half of the states, towards worse ones in the other half, and so far that the value stays.

    Raises:
        ValueError: no policy of the family has that value.
    """
    better, worse = (_softmax(sign * _advantage(), 8.0) for sign in (1, -1))
    if gain == 0:
        return _equal(better, worse)
    target = better if gain > 0 else worse
    reach = _gain(target)
    if abs(gain) > abs(reach):
        raise ValueError(f"gains reach from {_gain(worse):+.2f} to {_gain(better):+.2f}, asked for {gain:+.2f}")
    share = float(brentq(lambda share: _gain(_mixed(behavior(), target, share, "")) - gain, 0.0, 1.0))
    return _mixed(behavior(), target, share, f"{gain:+.0%}")


def distance_from_behavior(policy: TablePolicy) -> float:
    """Mean total variation distance over states."""
    return float(0.5 * np.abs(policy.table - behavior().table).sum(axis=1).mean())


def _equal(better: TablePolicy, worse: TablePolicy) -> TablePolicy:
    """Half of the states better by a fixed share, the others worse by as much as takes the gain away."""
    is_better = (np.arange(N_STATES) % 2 == 0)[:, None]

    def made(share_worse: float) -> TablePolicy:
        improved = 0.4 * behavior().table + 0.6 * better.table
        spoiled = (1 - share_worse) * behavior().table + share_worse * worse.table
        return TablePolicy(np.where(is_better, improved, spoiled), "equal")

    return made(float(brentq(lambda share: _gain(made(share)), 0.0, 1.0)))


def _gain(policy: TablePolicy) -> float:
    return gate_shop().exact_value(policy, gamma=GAMMA, steps=STEPS) / behavior_value() - 1


def _advantage() -> FloatArray:
    return gate_shop().exact_q(behavior(), gamma=GAMMA, steps=STEPS)


def _uniform() -> TablePolicy:
    mask = gate_shop().mask
    return TablePolicy(mask / mask.sum(axis=1, keepdims=True), "uniform")


def _softmax(scores: FloatArray, sharpness: float) -> TablePolicy:
    weights = np.where(gate_shop().mask, np.exp(sharpness * (scores - scores.max(axis=1, keepdims=True))), 0.0)
    return TablePolicy(weights / weights.sum(axis=1, keepdims=True), "softmax")


def _mixed(first: TablePolicy, second: TablePolicy, share: float, version: str) -> TablePolicy:
    return TablePolicy((1 - share) * first.table + share * second.table, version)
