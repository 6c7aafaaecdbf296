"""Folds of logged decisions that keep all rows of a shopper together."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import IntArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator


def shopper_folds(episodes: LoggedEpisodes, n_folds: int, seed: int) -> IntArray:
    """Return the fold of each row, from 0; all rows of a shopper share one, `(n,)`.

    Raises:
        UnsupportedEstimator: fewer shoppers than folds.
    """
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    if len(unit_ids) < n_folds:
        raise UnsupportedEstimator(
            f"{len(unit_ids)} units can't be dealt into {n_folds} folds, so no propensity can be estimated without the "
            "shopper's own rows; log propensities, or evaluate on more days"
        )
    dealt = np.random.default_rng(seed).permutation(len(unit_ids)) % n_folds
    return np.asarray(dealt[unit][episodes.episode], dtype=np.int64)


def partner_fold(fold: int, n_folds: int) -> int:
    """Return the fold whose shoppers correct a fold's predictions.

    Folds go in pairs (0, 1), (2, 3) and so on; a last one alone takes the one before it.
    """
    other = fold ^ 1
    return other if other < n_folds else fold - 1
