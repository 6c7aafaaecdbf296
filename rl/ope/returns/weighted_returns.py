"""Logged returns with the weights that make them an evaluation policy's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.importance_sampling import NO_WEIGHT
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import effective_sample_size

MAX_SHARE_CUT = 0.1
"""Share of cut episodes up to which returns are told: with more, the worst tenth could be nothing but cut ones."""


@dataclass(frozen=True)
class WeightedReturns:
    """Returns of episodes with the weights that make them the evaluation policy's; ascending.

    Attributes:
        returns: discounted, ascending; where the log cuts an episode, what was earned until then, `(n_episodes,)`.
        weight: of each trajectory, `(n_episodes,)`.
        unit: index of the independent unit, `(n_episodes,)`.
        n_units: independent units.
        share_cut: share of the weight that lies on cut episodes.
    """

    returns: FloatArray
    weight: FloatArray
    unit: IntArray
    n_units: int
    share_cut: float = 0.0

    @property
    def effective_units(self) -> float:
        """Number of equally weighted units that would vary as much."""
        return effective_sample_size(np.bincount(self.unit, weights=self.weight).astype(np.float64))


def weighted_returns(sample: EvaluationSample, *, max_share_cut: float = MAX_SHARE_CUT) -> WeightedReturns:
    """Return a sample's returns, ascending, with their trajectory weights; the log's own where all weights are 1.

    An episode that the log cuts counts with what was earned until then: no model of the mean can stand in for the
    distribution of what follows. Where rewards can't be negative, each of its shares of episodes that earn at most so
    much is too large by `share_cut` at most.

    Args:
        sample: the rows of a split as one policy weights them.
        max_share_cut: share of the weight that cut episodes may hold.

    Raises:
        UnsupportedEstimator: the log can't be weighted, every weight is 0, or more of it lies on cut episodes.
    """
    weight = sample.require_weights()[sample.last_rows]
    if not (weight > 0).any():
        raise UnsupportedEstimator(NO_WEIGHT)
    share_cut = float(weight[sample.is_cut].sum() / weight.sum())
    if share_cut > max_share_cut:
        raise UnsupportedEstimator(
            f"{100 * share_cut:.1f}% of the weighted episodes are cut before their end, more than the "
            f"{100 * max_share_cut:g}% up to which a distribution of returns can be told"
        )
    returns = sample.per_episode(sample.discount * sample.reward)
    order = np.argsort(returns, kind="stable")
    return WeightedReturns(returns[order], weight[order], sample.unit[order], sample.n_units, share_cut)
