"""A second look, declared beforehand, at a candidate that was just short: who gets one, and what each look may spend.

The second look reads only sessions that the first one did not. Given all that was known when it was declared, it
promotes a candidate that is no better with the probability of its own level at most, however the first look chose the
candidate. So the levels of both looks, summed, bound the expected wrong promotions as those of two nights do. Pooling
the old sessions with the new ones after a near miss would not: it promotes several times as often as it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rl.errors import EvaluationError
from rl.gate.alpha_spending import NightLevel
from rl.gate.rules import GateEvidence, Verdict

LEAST_SURENESS = 1.0
"""Standard errors that the estimated gain must be above nothing: what looks no better than chance isn't tried again."""

_SHORT_OF = frozenset(
    {"effective_sample_size", "effective_differing_units", "effective_rewarded_units", "better_than_baseline"}
)
"""Checks that more sessions alone may pass; whoever fails any other one gets no second look."""


@dataclass(frozen=True)
class SplitLevel:
    """A night's level, divided before anything is looked at.

    Attributes:
        first: of the night's own look.
        second: of the one that is declared if the candidate is just short; spent from then on, taken or not.
    """

    first: NightLevel
    second: float


def split_level(level: NightLevel, first_share: float) -> SplitLevel:
    """Return the night's level over both looks.

    Args:
        level: that the night may spend.
        first_share: of it that the first look takes.

    Raises:
        EvaluationError: a share that leaves nothing for one of the looks.
    """
    if not 0 < first_share < 1:
        raise EvaluationError(f"the first look's share of a night's level is {first_share:g}, expected between 0 and 1")
    first = level.level * first_share
    return SplitLevel(replace(level, level=first), level.level - first)


def is_just_short(verdict: Verdict, evidence: GateEvidence) -> bool:
    """Return whether a second look is declared at the candidate: nothing but more sessions stands in its way.

    Every check has an answer, those that fail are floors or the bound on the gain, and the gain is
    `LEAST_SURENESS` standard errors above nothing. The side metrics are known and kept.

    Args:
        verdict: of the first look.
        evidence: that it rests on.
    """
    failed = {check.name for check in verdict.checks if check.is_passed is False}
    is_unknown = any(check.is_passed is None for check in verdict.checks)
    found = evidence.difference
    if is_unknown or not failed or not failed <= _SHORT_OF or found is None:
        return False
    is_told = math.isfinite(found.value) and math.isfinite(found.standard_error) and found.standard_error > 0
    return is_told and found.value >= LEAST_SURENESS * found.standard_error


def is_short_of_sessions(verdict: Verdict, evidence: GateEvidence) -> bool:
    """Return whether the candidate is just short and the first look spent nothing: a floor on weights kept it back.

    Weights are known before rewards, so that the whole level of such a night is left for the second look, and nights
    that meet the floors give nothing up.

    Args:
        verdict: of the first look.
        evidence: that it rests on.
    """
    return not verdict.spends_level and is_just_short(verdict, evidence)
