"""How strong a hidden reason behind the logged choices must be to flip what the gate says of a night's gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rl.gate.rules import GateEvidence
from rl.ope.contenders import Contender, evaluated_rows
from rl.ope.overlap.confounding_sensitivity import ConfoundedValue, smallest_gamma
from rl.ope.report import PolicyEvaluation


@dataclass(frozen=True)
class ConfoundingSensitivity:
    """The strength of hidden reasons at which the difference's lower bound crosses 0.

    Attributes:
        flips: what such a reason would flip: `gain` where one is shown, else `doubt` (it would hide a gain).
        gamma: the strength: by how much the odds of any logged choice may be off; None where 100 isn't enough.
        bounded: the estimator whose bounds were moved; the gate's own estimate is moved by as much.
        longest_steps: of an episode valued; every step may be confounded.
    """

    flips: Literal["gain", "doubt"]
    gamma: float | None
    bounded: str
    longest_steps: int

    @property
    def survived(self) -> float | None:
        """Strength up to which a shown gain stands, infinite beyond the largest looked for; None without a gain."""
        if self.flips != "gain":
            return None
        return math.inf if self.gamma is None else self.gamma


def confounding_sensitivity(
    evidence: GateEvidence, evaluation: PolicyEvaluation, contenders: Sequence[Contender]
) -> ConfoundingSensitivity | None:
    """Return the strength of a hidden reason that flips the sign of the difference's lower bound; None without one.

    The hidden reason moves the bound by as much as it can move candidate and baseline, each in the direction that
    hurts; the behavior policy as baseline needs no weights and stays. The doubt of sampling stays as it was.

    Args:
        evidence: that the gate read.
        evaluation: all policies' values of the reward (not of side metrics).
        contenders: the candidate, and the champion where it is the baseline.
    """
    difference = evidence.difference
    if not evidence.is_logged or difference is None or not math.isfinite(difference.lower) or difference.lower == 0:
        return None
    sides = [
        (_confounded(contender, evaluation), contender.name == evidence.candidate)
        for contender in contenders
        if contender.name in (evidence.candidate, evidence.baseline)
    ]
    at_rest = [value.bounds(1.0) for value, _ in sides]
    is_gain = difference.lower > 0

    def loss(gamma: float) -> float:
        moved = [value.bounds(gamma) for value, _ in sides]
        return sum(
            rest.lower - found.lower if is_candidate == is_gain else found.upper - rest.upper
            for rest, found, (_, is_candidate) in zip(at_rest, moved, sides, strict=True)
        )

    first = evaluation.sample(contenders[0].name)
    return ConfoundingSensitivity(
        flips="gain" if is_gain else "doubt",
        gamma=smallest_gamma(loss, abs(difference.lower)),
        bounded="wpdis" if first.values is None else "wdr",
        longest_steps=int(first.lengths.max()),
    )


def _confounded(contender: Contender, evaluation: PolicyEvaluation) -> ConfoundedValue:
    rows = evaluated_rows(contender, evaluation)
    return ConfoundedValue(evaluation.sample(contender.name), contender.test.propensity[rows])
