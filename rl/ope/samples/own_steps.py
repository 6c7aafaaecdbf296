"""Episodes whose values are what their own steps earn: nothing counts that follows where time has cut them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError


def ended_at_cuts(episodes: LoggedEpisodes) -> LoggedEpisodes:
    """Return the episodes as if nothing followed where time has cut them.

    Raises:
        EvaluationError: some end by themselves, so that the steps left of them tell what is going to happen.
    """
    if n_ended := int(episodes.terminal.sum()):
        raise EvaluationError(
            f"{n_ended} of {episodes.n_episodes} episodes end by themselves; values of an episode's own steps alone "
            "(evaluation.after_cut: nothing) are for episodes that time ends"
        )
    return replace(episodes, terminal=episodes.timeout, timeout=episodes.terminal)


def with_steps_left(episodes: LoggedEpisodes, steps: int) -> LoggedEpisodes:
    """Return the episodes with how many steps are left of each row's own, itself included, as further features.

    What is earned until an episode's end hangs on how far that is; a Q-function that doesn't see it would mean over all
    distances. Time sets it, no policy does. One column stands for each number from 1 to `steps`, and more count as
    `steps`.

    Args:
        episodes: that end where time has cut them.
        steps: over which values run.
    """
    left = np.repeat(episodes.lengths, episodes.lengths) - episodes.step
    return replace(
        episodes,
        features=np.hstack([episodes.features, _one_hot(left, steps)]),
        next_features=np.hstack([episodes.next_features, _one_hot(left - 1, steps)]),
    )


@dataclass(frozen=True)
class OnOwnFeatures:
    """A policy on rows that have further features behind its own.

    Attributes:
        policy: that sees the first features alone.
        n_features: how many it sees.
    """

    policy: Policy
    n_features: int

    @property
    def version(self) -> str:
        return self.policy.version

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the policy's probabilities, `(n, n_actions)`."""
        return self.policy.probabilities(features[:, : self.n_features], mask)


def _one_hot(left: IntArray, steps: int) -> FeatureArray:
    """Return a column for each number of steps left; none is set where there is no step left."""
    return np.asarray(np.minimum(left, steps)[:, None] == np.arange(1, steps + 1), dtype=np.float32)
