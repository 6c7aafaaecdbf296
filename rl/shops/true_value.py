"""What a policy is worth in a simulated shop, whatever the shop decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpisodeValue:
    """Expected discounted reward per episode, by playing.

    Attributes:
        value: the Monte Carlo mean.
        standard_error: of the value, over shoppers, whose episodes aren't independent.
        n_episodes: played.
    """

    value: float
    standard_error: float
    n_episodes: int
