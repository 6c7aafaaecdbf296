"""Each logged decision as an episode of its own, for valuing immediate rewards alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rl.data.logged_episodes import IntArray, LoggedEpisodes

_MICROSECONDS = 1_000_000


def as_decisions(episodes: LoggedEpisodes) -> LoggedEpisodes:
    """Return the rows, each as a terminal episode of one step; units stay, so a shopper's decisions stay together.

    Its value is the expected reward of one decision, at the observations that the behavior policy brought about. Don't
    read it as what a policy earns per visit: whatever an action changes for later decisions is left out.
    """
    n = episodes.n_transitions
    return replace(
        episodes,
        terminal=np.ones(n, dtype=bool),
        timeout=np.zeros(n, dtype=bool),
        offsets=np.arange(n + 1, dtype=np.int64),
        unit=episodes.unit[episodes.episode],
        start_time=_decision_times(episodes),
    )


def _decision_times(episodes: LoggedEpisodes) -> IntArray:
    """Return the episode's start plus the whole seconds that passed before each row, in microseconds, `(n,)`."""
    seconds = episodes.elapsed_microseconds // _MICROSECONDS
    elapsed = np.cumsum(seconds) - seconds
    within = elapsed - np.repeat(elapsed[episodes.offsets[:-1]], episodes.lengths)
    return np.asarray(episodes.start_time[episodes.episode] + within * _MICROSECONDS, dtype=np.int64)
