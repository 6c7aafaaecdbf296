"""Q-learning without any pessimism: d3rlpy's DoubleDQN, and NFQ, whose target network never lags."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.algos import NFQ, DoubleDQN, DoubleDQNConfig, NFQConfig

from conf.specs.candidate import Candidate
from rl.learning.algorithms.common_settings import built, value_settings
from rl.learning.algorithms.discrete_outputs import ValueOutputs
from rl.learning.algorithms.value_update import FastDoubleQLearning, FastQLearning
from rl.learning.updates.fast_update import TakenOver


class DoubleQLearning(ValueOutputs):
    """d3rlpy's DoubleDQN. Not to be trusted where the log leaves actions untried: nothing keeps their values down."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = DoubleDQNConfig(
            **value_settings(candidate, gamma), target_update_interval=candidate.target_update_interval
        )
        return built(MaskedDoubleDQN, config, candidate, device)


class NeuralFittedQ(ValueOutputs):
    """d3rlpy's NFQ. Less steady than `DoubleQLearning`, and as little to be trusted on untried actions."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        return built(MaskedNFQ, NFQConfig(**value_settings(candidate, gamma)), candidate, device)


class MaskedDoubleDQN(TakenOver, DoubleDQN):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DoubleDQN with our update."""

    impl_kind = FastDoubleQLearning


class MaskedNFQ(TakenOver, NFQ):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's NFQ with our update."""

    impl_kind = FastQLearning
