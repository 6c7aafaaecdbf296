"""What a fitted Q-function says about logged rows under an evaluation policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches


class QFunction(Protocol):
    """Expected discounted reward from an observation on, if an action is taken now and the policy is followed after."""

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the action values, `(n, n_actions)`; 0 where the mask is False."""
        ...


@dataclass(frozen=True)
class ActionValues:
    """Values on the rows of a split.

    Attributes:
        value: sum over actions of evaluation probability times Q at the row's observation, `(n,)`.
        action_value: Q of the logged action, `(n,)`.
        next_value: value of the next observation on rows that end in a timeout, 0 elsewhere, `(n,)`.
    """

    value: FloatArray
    action_value: FloatArray
    next_value: FloatArray

    def rows(self, keep: BoolArray) -> ActionValues:
        """Return the values at a selection of rows."""
        return ActionValues(self.value[keep], self.action_value[keep], self.next_value[keep])


def action_values(q_function: QFunction, policy: Policy, episodes: LoggedEpisodes) -> ActionValues:
    """Return the policy's values on all rows, computed in batches."""
    n = episodes.n_transitions
    value, action_value, next_value = np.zeros((3, n))
    for rows in row_batches(n, episodes.n_actions):
        features, mask = episodes.features[rows], episodes.mask(rows)
        q = q_function.q(features, mask)
        value[rows] = (checked_probabilities(policy, features, mask) * q).sum(axis=1)
        action_value[rows] = q[np.arange(len(q)), episodes.action[rows]]
    cut = np.flatnonzero(episodes.timeout)
    for batch in row_batches(len(cut), episodes.n_actions):
        rows_cut = cut[batch]
        features, mask = episodes.next_features[rows_cut], episodes.next_mask(rows_cut)
        expected = checked_probabilities(policy, features, mask) * q_function.q(features, mask)
        next_value[rows_cut] = expected.sum(axis=1)
    return ActionValues(value, action_value, next_value)
