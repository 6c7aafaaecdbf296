"""The distribution of returns: two step curves with their bounds in a box of 100 by 100, figures, and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rl.figures.returns import Returns, ReturnsOf
from rl.figures.values import Spread
from rl.page.axis import Axis, Tick
from rl.page.wording import interval, level, number, signed

_SHOWN = 0.95  # the axis ends where each policy's curve has come so far: the last orders would squeeze all others


@dataclass(frozen=True)
class CdfCurve:
    """One policy's curve, and the band between its pointwise bounds as a polygon."""

    role: str
    line: str
    band: str


@dataclass(frozen=True)
class ReturnsChart:
    """The curves on one axis of returns; `beyond` is the largest share of a policy's episodes that earn more."""

    curves: tuple[CdfCurve, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    beyond: float


def returns_context(returns: Returns | None) -> dict[str, Any]:
    """Return what the partial template reads beside the content: chart, rows of figures and one plain sentence."""
    if returns is None or not returns.policies:
        return {"returns_chart": None, "returns_rows": (), "returns_sentence": ""}
    return {
        "returns_chart": _chart(returns),
        "returns_rows": _rows(returns),
        "returns_sentence": _sentence(returns),
    }


def _chart(returns: Returns) -> ReturnsChart:
    last = next(
        (place for place in range(len(returns.points)) if all(p.cdf[place] >= _SHOWN for p in returns.policies)),
        len(returns.points) - 1,
    )
    points = returns.points[: last + 1]
    axis = Axis(points[0], points[-1] if points[-1] > points[0] else points[0] + 1)
    return ReturnsChart(
        curves=tuple(_curve(policy, points, axis) for policy in reversed(returns.policies)),
        x_ticks=axis.ticks(4),
        y_ticks=Axis(0, 1).ticks(4),
        beyond=max(1 - policy.cdf[last] for policy in returns.policies),
    )


def _curve(policy: ReturnsOf, points: tuple[float, ...], axis: Axis) -> CdfCurve:
    lower, upper = (_steps(bound, points, axis) for bound in (policy.cdf_lower, policy.cdf_upper))
    return CdfCurve(
        role=policy.role,
        line=_joined(_steps(policy.cdf, points, axis)),
        band=_joined([*upper, *reversed(lower)]),
    )


def _steps(shares: tuple[float, ...], points: tuple[float, ...], axis: Axis) -> list[tuple[float, float]]:
    """Return the corners of the step function, which rises at each point and stays until the next."""
    corners, height = [], 0.0
    for point, reached in zip(points, shares, strict=False):  # shares go on beyond the axis
        corners += [(axis.percent(point), height), (axis.percent(point), reached)]
        height = reached
    return [*corners, (100.0, height)]


def _joined(corners: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{round(100 - 100 * y, 2):g}" for x, y in corners)


def _rows(returns: Returns) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return the name of each figure, and for each policy its value and its bounds."""
    named: list[tuple[str, list[Spread | None]]] = [
        (f"The worst {level(returns.tail)}, on average", [policy.worst for policy in returns.policies]),
        ("A quarter earns at most", [policy.quartiles[0] for policy in returns.policies]),
        ("Half earn at most", [policy.quartiles[1] for policy in returns.policies]),
        ("Three quarters earn at most", [policy.quartiles[2] for policy in returns.policies]),
        ("Mean, by these weights", [policy.mean for policy in returns.policies]),
        ("Spread (standard deviation)", [policy.deviation for policy in returns.policies]),
    ]
    return tuple((name, tuple(_cell(spread) for spread in spreads)) for name, spreads in named)


def _cell(spread: Spread | None) -> tuple[str, str]:
    return (number(None), "") if spread is None else (number(spread.value), interval(spread.lower, spread.upper))


def _sentence(returns: Returns) -> str:
    """Return a sentence that says what becomes of the worst episodes."""
    gain, worst, baseline = returns.worst_gain, returns.policies[0].worst, returns.policies[1].name
    which = f"the worst {level(returns.tail)} of episodes"
    if gain is None or worst is None:
        return f"What becomes of {which} can't be told: {returns.worst_refusal}."
    if gain.lower == gain.upper == 0:
        return f"{which.capitalize()} earn the same as under the {baseline}: {number(worst.value)} on average."
    between = f"{signed(gain.value)} ({interval(gain.lower, gain.upper)}) on average"
    if gain.lower > 0:
        return f"{which.capitalize()} would earn more than under the {baseline}, too: {between}."
    if gain.upper < 0:
        return f"{which.capitalize()} would earn less than under the {baseline}: {between}. They pay for a higher mean."
    return f"Whether {which} would earn more or less than under the {baseline} can't be told: {between}."
