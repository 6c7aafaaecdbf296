"""Figures of the distribution of returns, from a night's comparison."""

from __future__ import annotations

import math

from rl.figures.night import Role
from rl.figures.returns import Returns, ReturnsOf
from rl.figures.values import Spread
from rl.night.second_look.returns import ReturnsReport
from rl.ope.report import BEHAVIOR
from rl.ope.returns.return_distribution import BoundedReturn, ReturnDistribution
from rl.ope.returns.weighted_returns import MAX_SHARE_CUT


def returns_figures(report: ReturnsReport, candidate: str) -> Returns:
    """Return the figures of both policies' distributions of returns, or why there are none."""
    found = report.comparison
    if found is None:
        return Returns(max_share_cut=MAX_SHARE_CUT, refusal=report.refusal)
    is_told = found.tail_gain is not None
    role: Role = "behavior" if report.baseline == BEHAVIOR else "champion"
    return Returns(
        points=tuple(found.candidate.points.tolist()),
        policies=(
            _returns_of(found.candidate, "candidate", candidate, is_worst_told=is_told),
            _returns_of(found.baseline, role, report.baseline, is_worst_told=is_told),
        ),
        tail=found.candidate.tail,
        level=found.candidate.level,
        max_share_cut=MAX_SHARE_CUT,
        worst_gain=None if found.tail_gain is None else Spread.of(found.tail_gain),
        worst_refusal=found.tail_refusal,
    )


def _returns_of(found: ReturnDistribution, role: Role, name: str, *, is_worst_told: bool) -> ReturnsOf:
    first, second, third = found.quartiles
    return ReturnsOf(
        role=role,
        name=name,
        cdf=tuple(found.cdf.tolist()),
        cdf_lower=tuple(found.cdf_lower.tolist()),
        cdf_upper=tuple(found.cdf_upper.tolist()),
        mean=Spread.of(found.mean),
        deviation=_root(found.variance),
        quartiles=(Spread.of(first), Spread.of(second), Spread.of(third)),
        worst=Spread.of(found.cvar) if is_worst_told else None,
        share_cut=found.share_cut,
        effective_units=found.effective_units,
    )


def _root(variance: BoundedReturn) -> Spread:
    """Return the standard deviation with its bounds: the roots of the variance and of its bounds."""
    return Spread(value=math.sqrt(variance.value), lower=math.sqrt(variance.lower), upper=math.sqrt(variance.upper))
