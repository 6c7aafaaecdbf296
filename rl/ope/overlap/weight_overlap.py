"""What the weights of one policy leave to estimate from, on a whole sample at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.ope.samples.ratio_balance import RatioBalance, ratio_balance
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size


@dataclass(frozen=True)
class WeightOverlap:
    """Figures on what a policy's weights leave; all None where the sample can't be weighted.

    Attributes:
        effective_sample_size: units that the weighted decisions rest on.
        n_effective_rewarded: units that the weighted rewards rest on.
        mean_weight: of all weighted decisions.
        balance: of the importance ratios; None also with one unit alone.
    """

    effective_sample_size: float | None = None
    n_effective_rewarded: float | None = None
    mean_weight: float | None = None
    balance: RatioBalance | None = None


def weight_overlap(sample: EvaluationSample) -> WeightOverlap:
    """Return the units behind the weighted decisions and rewards, and whether the ratios average 1."""
    if sample.weights is None:
        return WeightOverlap()
    weight: FloatArray = sample.discount * sample.weights.cumulative
    unit = sample.unit_of_row
    return WeightOverlap(
        effective_sample_size(np.bincount(unit, weights=weight).astype(np.float64)),
        effective_rewarded_units(weight * sample.reward, unit),
        float(sample.weights.cumulative.mean()),
        ratio_balance(sample),
    )
