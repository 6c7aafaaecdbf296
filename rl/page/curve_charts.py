"""Learning curves, one small chart for each algorithm and metric, as SVG points in a box of 100 by 100."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rl.learning.curves import Curve
from rl.page.axis import Axis, Tick, axis_over

_MAX_POINTS = 150
_N_DASHES = 4


@dataclass(frozen=True)
class Line:
    """A candidate's curve on one split; the split has a color, the candidate (by its place) a dash pattern."""

    candidate: str
    split: str
    dash: int
    points: str
    last: float


@dataclass(frozen=True)
class CurveChart:
    """A metric of all candidates of one algorithm, on all splits."""

    algorithm: str
    metric: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def charts_of(curves: tuple[Curve, ...]) -> tuple[CurveChart, ...]:
    """Return the charts in the order in which algorithms and metrics first appear, without curves of one point."""
    groups: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        if len(_points(curve)) > 1:
            groups.setdefault((_algorithm(curve.candidate), curve.metric), []).append(curve)
    return tuple(_chart(algorithm, metric, found) for (algorithm, metric), found in groups.items())


def _chart(algorithm: str, metric: str, curves: list[Curve]) -> CurveChart:
    names = list(dict.fromkeys(curve.candidate for curve in curves))
    points = [_points(curve) for curve in curves]
    every = [point for found in points for point in found]
    first = min(x for x, _ in every)
    x_axis = Axis(first, max(first + 1, *(x for x, _ in every)))
    y_axis = axis_over([y for _, y in every])
    lines = tuple(
        Line(
            candidate=curve.candidate,
            split=curve.split,
            dash=names.index(curve.candidate) % _N_DASHES,
            points=_path(found, x_axis, y_axis),
            last=found[-1][1],
        )
        for curve, found in zip(curves, points, strict=True)
    )
    return CurveChart(algorithm, metric, lines, x_axis.ticks(3), y_axis.ticks(3))


def _algorithm(candidate: str) -> str:
    """Return the candidate's name without its seed."""
    return candidate.rpartition("-")[0] or candidate


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Return the finite points, thinned to what a screen can show, the last one kept."""
    pairs = [
        (float(update), value)
        for update, value in zip(curve.updates, curve.values, strict=True)
        if value is not None and math.isfinite(value)
    ]
    stride = max(1, math.ceil(len(pairs) / _MAX_POINTS))
    kept = pairs[::stride]
    return kept if not pairs or kept[-1] == pairs[-1] else [*kept, pairs[-1]]


def _path(points: list[tuple[float, float]], x_axis: Axis, y_axis: Axis) -> str:
    return " ".join(f"{x_axis.percent(x):g},{round(100 - y_axis.percent(y), 2):g}" for x, y in points)
