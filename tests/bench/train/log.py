"""The log that learning is timed on: as arrays, as logged episodes, and as d3rlpy's MDPDataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
from d3rlpy.dataset import MDPDataset

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes

N_FEATURES, N_ACTIONS = 64, 50
N_EVENTS = 1_000_000
MEAN_LENGTH = 5
TERMINAL_SHARE = 0.2


@dataclass(frozen=True)
class Log:
    """Events in order, episodes one after the other.

    Attributes:
        features: `(n, N_FEATURES)`.
        next_features: the row below's, or at an end the closing's, `(n, N_FEATURES)`.
        action: `(n,)`.
        reward: `(n,)`.
        terminal: `(n,)`; a fifth of the episodes, the others are cut.
        timeout: `(n,)`.
    """

    features: FeatureArray
    next_features: FeatureArray
    action: IntArray
    reward: FloatArray
    terminal: BoolArray
    timeout: BoolArray

    @property
    def n_episodes(self) -> int:
        return int((self.terminal | self.timeout).sum())

    @property
    def raw_bytes(self) -> int:
        """Of every distinct observation once, and of the columns at the width that holds them.

        Actions and availability sets now and next 4 bytes each, rewards 8, terminal and timeout 1 each.
        """
        return 4 * N_FEATURES * (len(self.action) + self.n_episodes) + (3 * 4 + 8 + 2) * len(self.action)

    def episodes(self) -> LoggedEpisodes:
        """The same, as this project holds it; every action is available everywhere."""
        n, ends = len(self.action), np.flatnonzero(self.terminal | self.timeout) + 1
        nothing = np.zeros(n, dtype=np.int64)
        return LoggedEpisodes(
            features=self.features,
            next_features=self.next_features,
            action=self.action,
            reward=self.reward,
            terminal=self.terminal,
            timeout=self.timeout,
            propensity=np.full(n, 1 / N_ACTIONS),
            availability=np.ones((1, N_ACTIONS), dtype=bool),
            mask_index=nothing,
            next_mask_index=nothing,
            offsets=np.concatenate([[0], ends]),
            unit=np.arange(len(ends)),
            start_time=np.arange(len(ends)),
            elapsed_microseconds=nothing,
            policy_version=nothing,
        )

    def mdp_dataset(self) -> Any:
        """The same, as d3rlpy holds it."""
        return MDPDataset(
            self.features,
            self.action,
            self.reward.astype(np.float32),
            self.terminal.astype(np.float32),
            self.timeout.astype(np.float32),
            action_size=N_ACTIONS,
        )


@lru_cache(maxsize=2)
def random_log(n_events: int = N_EVENTS, seed: int = 0) -> Log:
    """Normal features, uniform actions, rewards at one event in twenty; episodes of geometric length."""
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((n_events, N_FEATURES), dtype=np.float32)
    is_last = generator.random(n_events) < 1 / MEAN_LENGTH
    is_last[-1] = True
    terminal = is_last & (generator.random(n_events) < TERMINAL_SHARE)
    next_features = np.empty_like(features)
    next_features[:-1] = features[1:]
    next_features[is_last] = generator.standard_normal((int(is_last.sum()), N_FEATURES), dtype=np.float32)
    reward = np.where(generator.random(n_events) < 0.05, generator.gamma(2.0, 1.0, n_events), 0.0)
    action = generator.integers(N_ACTIONS, size=n_events)
    return Log(features, next_features, action, reward, terminal, is_last & ~terminal)
