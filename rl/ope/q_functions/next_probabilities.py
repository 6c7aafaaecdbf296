"""Probabilities of an evaluation policy at the next observations of rows that don't end an episode for good."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rl.data.logged_episodes import FeatureArray, IntArray, LoggedEpisodes, Policy
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches


class NextProbabilities:
    """Batches of rows with their next features and the policy's probabilities there.

    A fit goes over them once per round. They are computed once and kept in float32 where rows times actions are
    affordable, and computed again per batch otherwise.
    """

    def __init__(self, policy: Policy, episodes: LoggedEpisodes, *, max_cells: int) -> None:
        self._policy = policy
        self._episodes = episodes
        self._rows = np.flatnonzero(~episodes.terminal)
        self._kept: npt.NDArray[np.float32] | None = None
        if len(self._rows) * episodes.n_actions <= max_cells:
            self._kept = np.empty((len(self._rows), episodes.n_actions), dtype=np.float32)
            for batch in row_batches(len(self._rows), episodes.n_actions):
                self._kept[batch] = self._compute(self._rows[batch])

    def batches(self) -> Iterator[tuple[npt.NDArray[np.int64], FeatureArray, npt.NDArray[np.float32]]]:
        """Yield rows `(m,)`, their next features `(m, n_features)` and probabilities `(m, n_actions)` in batches."""
        for batch in row_batches(len(self._rows), self._episodes.n_actions):
            rows = self._rows[batch]
            probabilities = self._kept[batch] if self._kept is not None else self._compute(rows)
            yield rows, self._episodes.next_features[rows], probabilities

    def at(self, rows: IntArray) -> npt.NDArray[np.float32]:
        """Return the probabilities after the given rows, none of which is terminal, `(len(rows), n_actions)`."""
        if self._kept is None:
            return self._compute(rows)
        return self._kept[np.searchsorted(self._rows, rows)]

    def _compute(self, rows: IntArray) -> npt.NDArray[np.float32]:
        features, mask = self._episodes.next_features[rows], self._episodes.next_mask(rows)
        return checked_probabilities(self._policy, features, mask).astype(np.float32)
