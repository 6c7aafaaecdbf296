"""The forest plot: values with their intervals, as places on one axis."""

from __future__ import annotations

from dataclasses import dataclass

from rl.figures.night import Role
from rl.figures.values import PlayedValue
from rl.page.axis import Axis, Tick, axis_over
from rl.page.content import Estimate, PolicyReport

# Estimators whose intervals explode with the length of an episode may not squeeze the others: beyond this many times
# the range of the ones that matter, an interval is cut at the axis' end, with an arrow.
_REACH = 1.0


@dataclass(frozen=True)
class Mark:
    """A line of the plot: percents along the axis; cut flags say that the interval goes on beyond it."""

    estimate: Estimate
    start: float
    width: float
    point: float
    is_cut_low: bool
    is_cut_high: bool
    is_point_outside: bool


@dataclass(frozen=True)
class Group:
    """The lines of one policy, and its true value's place where it is known."""

    role: Role
    name: str
    marks: tuple[Mark, ...]
    refused: tuple[Estimate, ...]
    truth: PlayedValue | None
    truth_percent: float | None


@dataclass(frozen=True)
class Forest:
    """The whole plot; `reference` is the place of what the log earned."""

    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]
    reference: float | None
    has_truth: bool
    has_cut: bool


def forest_of(policies: tuple[PolicyReport, ...]) -> Forest | None:
    """Return the plot of all policies' estimates; None where nothing was estimated."""
    shown = [estimate for policy in policies for estimate in policy.estimates if estimate.value is not None]
    if not shown:
        return None
    axis = _axis(policies, shown)
    groups = tuple(_group(policy, axis) for policy in policies)
    marks = [mark for group in groups for mark in group.marks]
    return Forest(
        groups=groups,
        ticks=axis.ticks(),
        reference=_reference(policies, axis),
        has_truth=any(group.truth is not None for group in groups),
        has_cut=any(mark.is_cut_low or mark.is_cut_high for mark in marks),
    )


def _axis(policies: tuple[PolicyReport, ...], shown: list[Estimate]) -> Axis:
    """Return an axis that holds the log, the gate's estimator and truths whole, and others up to a limit."""
    matters = [e for e in shown if e.is_gate or e.estimator in ("on_policy", "dm")] or shown
    core = _ends(matters)
    for policy in policies:
        if policy.truth is not None:
            reach = 2 * policy.truth.standard_error
            core += [policy.truth.value - reach, policy.truth.value + reach]
    low, high = min(core), max(core)
    limit = _REACH * ((high - low) or abs(high) or 1.0)
    others = [min(high + limit, max(low - limit, value)) for value in _ends(shown)]
    return axis_over([*core, *others])


def _ends(estimates: list[Estimate]) -> list[float]:
    return [value for e in estimates for value in (e.lower, e.value, e.upper) if value is not None]


def _group(policy: PolicyReport, axis: Axis) -> Group:
    return Group(
        role=policy.role,
        name=policy.name,
        marks=tuple(_mark(estimate, axis) for estimate in policy.estimates if estimate.value is not None),
        refused=tuple(estimate for estimate in policy.estimates if estimate.refusal is not None),
        truth=policy.truth,
        truth_percent=None if policy.truth is None else axis.percent(policy.truth.value),
    )


def _mark(estimate: Estimate, axis: Axis) -> Mark:
    value = estimate.value if estimate.value is not None else 0.0
    lower = value if estimate.lower is None else estimate.lower
    upper = value if estimate.upper is None else estimate.upper
    start, end = axis.percent(lower), axis.percent(upper)
    return Mark(
        estimate=estimate,
        start=start,
        width=round(end - start, 2),
        point=axis.percent(value),
        is_cut_low=lower < axis.low,
        is_cut_high=upper > axis.high,
        is_point_outside=not axis.holds(value),
    )


def _reference(policies: tuple[PolicyReport, ...], axis: Axis) -> float | None:
    for policy in policies:
        for estimate in policy.estimates:
            if policy.role == "behavior" and estimate.estimator == "on_policy" and estimate.value is not None:
                return axis.percent(estimate.value)
    return None
