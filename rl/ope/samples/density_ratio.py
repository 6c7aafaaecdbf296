"""How much oftener an evaluation policy meets the states of a log, and its state-action pairs, than the log did.

Products of ratios over an episode weigh the whole history; their variance grows exponentially with its length. If the
observation is all that the future depends on, a reward needs one weight only: that of the state it was earned in.

Occupancy of a state is its expected number of visits in an episode, each discounted as the reward earned there. With
`w(s) = occupancy under the evaluation policy / occupancy in the log`, rewards of the log weighted by w(s) and the ratio
of the one action taken add up to the evaluation policy's value, for episodes of any length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError


@dataclass(frozen=True)
class DensityRatios:
    """Ratios of occupancy at the rows of a split, evaluation policy over log.

    Attributes:
        state: of the row's state, `(n,)`.
        state_action: of the row's state and logged action, `(n,)`.
        expected_length: discounted steps of an episode under the evaluation policy, `(n,)`; the same at all rows but
            for cross-fitting.
        share_outside: share of the evaluation policy's decisions at which it would do what the log never did in that
            state, so that nothing tells what follows; NaN where the method can't tell.
        method: how they were estimated.
        pair_refusal: why there are none of state-action pairs (then `state_action` holds zeros); None where there are.
    """

    state: FloatArray
    state_action: FloatArray
    expected_length: FloatArray
    share_outside: float
    method: str
    pair_refusal: str | None = None

    def __post_init__(self) -> None:
        arrays = (self.state, self.state_action, self.expected_length)
        if len({array.shape for array in arrays}) != 1:
            raise EvaluationError(f"density ratios disagree in length: {[len(array) for array in arrays]}")
        bad = np.flatnonzero(~np.isfinite(np.stack(arrays)).all(axis=0))
        if bad.size:
            raise EvaluationError(f"rows {bad[:5].tolist()} have a density ratio that is not finite")

    def rows(self, keep: BoolArray) -> DensityRatios:
        """Return the ratios at a selection of rows."""
        return replace(
            self,
            state=self.state[keep],
            state_action=self.state_action[keep],
            expected_length=self.expected_length[keep],
        )


class RatioModel(Protocol):
    """Fitted ratios that can be asked about any rows of the same log."""

    def ratios(self, policy: Policy, episodes: LoggedEpisodes) -> DensityRatios:
        """Return the ratios at all rows."""
        ...


def own_ratios(discount: FloatArray, n_episodes: int) -> DensityRatios:
    """Return the ratios of the behavior policy to itself: 1 everywhere.

    Args:
        discount: of each row's reward, `(n,)`.
        n_episodes: that the rows belong to.
    """
    ones = np.ones(len(discount))
    return DensityRatios(ones, ones, np.full(len(discount), discount.sum() / n_episodes), 0.0, "the log's own policy")


def unit_folds(unit: IntArray, *, n_folds: int, seed: int) -> IntArray:
    """Return the fold of each unit id, `(len(unit),)`, the same whatever other ids are asked about.

    A hash of the id, so that machines that hold parts of a log deal the same units into the same folds.

    Source: the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
    """
    mixed = unit.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) % np.uint64(n_folds), dtype=np.int64)
