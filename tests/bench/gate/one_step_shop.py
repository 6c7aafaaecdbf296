"""A shop of one-step visits whose candidates' gains, losses and tails are set beforehand; logs are drawn in one go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from rl.data.episode_selection import join_episodes, take_episodes
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from tests.rl.ope.one_step_logs import one_step_log
from tests.rl.ope.tabular_mdp import TablePolicy

N_VISITS, N_ACTIONS = 8, 4
PURCHASE_POINTS = 10.0
_USUALLY, _WORSE = 0.2, -0.1
_TRIED = 0.4
"""Share of the logged decisions that are a uniform choice."""


@dataclass(frozen=True)
class RareLoss:
    """A loss of so many points that a test log of `n` shoppers is expected to hold `expected` times.

    The shop's other rewards are scaled so that the candidate whose usual gain is 20% is 10% worse for these losses.
    """

    points: float
    expected: float


@dataclass(frozen=True)
class OneStepShop:
    """Visits of eight kinds, four things to show; clicks are worth 1 point, purchases 10.

    Attributes:
        n: shoppers of the test split, one visit each.
        tail_index: of Pareto rewards beside clicks and purchases, of mean 0; None for none.
        tail_signs: -1 for losses alone, 1 for gains alone, 0 for both.
        loss: what every action but the first of its kind of visit may seldom cost; None for nothing.
        drifts: in the training and validation splits every action but the first earns half as much again.
        whale: share of all visits that one shopper makes, who buys at each.
        uneven: spread of the logarithm of how often shoppers come, a third as many shoppers as visits; 0: once each.
        copied: share of the shoppers who stand in the log twice, under another id.
        mistaken: share of the rows whose stated propensity is off by a factor of two either way.
        hidden: by how much the odds of anything but the first action are raised for the half of the shoppers who, for a
            reason that the log doesn't hold, earn twice as much as the others; 1 for none. The propensities are then
            those that the best model of the log would estimate: over both halves.
        rate: what all rates are multiplied by: rewards are rare where it is small.
        seed: of the rates.
    """

    n: int = 2000
    tail_index: float | None = None
    tail_signs: int = 0
    loss: RareLoss | None = None
    drifts: bool = False
    whale: float = 0.0
    uneven: float = 0.0
    copied: float = 0.0
    mistaken: float = 0.0
    hidden: float = 1.0
    rate: float = 1.0
    seed: int = 5

    @cached_property
    def behavior(self) -> TablePolicy:
        """The first action mostly, with a share of uniform choices."""
        first = np.eye(N_ACTIONS)[np.zeros(N_VISITS, dtype=int)]
        return TablePolicy((1 - _TRIED) * first + _TRIED / N_ACTIONS, "behavior")

    @cached_property
    def usual(self) -> tuple[FloatArray, FloatArray]:
        """Rates of clicks and of purchases, `(N_VISITS, N_ACTIONS)` each; the first action has the middle ones."""
        rng = np.random.default_rng(self.seed)
        appeal = np.sort(rng.uniform(0.4, 1.8, size=(N_VISITS, N_ACTIONS)), axis=1)[:, [1, 3, 2, 0]]
        return 0.5 * self.rate * appeal, 0.08 * self.rate * appeal

    @cached_property
    def loss_rate(self) -> FloatArray:
        """Chance of the rare loss, `(N_VISITS, N_ACTIONS)`; the first action of a visit never costs it."""
        rate = np.zeros((N_VISITS, N_ACTIONS))
        if self.loss is not None:
            shown = (self.behavior.table[:, 1:].sum(axis=1)).mean()
            rate[:, 1:] = self.loss.expected / (self.n * shown)
        return rate

    @cached_property
    def mean_reward(self) -> FloatArray:
        """True means of the test split, `(N_VISITS, N_ACTIONS)`."""
        cost = 0.0 if self.loss is None else self.loss.points
        return self.scale * self._usual_reward - cost * self.loss_rate

    @property
    def _usual_reward(self) -> FloatArray:
        clicks, purchases = self.usual
        return np.asarray(clicks + PURCHASE_POINTS * purchases)

    @cached_property
    def scale(self) -> float:
        """What clicks and purchases are multiplied by; see `RareLoss`."""
        if self.loss is None:
            return 1.0
        logged, moved = (float(one.table[:, 1:].sum(axis=1).mean()) for one in (self.behavior, self.usually_better))
        cost = self.loss.points * float(self.loss_rate[0, 1])
        usual = float((self.behavior.table * self._usual_reward).sum(axis=1).mean())
        return (moved - (1 + _WORSE) * logged) * cost / (_USUALLY - _WORSE) / usual

    @cached_property
    def usually_better(self) -> TablePolicy:
        """The candidate that earns 20% more, rare losses aside."""
        usual, target = self._usual_reward, self._moved(1)

        def gain(share: float) -> float:
            found, logged = (
                float((one.table * usual).sum(axis=1).mean()) for one in (self._mixed(target, share), self.behavior)
            )
            return found / logged - 1 - _USUALLY

        return self._mixed(target, float(brentq(gain, 0.0, 1.0)))

    def value(self, policy: TablePolicy) -> float:
        """True value of the test split's visits, the whale's aside."""
        return float((policy.table * self.mean_reward).sum(axis=1).mean())

    def gain(self, policy: TablePolicy) -> float:
        """True gain over the policy that made the log, as a share of its value."""
        return self.value(policy) / self.logged_value - 1

    @cached_property
    def logged_value(self) -> float:
        """What the log earns a visit: more than its average choices would, where a hidden reason leads them."""
        if self.hidden == 1:
            return self.value(self.behavior)
        eager, other = (float((self._led_by(odds) * self.mean_reward).sum(axis=1).mean()) for odds in (self.hidden, 1))
        return 0.5 * (4 / 3 * eager + 2 / 3 * other)

    def log(self, n: int, seed: int, *, is_test: bool) -> LoggedEpisodes:
        """Visits of so many shoppers, one each but for a whale's."""
        rng = np.random.default_rng(seed)
        visit = rng.integers(0, N_VISITS, n)
        is_eager = rng.random(n) < 0.5
        chosen_by = np.where(is_eager[:, None], *(self._led_by(odds)[visit] for odds in (self.hidden, 1.0)))
        action = (rng.random(n)[:, None] > chosen_by.cumsum(axis=1)).sum(axis=1)
        eagerness = 1.0 if self.hidden == 1 else np.where(is_eager, 4 / 3, 2 / 3)
        boost = 1.5 if self.drifts and not is_test else 1.0
        reward = self._rewards(visit, action, rng, boost=np.where(action > 0, boost, 1.0) * eagerness)
        propensity = 0.5 * (self._led_by(self.hidden) + self._led_by(1.0))[visit, action]
        unit = np.arange(n)
        if self.whale:
            own = rng.random(n) < self.whale
            unit[own] = 0
            reward[own] += PURCHASE_POINTS * rng.poisson(1.0, int(own.sum()))
        if self.uneven:
            often = rng.lognormal(0.0, self.uneven, n // 3)
            unit = rng.choice(n // 3, size=n, p=often / often.sum())
        if self.mistaken:
            off = np.where(rng.random(n) < 0.5, 0.5, 2.0)
            propensity = np.where(rng.random(n) < self.mistaken, np.clip(propensity * off, 0.01, 0.99), propensity)
        found = one_step_log(visit, action, reward, propensity, np.ones((N_VISITS, N_ACTIONS), dtype=bool))
        found = replace(found, unit=unit + seed % 1000 * 1_000_000, start_time=np.arange(n))
        return _with_copies(found, rng.random(n) < self.copied) if self.copied else found

    def _led_by(self, odds: float) -> FloatArray:
        """Return the behavior policy with the odds of anything but the first action raised, `(N_VISITS, N_ACTIONS)`."""
        table = self.behavior.table * np.where(np.arange(N_ACTIONS) > 0, odds, 1.0)
        return np.asarray(table / table.sum(axis=1, keepdims=True))

    def _rewards(self, visit: IntArray, action: IntArray, rng: np.random.Generator, *, boost: FloatArray) -> FloatArray:
        clicks, purchases = (rate[visit, action] * boost for rate in self.usual)
        reward = self.scale * (rng.poisson(clicks) + PURCHASE_POINTS * rng.poisson(purchases))
        if self.loss is not None:
            reward = reward - self.loss.points * (rng.random(len(visit)) < self.loss_rate[visit, action])
        if self.tail_index is not None:
            reward = reward + self._tails(rng, len(visit))
        return np.asarray(reward, dtype=np.float64)

    def _tails(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Generalized Pareto amounts of scale 1 less their mean, of the sign asked for."""
        index = float(self.tail_index or 0.0)
        amounts = (rng.random(n) ** -index - 1) / index - 1 / (1 - index)
        signs = rng.choice([-1.0, 1.0], size=n) if self.tail_signs == 0 else float(self.tail_signs)
        return np.asarray(signs * amounts, dtype=np.float64)

    def candidate(self, gain: float) -> TablePolicy:
        """The policy of that true gain, nearest to the log among mixtures of it with one that moves all visits.

        Where a hidden reason leads the log, a worse one is the one that the hidden reason speaks for.
        """
        if self.loss is not None:
            return self.usually_better
        if gain == 0:
            return self._equal()
        if self.hidden > 1 and gain < 0:
            return self._favoured(gain)
        target = self._moved(1 if gain > 0 else 3)
        share = float(brentq(lambda one: self.gain(self._mixed(target, one)) - gain, 0.0, 1.0))
        return self._mixed(target, share)

    def _equal(self) -> TablePolicy:
        """As much better on half of the visits as worse on the others."""
        better, worse = self._moved(1).table, self._moved(3).table
        half = (np.arange(N_VISITS) % 2 == 0)[:, None]

        def made(share: float) -> TablePolicy:
            spoiled = (1 - share) * self.behavior.table + share * worse
            return TablePolicy(np.where(half, 0.6 * self.behavior.table + 0.4 * better, spoiled), "equal")

        return made(float(brentq(lambda share: self.gain(made(share)), 0.0, 1.0)))

    def _favoured(self, gain: float) -> TablePolicy:
        """The policy of that true gain that leaves the first action: it is what the hidden reason makes look better."""
        good, bad = self._moved(2), self._moved(3)

        def made(share: float) -> TablePolicy:
            return TablePolicy((1 - share) * bad.table + share * good.table, "favoured")

        return made(float(brentq(lambda share: self.gain(made(share)) - gain, 0.0, 1.0)))

    def _moved(self, action: int) -> TablePolicy:
        return TablePolicy(0.1 / N_ACTIONS + 0.9 * np.eye(N_ACTIONS)[np.full(N_VISITS, action)], "moved")

    def _mixed(self, target: TablePolicy, share: float) -> TablePolicy:
        return TablePolicy((1 - share) * self.behavior.table + share * target.table, "candidate")


def _with_copies(episodes: LoggedEpisodes, copied: BoolArray) -> LoggedEpisodes:
    again = take_episodes(episodes, copied)
    return join_episodes([episodes, replace(again, unit=again.unit + 500_000)])
