"""How far a night's propensities may be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PropensityTrust:
    """What the gate needs to know of them.

    Attributes:
        ratio_tolerance: departure of a policy's mean importance ratio from 1 that is let pass beside chance.
        problem: why they can't be right; None where they can.
        is_estimated: some were estimated, so that reasons which the log doesn't hold may be behind the choices.
    """

    ratio_tolerance: float
    problem: str | None = None
    is_estimated: bool = False


# A hundredth of the decisions may be a model's guess. Estimated propensities never add up exactly.
LOGGED = PropensityTrust(ratio_tolerance=0.01)
ESTIMATED = PropensityTrust(ratio_tolerance=0.05, is_estimated=True)
