"""How often actions are taken: by the log, and expected under a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes, Policy
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches


@dataclass(frozen=True)
class ActionShares:
    """Shares of decisions by action, `(n_actions,)` each, both summing to 1."""

    logged: FloatArray
    policy: FloatArray

    @property
    def distance(self) -> float:
        """Total variation distance, 0 to 1, of the two, all decisions taken together."""
        return float(np.abs(self.logged - self.policy).sum() / 2)

    def most_frequent(self, names: Sequence[str], limit: int) -> list[tuple[str, float, float]]:
        """Return name, share in the log and share under the policy of the actions that either takes most."""
        order = np.argsort(-np.maximum(self.logged, self.policy), kind="stable")[:limit]
        return [(names[i], float(self.logged[i]), float(self.policy[i])) for i in order]


def action_shares(policy: Policy, episodes: LoggedEpisodes) -> ActionShares:
    """Return the shares on the logged decisions: of what was done, and of what the policy would have done there."""
    expected = np.zeros(episodes.n_actions)
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        expected += checked_probabilities(policy, episodes.features[rows], episodes.mask(rows)).sum(axis=0)
    counts = np.bincount(episodes.action, minlength=episodes.n_actions).astype(np.float64)
    return ActionShares(counts / episodes.n_transitions, expected / episodes.n_transitions)
