"""The distribution of returns. Part of `night`.

Returns are in the scenario's reward unit per episode, over the spec's steps; shares lie in [0, 1].
"""

from __future__ import annotations

from typing import Literal

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import Spread


class ReturnsOf(StrictModel):
    """One policy's returns.

    cdf: share of episodes that earn at most each of the points, between pointwise bounds. quartiles: what a quarter,
    half and three quarters of the episodes earn at most. deviation: standard deviation. worst: mean of the worst
    `tail` share; None where too little stands behind it. share_cut: share of the weighted episodes that the log cuts,
    counted with what they earned until then. effective_units: shoppers that the weighted episodes are worth.
    """

    role: Literal["behavior", "candidate", "champion"]
    name: str
    cdf: tuple[float, ...]
    cdf_lower: tuple[float, ...]
    cdf_upper: tuple[float, ...]
    mean: Spread
    deviation: Spread
    quartiles: tuple[Spread, Spread, Spread]
    worst: Spread | None
    share_cut: float
    effective_units: float


class Returns(StrictModel):
    """Candidate first, then what it was gated against, at the same points; `refusal` says why there are none.

    worst_gain: the candidate's mean of the worst less the baseline's, paired; None: `worst_refusal` says why.
    max_share_cut: up to which share of cut episodes a distribution is told.
    """

    points: tuple[float, ...] = ()
    policies: tuple[ReturnsOf, ...] = ()
    tail: float = 0.1
    level: float = 0.95
    max_share_cut: float = 0.0
    worst_gain: Spread | None = None
    worst_refusal: str | None = None
    refusal: str | None = None
