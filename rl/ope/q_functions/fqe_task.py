"""What fitted Q evaluation is asked to fit."""

from __future__ import annotations

from dataclasses import dataclass

from rl.data.logged_episodes import FloatArray, LoggedEpisodes, Policy


@dataclass(frozen=True)
class FqeTask:
    """A Q-function to fit.

    Attributes:
        policy: evaluation policy.
        episodes: the split to fit on.
        reward: another outcome to value instead of the reward (a side metric), `(n,)`.
    """

    policy: Policy
    episodes: LoggedEpisodes
    reward: FloatArray | None = None

    @property
    def outcome(self) -> FloatArray:
        """What is valued, `(n,)`."""
        return self.episodes.reward if self.reward is None else self.reward

    def shares_rows(self, other: FqeTask) -> bool:
        """Return whether both tasks see the same arrays of observations; actions, masks and outcomes may differ."""
        own, others = self.episodes, other.episodes
        names = ("features", "next_features", "terminal", "offsets", "elapsed_microseconds")
        return all(getattr(own, name) is getattr(others, name) for name in names)
