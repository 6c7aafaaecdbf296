"""Random logged bandit feedback whose true values are closed-form sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ

ONE_STEP = tuple(name for name, entry in ESTIMATORS.items() if entry.is_one_step)
BY_ACTION = tuple(name for name in ONE_STEP if not ESTIMATORS[name].needs_categories)
LEVELED = tuple(name for name in ONE_STEP if ESTIMATORS[name].at_level is not None)
DISCOUNT = DiscountFunction(0.9)


@dataclass(frozen=True)
class Bandit:
    """Contexts drawn by `start`, mean rewards and masks `(n_contexts, n_actions)`."""

    mean_reward: FloatArray
    mask: BoolArray
    start: FloatArray
    noise: float = 0.5

    @property
    def n_contexts(self) -> int:
        return len(self.start)

    def random_policy(self, seed: int, *, sharpness: float = 1.0, version: str = "table") -> TablePolicy:
        scores = sharpness * np.random.default_rng(seed).normal(size=self.mask.shape)
        weights = np.where(self.mask, np.exp(scores), 0.0)
        return TablePolicy(weights / weights.sum(axis=1, keepdims=True), version)

    def exact_value(self, policy: TablePolicy) -> float:
        """Sum over contexts and actions of start, probability and mean reward."""
        return float(self.start @ (policy.table * self.mean_reward).sum(axis=1))

    def log(self, policy: TablePolicy, *, n: int, seed: int, n_units: int | None = None) -> LoggedEpisodes:
        """Terminal episodes of one step under the policy."""
        rng = np.random.default_rng(seed)
        context = rng.choice(self.n_contexts, size=n, p=self.start)
        action = drawn(rng, policy.table[context])
        reward = self.mean_reward[context, action] + self.noise * rng.normal(size=n)
        return one_step_log(context, action, reward, policy.table[context, action], self.mask, n_units=n_units)

    def wrong_q(self, size: float) -> TableQ:
        """The mean rewards, wrong by a fixed pattern of the given size."""
        return TableQ(self.mean_reward + size * np.random.default_rng(3).normal(size=self.mask.shape))


def bandit(*, n_contexts: int = 5, n_actions: int = 4, noise: float = 0.5) -> Bandit:
    """Five contexts, of which one lacks an action."""
    rng = np.random.default_rng(11)
    mask = np.ones((n_contexts, n_actions), dtype=bool)
    mask[1, 2] = False
    mean_reward = rng.normal(size=mask.shape) + np.arange(n_actions) / 2
    start = rng.random(n_contexts)
    return Bandit(mean_reward, mask, start / start.sum(), noise)


def one_step_log(
    context: IntArray,
    action: IntArray,
    reward: FloatArray,
    propensity: FloatArray,
    mask: BoolArray,
    *,
    n_units: int | None = None,
) -> LoggedEpisodes:
    """Terminal episodes of one step; features are one-hot contexts, whose masks are the rows of `mask`."""
    n = len(action)
    features = np.eye(len(mask), dtype=np.float32)[context]
    return LoggedEpisodes(
        features=features,
        next_features=features,
        action=action.astype(np.int64),
        reward=reward.astype(np.float64),
        terminal=np.ones(n, dtype=bool),
        timeout=np.zeros(n, dtype=bool),
        propensity=propensity,
        availability=mask,
        mask_index=context.astype(np.int64),
        next_mask_index=context.astype(np.int64),
        offsets=np.arange(n + 1, dtype=np.int64),
        unit=np.arange(n, dtype=np.int64) % (n_units or n),
        start_time=np.arange(n, dtype=np.int64),
        elapsed_microseconds=np.full(n, 60_000_000, dtype=np.int64),
        policy_version=np.zeros(n, dtype=np.int64),
    )


def sample_of(
    policy: TablePolicy | None, log: LoggedEpisodes, *, q: TableQ | None = None, values: ActionValues | None = None
) -> EvaluationSample:
    """The sample with the values of a Q-function, or with given ones."""
    if q is not None and policy is not None:
        values = action_values(q, policy, log)
    return evaluation_sample(policy, log, discount=DISCOUNT, values=values)


def value_of(name: str, sample: EvaluationSample) -> float:
    return ESTIMATORS[name].per_unit_sums(sample).value()


def drawn(rng: np.random.Generator, probabilities: FloatArray) -> IntArray:
    """One action per row."""
    cumulative = probabilities.cumsum(axis=1)
    return np.asarray((rng.random((len(probabilities), 1)) * cumulative[:, -1:] > cumulative).sum(axis=1), np.int64)
