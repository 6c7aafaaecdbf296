"""A shop of single decisions whose true rewards are known: a champion that serves, and a candidate that differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import weights_from_ratio

N_CONTEXTS = 12
STRATA = ("new shoppers", "seldom here", "often here")
_OF_CONTEXT = np.repeat(np.arange(3), 4)
_TRAFFIC = np.repeat([0.5, 0.3, 0.2], 4) / 4


@dataclass(frozen=True)
class Shop:
    """Contexts, each in a stratum, in which actions are rewarded at known rates.

    Attributes:
        rate: probability of a reward, `(N_CONTEXTS, n_actions)`.
        worth: of a reward, by context, `(N_CONTEXTS,)`.
        champion: probabilities, `(N_CONTEXTS, n_actions)`.
        candidate: likewise.
    """

    rate: FloatArray
    worth: FloatArray
    champion: FloatArray
    candidate: FloatArray

    @classmethod
    def of(cls, seed: int, *, n_actions: int, floor: float, gain: float) -> Shop:
        """Return a shop whose candidate decides otherwise in most contexts; it gains in some, and loses in others.

        Args:
            seed: of rates and of where the candidate differs.
            n_actions: in every context.
            floor: share of both policies' decisions that is uniform.
            gain: of the candidate over the champion, as a share of the champion's value.
        """
        generator = np.random.default_rng(seed)
        rate = np.clip(0.1 * np.exp(0.35 * generator.standard_normal((N_CONTEXTS, n_actions))), 0.02, 0.6)
        first, second = np.argsort(-rate, axis=1)[:, 2], np.argsort(-rate, axis=1)[:, 0]
        differs = generator.permutation(N_CONTEXTS) < 8
        worth = np.repeat([1.0, 1.5, 4.0], 4)
        chosen = np.where(differs, second, first)
        worse = np.flatnonzero(differs)[generator.permutation(8)[:2]]
        chosen[worse] = np.argsort(-rate[worse], axis=1)[:, 4]
        champion, candidate = (_with_floor(one, n_actions, floor) for one in (first, chosen))
        shop = cls(rate, worth, champion, candidate)
        return shop._scaled_to(gain, chosen, differs)

    def _scaled_to(self, gain: float, chosen: IntArray, differs: FloatArray) -> Shop:
        """Return the shop with the candidate's rates in contexts where it differs scaled so that it gains so much."""
        low, high = 0.2, 3.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self._with(middle, chosen, differs).relative_gain < gain else (low, middle)
        return self._with((low + high) / 2, chosen, differs)

    def _with(self, factor: float, chosen: IntArray, differs: FloatArray) -> Shop:
        rate = self.rate.copy()
        places = np.flatnonzero(differs)
        rate[places, chosen[places]] = np.minimum(rate[places, chosen[places]] * factor, 0.9)
        return Shop(rate, self.worth, self.champion, self.candidate)

    @property
    def uniform(self) -> FloatArray:
        return np.full_like(self.rate, 1 / self.rate.shape[1])

    def value(self, policy: FloatArray) -> float:
        """Return a policy's true reward per decision."""
        return float(_TRAFFIC @ ((policy * self.rate).sum(axis=1) * self.worth))

    @property
    def relative_gain(self) -> float:
        return self.value(self.candidate) / self.value(self.champion) - 1

    def explored(self, shares: FloatArray, arm: FloatArray) -> FloatArray:
        """Return the champion's probabilities, mixed with an arm's by shares of the strata."""
        share = shares[_OF_CONTEXT][:, None]
        return np.asarray((1 - share) * self.champion + share * arm)

    def log(self, policy: FloatArray, n: int, generator: np.random.Generator) -> Log:
        """Return decisions by a policy, one a shopper."""
        context = generator.choice(N_CONTEXTS, size=n, p=_TRAFFIC)
        cumulative = policy.cumsum(axis=1)[context]
        action = (generator.random(n)[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
        reward = (generator.random(n) < self.rate[context, action]) * self.worth[context]
        return Log(context, action, reward.astype(np.float64), policy[context, action])

    def fitted(self, log: Log) -> FloatArray:
        """Return mean rewards by context and action as the log tells them, thin cells drawn to their context's."""
        shape = self.rate.shape
        place = log.context * shape[1] + log.action
        n = np.bincount(place, minlength=self.rate.size).reshape(shape)
        total = np.bincount(place, weights=log.reward, minlength=self.rate.size).reshape(shape)
        of_context = (total.sum(axis=1) / np.maximum(n.sum(axis=1), 1))[:, None]
        return np.asarray((total + 20 * of_context) / (n + 20))

    def samples(self, log: Log, q: FloatArray) -> tuple[EvaluationSample, EvaluationSample, FloatArray]:
        """Return candidate and champion on the log, and the ratios of a uniform choice."""
        found = [_sample(log, policy, q) for policy in (self.candidate, self.champion)]
        return found[0], found[1], self.uniform[log.context, log.action] / log.propensity


@dataclass(frozen=True)
class Log:
    """Decisions, all `(n,)`."""

    context: IntArray
    action: IntArray
    reward: FloatArray
    propensity: FloatArray

    @property
    def stratum(self) -> IntArray:
        return np.asarray(_OF_CONTEXT[self.context])

    def gains(self, shop: Shop, q: FloatArray) -> FloatArray:
        """Return each decision's doubly robust part in the candidate's gain."""
        difference = shop.candidate - shop.champion
        taken = difference[self.context, self.action] / self.propensity
        modelled = (difference * q).sum(axis=1)[self.context]
        return np.asarray(modelled + taken * (self.reward - q[self.context, self.action]))


def _with_floor(action: IntArray, n_actions: int, floor: float) -> FloatArray:
    policy = np.full((len(action), n_actions), floor / n_actions)
    policy[np.arange(len(action)), action] += 1 - floor
    return policy


def _sample(log: Log, policy: FloatArray, q: FloatArray) -> EvaluationSample:
    n = len(log.reward)
    offsets = np.arange(n + 1)
    values = ActionValues((policy * q).sum(axis=1)[log.context], q[log.context, log.action], np.zeros(n))
    return EvaluationSample(
        reward=log.reward,
        discount=np.ones(n),
        next_discount=np.ones(n),
        offsets=offsets,
        unit=np.arange(n),
        unit_ids=np.arange(n),
        is_cut=np.zeros(n, dtype=np.bool_),
        steps=1,
        weights=weights_from_ratio(policy[log.context, log.action] / log.propensity, offsets),
        refusal=None,
        values=values,
    )
