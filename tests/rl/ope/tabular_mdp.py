"""A small shop with known dynamics: logs can be drawn from it, and values computed exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rl.data.logged_episodes import ROW_FIELDS, BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes


@dataclass(frozen=True)
class TablePolicy:
    """A policy that looks its probabilities up by one-hot state."""

    table: FloatArray
    version: str = "table"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return np.where(mask, features.astype(np.float64) @ self.table, 0.0)


@dataclass(frozen=True)
class TableQ:
    """A Q-function that is looked up by one-hot state."""

    table: FloatArray

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return np.where(mask, features @ self.table, 0.0)


@dataclass(frozen=True)
class TabularMdp:
    """Dynamics `(n_states, n_actions, n_states + 1)`, the last column being the end; mean rewards; masks by state."""

    dynamics: FloatArray
    mean_reward: FloatArray
    mask: BoolArray
    start: FloatArray
    noise: float = 0.5

    @property
    def n_states(self) -> int:
        return len(self.mask)

    def random_policy(self, seed: int, *, sharpness: float = 1.0, version: str = "table") -> TablePolicy:
        """A masked softmax of random scores."""
        scores = sharpness * np.random.default_rng(seed).normal(size=self.mask.shape)
        weights = np.where(self.mask, np.exp(scores), 0.0)
        return TablePolicy(weights / weights.sum(axis=1, keepdims=True), version)

    def exact_q(self, policy: TablePolicy, *, gamma: float, steps: int | None = None) -> FloatArray:
        """Q of the policy by dynamic programming over the given steps (None: to the end), `(n_states, n_actions)`."""
        q = np.zeros(self.mask.shape)
        for _ in range(steps or 5000):
            following = (policy.table * q).sum(axis=1)
            q = self.mean_reward + gamma * self.dynamics[:, :, :-1] @ following
        return q

    def exact_value(self, policy: TablePolicy, *, gamma: float, steps: int | None = None) -> float:
        """Expected discounted reward per episode."""
        return float(self.start @ (policy.table * self.exact_q(policy, gamma=gamma, steps=steps)).sum(axis=1))

    def log(
        self, policy: TablePolicy, *, n_episodes: int, seed: int, max_steps: int = 1000, n_units: int | None = None
    ) -> LoggedEpisodes:
        """Episodes under the policy; those that don't end within `max_steps` are cut."""
        rng = np.random.default_rng(seed)
        eagerness = self.eagerness(n_units or n_episodes, rng)
        state = rng.choice(self.n_states, size=n_episodes, p=self.start)
        running = np.arange(n_episodes)
        columns: list[dict[str, IntArray | FloatArray]] = []
        for step in range(max_steps):
            action = _draw(rng, policy.table[state])
            following = _draw(rng, self.dynamics[state, action])
            reward = self.rewards(state, action, eagerness[running % len(eagerness)], rng)
            columns.append(
                {
                    "episode": running,
                    "step": np.full(len(state), step),
                    "state": state,
                    "action": action,
                    "following": following,
                    "reward": reward,
                    "propensity": policy.table[state, action],
                }
            )
            alive = following < self.n_states
            running, state = running[alive], following[alive]
            if not len(running):
                break
        rows = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
        return self._assemble(rows, n_episodes=n_episodes, n_units=n_units or n_episodes)

    def eagerness(self, n_units: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG002 -- for subclasses
        """What sets each unit's rewards apart from another's, mean 1; here nothing does."""
        return np.ones(n_units)

    def rewards(self, state: IntArray, action: IntArray, eagerness: FloatArray, rng: np.random.Generator) -> FloatArray:
        """A drawn reward for each row, of mean `mean_reward` over units."""
        drawn: FloatArray = self.mean_reward[state, action] * eagerness + self.noise * rng.normal(size=len(state))
        return drawn

    def _assemble(self, rows: dict[str, Any], *, n_episodes: int, n_units: int) -> LoggedEpisodes:
        order = np.lexsort([rows["step"], rows["episode"]])
        rows = {name: values[order] for name, values in rows.items()}
        ended = rows["following"] == self.n_states
        next_state = np.where(ended, 0, rows["following"])
        lengths = np.bincount(rows["episode"], minlength=n_episodes)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        is_last = np.zeros(len(order), dtype=bool)
        is_last[offsets[1:] - 1] = True
        one_hot = np.eye(self.n_states, dtype=np.float32)
        return LoggedEpisodes(
            features=one_hot[rows["state"]],
            next_features=one_hot[next_state],
            action=rows["action"],
            reward=rows["reward"],
            terminal=is_last & ended,
            timeout=is_last & ~ended,
            propensity=rows["propensity"],
            availability=self.mask,
            mask_index=rows["state"],
            next_mask_index=next_state,
            offsets=offsets,
            unit=np.arange(n_episodes) % n_units,
            start_time=np.arange(n_episodes),
            elapsed_microseconds=np.full(len(order), 60_000_000),
            policy_version=np.zeros(len(order), dtype=np.int64),
        )


def small_mdp(*, noise: float = 0.5, n_actions: int = 3, end_probability: float = 0.35) -> TabularMdp:
    """Four states, of which one lacks an action; episodes of varying length."""
    rng = np.random.default_rng(7)
    n_states = 4
    dynamics = rng.dirichlet(np.ones(n_states), size=(n_states, n_actions)) * (1 - end_probability)
    dynamics = np.concatenate([dynamics, np.full((n_states, n_actions, 1), end_probability)], axis=2)
    mask = np.ones((n_states, n_actions), dtype=bool)
    mask[1, 2] = False
    mean_reward = rng.normal(size=(n_states, n_actions)) + np.arange(n_actions)
    return TabularMdp(dynamics, mean_reward, mask, np.array([0.4, 0.3, 0.2, 0.1]), noise)


def episodes_of(rewards: list[list[float]], propensities: list[list[float]], **overrides: Any) -> LoggedEpisodes:
    """Terminal episodes of one state and two actions, all taking action 0, with the given rewards and propensities."""
    lengths = [len(episode) for episode in rewards]
    n = sum(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    terminal = np.zeros(n, dtype=bool)
    terminal[offsets[1:] - 1] = True
    fields: dict[str, Any] = {
        "features": np.ones((n, 1), dtype=np.float32),
        "next_features": np.ones((n, 1), dtype=np.float32),
        "action": np.zeros(n, dtype=np.int64),
        "reward": np.concatenate([np.asarray(episode, dtype=np.float64) for episode in rewards]),
        "terminal": terminal,
        "timeout": np.zeros(n, dtype=bool),
        "propensity": np.concatenate([np.asarray(episode, dtype=np.float64) for episode in propensities]),
        "availability": np.ones((1, 2), dtype=bool),
        "mask_index": np.zeros(n, dtype=np.int64),
        "next_mask_index": np.zeros(n, dtype=np.int64),
        "offsets": offsets,
        "unit": np.arange(len(lengths)),
        "start_time": np.arange(len(lengths)),
        "elapsed_microseconds": np.full(n, 60_000_000),
        "policy_version": np.zeros(n, dtype=np.int64),
    }
    return LoggedEpisodes(**{**fields, **overrides})


def reordered(episodes: LoggedEpisodes, order: IntArray) -> LoggedEpisodes:
    """The same episodes in another order."""
    rows = np.concatenate([np.arange(episodes.offsets[e], episodes.offsets[e + 1]) for e in order])
    changes: dict[str, Any] = {name: getattr(episodes, name)[rows] for name in ROW_FIELDS}
    changes |= {"unit": episodes.unit[order], "start_time": episodes.start_time[order]}
    changes["offsets"] = np.concatenate([[0], np.cumsum(episodes.lengths[order])])
    changes["metrics"] = {name: values[rows] for name, values in episodes.metrics.items()}
    return replace(episodes, **changes)


def _draw(rng: np.random.Generator, probabilities: FloatArray) -> IntArray:
    """One category per row."""
    cumulative = probabilities.cumsum(axis=1)
    cumulative /= cumulative[:, -1:]
    return np.asarray((rng.random((len(probabilities), 1)) > cumulative).sum(axis=1), dtype=np.int64)
