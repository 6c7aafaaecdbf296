"""For how many units two policies decide differently, as the weights of one log tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rl.errors import EvaluationError
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import effective_sample_size


@dataclass(frozen=True)
class RowWeights:
    """What each decision of a sample counts for under one policy.

    Attributes:
        weight: discounted cumulative importance weight, `(n,)`; single precision, as they are kept for every policy.
        unit: of each row, as an index, `(n,)`.
    """

    weight: npt.NDArray[np.float32]
    unit: npt.NDArray[np.int32]


def row_weights(sample: EvaluationSample, *, beside: RowWeights | None = None) -> RowWeights | None:
    """Return the sample's weights; None where it can't be weighted.

    Args:
        sample: the rows of a split as one policy weights them.
        beside: another policy's weights on the same rows, whose units needn't be held twice.
    """
    if sample.weights is None:
        return None
    weight = (sample.discount * sample.weights.cumulative).astype(np.float32)
    return RowWeights(weight, sample.unit_of_row.astype(np.int32) if beside is None else beside.unit)


def effective_differing_units(candidate: RowWeights, baseline: RowWeights) -> float:
    """Return the number of units on which the difference of the two policies rests, as if all differed equally.

    Kish's size of each unit's sum of |weight under one - weight under the other|. Each policy by itself may rest on
    a thousand units while the two differ for fifty, of which a loss that strikes one in a hundred shows nothing. It
    looks at weights alone, so asking it favors no outcome. 0 where the two nowhere differ.

    Raises:
        EvaluationError: the two weight different rows.
    """
    if not np.array_equal(candidate.unit, baseline.unit):
        raise EvaluationError("policies whose weights are compared must be weighted on the same rows")
    departure = np.abs(candidate.weight.astype(np.float64) - baseline.weight)
    return effective_sample_size(np.bincount(candidate.unit, weights=departure).astype(np.float64))
