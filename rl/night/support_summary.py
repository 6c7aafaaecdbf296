"""Where the log has never been, or seldom: actions by how often the log took them, and on whom the weight rests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.night.action_shares import ActionShares
from rl.ope.intervals.sums import sums_by_unit
from rl.ope.samples.sample import EvaluationSample

_BANDS = ((0, 0), (1, 9), (10, 99), (100, 999), (1000, None))
_MOST_POINTS = 60


@dataclass(frozen=True)
class Band:
    """Actions that the log took at least `least` times and at most `most` times (None: any).

    Attributes:
        n_actions: how many actions of the vocabulary lie in the band.
        logged: share of the test decisions at which the log took one of them.
        policy: expected share under the policy.
    """

    least: int
    most: int | None
    n_actions: int
    logged: float
    policy: float


@dataclass(frozen=True)
class WeightShares:
    """How unevenly the importance weights fall on shoppers, the heaviest first.

    Attributes:
        shoppers: shares of all shoppers, ascending from 0 to 1, `(n_points,)`.
        held: share of all weight that so many shoppers hold, `(n_points,)`.
        n_units: shoppers.
        n_for_half: the heaviest shoppers that together hold half of all weight.
    """

    shoppers: FloatArray
    held: FloatArray
    n_units: int
    n_for_half: int


def support_bands(shares: ActionShares, *splits: LoggedEpisodes) -> tuple[Band, ...]:
    """Return the actions by how often the splits took them; both shares of all bands sum to 1."""
    counts = _counts(*splits)
    found = []
    for least, most in _BANDS:
        is_in = (counts >= least) & (counts <= (counts.max(initial=0) if most is None else most))
        found.append(
            Band(least, most, int(is_in.sum()), float(shares.logged[is_in].sum()), float(shares.policy[is_in].sum()))
        )
    return tuple(found)


def unseen_actions(
    shares: ActionShares, names: Sequence[str], *splits: LoggedEpisodes
) -> tuple[tuple[str, float], ...]:
    """Return the actions that no split took but the policy would, with their expected shares, the largest first."""
    unseen = np.flatnonzero((_counts(*splits) == 0) & (shares.policy > 0))
    order = unseen[np.argsort(-shares.policy[unseen], kind="stable")]
    return tuple((names[action], float(shares.policy[action])) for action in order)


def weight_shares(sample: EvaluationSample) -> WeightShares:
    """Return the shares of the discounted cumulative weights by shopper.

    Raises:
        UnsupportedEstimator: the log can't be weighted.
    """
    weight = sums_by_unit(sample.discount * sample.require_weights(), sample.unit_of_row, sample.n_units)
    held = np.concatenate([[0.0], np.cumsum(-np.sort(-weight))])
    held /= held[-1] if held[-1] > 0 else 1.0
    points = np.unique(np.round(sample.n_units * np.linspace(0, 1, _MOST_POINTS) ** 2).astype(np.int64))
    return WeightShares(points / sample.n_units, held[points], sample.n_units, int(np.searchsorted(held, 0.5)))


def _counts(*splits: LoggedEpisodes) -> FloatArray:
    counts = [np.bincount(split.action, minlength=split.n_actions) for split in splits]
    return np.asarray(np.sum(counts, axis=0), dtype=np.float64)
