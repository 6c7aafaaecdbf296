"""Popularity weights are the likeliest under the sets that were available."""

from __future__ import annotations

import numpy as np

from rl.worth.popularity import fit_popularity_weights
from tests.rl.factories import make_logged_episodes


def test_weights_allow_for_actions_that_were_seldom_available() -> None:
    """An action taken half the time wherever it was available is as popular as the other, though taken less in all.

    Half of 1,000 decisions in a set of two, all of 1,000 in the other action's set alone: counts 1,500 to 500.
    """
    action = np.array([0] * 500 + [1] * 500 + [0] * 1000)
    log = make_logged_episodes(
        [1] * 2000,
        n_actions=2,
        action=action,
        availability=np.array([[True, True], [True, False]]),
        mask_index=np.repeat([0, 1], 1000),
        next_mask_index=np.repeat([0, 1], 1000),
        propensity=np.full(2000, 0.5),
    )
    weight = fit_popularity_weights(log).weight
    assert abs(weight[0] - weight[1]) < 1e-3


def test_probabilities_stay_within_the_mask() -> None:
    """Unavailable actions get none of the probability, which sums to 1."""
    log = make_logged_episodes([2, 3], availability=np.array([[True, True, True], [True, False, True]]))
    chances = fit_popularity_weights(log).of_mask(log.availability)
    assert chances[1, 1] == 0
    np.testing.assert_allclose(chances.sum(axis=1), 1)
