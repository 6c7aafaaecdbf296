"""Probabilities of an evaluation policy on logged rows, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError

MAX_BATCH_CELLS = 4_000_000
"""Rows times actions held at once: 32 MB of float64."""

_SUM_TOLERANCE = 1e-3  # policies may compute in float32, over thousands of actions


def row_batches(n_rows: int, n_columns: int, max_cells: int = MAX_BATCH_CELLS) -> Iterator[slice]:
    """Return slices that cover `n_rows`, each of at most `max_cells` cells (and at least one row)."""
    size = max(1, max_cells // max(1, n_columns))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def checked_probabilities(policy: Policy, features: FeatureArray, mask: BoolArray) -> FloatArray:
    """Return the policy's probabilities, checked to be distributions over the available actions, `(n, n_actions)`.

    Raises:
        EvaluationError: wrong shape, negative or not finite, rows that don't sum to 1, or mass where the mask is False.
    """
    probabilities = np.asarray(policy.probabilities(features, mask), dtype=np.float64)
    if probabilities.shape != mask.shape:
        raise EvaluationError(f"policy {policy.version}: probabilities {probabilities.shape}, expected {mask.shape}")
    found = []
    gap = np.asarray(np.abs(probabilities.sum(axis=1) - 1.0))
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        bad = ~np.isfinite(probabilities) | (probabilities < 0)
        found.append(f"negative or not finite probabilities at {_named(bad)}")
    elif gap.max(initial=0.0) > _SUM_TOLERANCE:
        found.append(
            f"probabilities that miss a sum of 1 by up to {gap.max():.2g} at {_named(gap[:, None] > _SUM_TOLERANCE)}"
        )
    if (probabilities[~mask] != 0).any():
        found.append(f"mass on unavailable actions at {_named((probabilities != 0) & ~mask)}")
    if found:
        raise EvaluationError(f"policy {policy.version} gives " + ", and ".join(found))
    return probabilities


def _named(is_bad: BoolArray) -> str:
    """Return a text that names the first few rows with a bad cell."""
    return f"rows {np.flatnonzero(is_bad.any(axis=1))[:5].tolist()} of the {len(is_bad)} asked about"


def logged_action_probabilities(policy: Policy, episodes: LoggedEpisodes) -> FloatArray:
    """Return the probability that the policy takes the logged action, at each row, `(n,)`.

    Where the index lumps natural actions together, the policy chooses among those evenly: so its probability is of the
    one taken, as the propensity is, and no more is needed of the logger than that.
    """
    taken = np.empty(episodes.n_transitions)
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities = checked_probabilities(policy, episodes.features[rows], episodes.mask(rows))
        taken[rows] = probabilities[np.arange(len(probabilities)), episodes.action[rows]]
    return taken if episodes.lumped is None else np.asarray(taken / episodes.n_sharing)


def share_outside_support(
    policy: Policy,
    episodes: LoggedEpisodes,
    *,
    logged_actions: BoolArray,
) -> float | None:
    """Return the mean probability that the policy gives to actions the log never took; None without rows.

    Actions that were possible but rare count as never taken, so this is an upper bound that shrinks with the log.

    Args:
        policy: evaluation policy.
        episodes: rows to average over.
        logged_actions: True for actions the log holds at all, `(n_actions,)`.
    """
    if not episodes.n_transitions:
        return None
    outside = 0.0
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        probabilities = checked_probabilities(policy, episodes.features[rows], episodes.mask(rows))
        outside += float(probabilities[:, ~np.asarray(logged_actions)].sum())
    return outside / episodes.n_transitions


def logged_action_set(*splits: LoggedEpisodes) -> BoolArray:
    """Return True for every action that at least one of the splits holds, `(n_actions,)`."""
    counts: IntArray = np.zeros(splits[0].n_actions, dtype=np.int64)
    for split in splits:
        counts += np.bincount(split.action, minlength=split.n_actions)
    return counts > 0
