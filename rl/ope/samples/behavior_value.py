"""The behavior policy's own value function, which needs neither its propensities nor its probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes


@dataclass(frozen=True)
class OnlyAction:
    """The policy of a log in which whatever was done counts as one and the same action."""

    version: str = "as-logged"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return ones, `(n, 1)`."""
        return np.ones((len(features), mask.shape[1]))


def as_one_action(episodes: LoggedEpisodes) -> LoggedEpisodes:
    """Return the log with all actions merged into one.

    The behavior policy acts in it as it always did, so Q of the one action is the behavior policy's state value: what
    it would have earned after a cut can be counted for it as it is for the policies compared with it.
    """
    nothing = np.zeros(episodes.n_transitions, dtype=np.int64)
    return replace(
        episodes,
        action=nothing,
        availability=np.ones((1, 1), dtype=bool),
        lumped=None,
        mask_index=nothing,
        next_mask_index=nothing,
    )
