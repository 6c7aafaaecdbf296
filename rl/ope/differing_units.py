"""For how many units two policies decide differently, as the weights of one log tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.errors import EvaluationError
from rl.logged_episodes import FloatArray, IntArray
from rl.ope.sample import EvaluationSample
from rl.ope.weights import effective_sample_size


@dataclass(frozen=True)
class RowWeights:
    """What each decision of a sample counts for under one policy.

    Attributes:
        weight: discounted cumulative importance weight, `(n,)`.
        unit: of each row, as an index, `(n,)`.
    """

    weight: FloatArray
    unit: IntArray


def row_weights(sample: EvaluationSample) -> RowWeights | None:
    """The sample's weights; None where it can't be weighted."""
    if sample.weights is None:
        return None
    return RowWeights(sample.discount * sample.weights.cumulative, sample.unit_of_row)


def effective_differing_units(candidate: RowWeights, baseline: RowWeights) -> float:
    """Number of units that the difference of the two policies rests on, as if they differed equally for each.

    Kish's size of each unit's sum of |weight under one - weight under the other|. Each policy by itself may rest on
    a thousand units while the two differ for fifty, of which a loss that strikes one in a hundred shows nothing. It
    looks at weights alone, so asking it favors no outcome. 0 where the two nowhere differ.

    Raises:
        EvaluationError: the two weight different rows.
    """
    if not np.array_equal(candidate.unit, baseline.unit):
        raise EvaluationError("policies whose weights are compared must be weighted on the same rows")
    departure = np.abs(candidate.weight - baseline.weight)
    return effective_sample_size(np.bincount(candidate.unit, weights=departure).astype(np.float64))
