"""How often each action is taken where available: a rough picture of the behavior policy, without observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes

_N_ROUNDS = 200
_TOLERANCE = 1e-8
_UNIFORM_SHARE = 0.01  # an action that was never seen taken stays possible


@dataclass(frozen=True)
class Popularity:
    """Probabilities in proportion to a weight for each action, among those available.

    Attributes:
        weight: `(n_actions,)`, positive.
        version: name under which it would be logged.
    """

    weight: FloatArray
    version: str = "popularity"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return action probabilities, `(n, n_actions)`."""
        del features
        return self.of_mask(mask)

    def of_mask(self, mask: BoolArray) -> FloatArray:
        """Return the action probabilities from the mask alone, `(n, n_actions)`."""
        weights = mask * self.weight
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_popularity_weights(episodes: LoggedEpisodes) -> Popularity:
    """Return the likeliest weights, given the actions available at each decision, with a small uniform share added.

    Source: Hunter (2004), the minorise-maximise iteration for Luce's choice model, equation 5 for choices from sets.
    """
    n_actions = episodes.n_actions
    taken = np.bincount(episodes.action, minlength=n_actions).astype(np.float64)
    set_counts = np.bincount(episodes.mask_index, minlength=len(episodes.availability)).astype(np.float64)
    used = np.flatnonzero(set_counts)
    sets, n_choices = episodes.availability[used].astype(np.float64), set_counts[used]
    weight = np.full(n_actions, 1 / n_actions)
    for _ in range(_N_ROUNDS):
        exposure = sets.T @ (n_choices / (sets @ weight))
        renewed = np.divide(taken, exposure, out=np.zeros(n_actions), where=exposure > 0)
        renewed /= renewed.sum()
        # Sets may come to hold no action that was ever taken; the floor keeps their sums positive.
        renewed = np.maximum(renewed, 1e-12)
        if np.abs(renewed - weight).max() < _TOLERANCE:
            break
        weight = renewed
    return Popularity((1 - _UNIFORM_SHARE) * weight / weight.sum() + _UNIFORM_SHARE / n_actions)
