"""Learning curves, one small chart a metric, as SVG points in a box of 100 by 100."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rl.page.axis import Axis, Tick, axis_over
from rl.page.content import Curve

_MAX_POINTS = 150


@dataclass(frozen=True)
class Line:
    """One candidate's curve; `style` numbers the dash pattern and color."""

    candidate: str
    style: int
    points: str
    last: float


@dataclass(frozen=True)
class CurveChart:
    """All candidates' curves of one metric on one split."""

    metric: str
    split: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def charts_of(curves: tuple[Curve, ...]) -> tuple[CurveChart, ...]:
    """One chart for each metric and split, in the order they first appear; curves of one point are left out."""
    names = list(dict.fromkeys(curve.candidate for curve in curves))
    groups: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        if len(_points(curve)) > 1:
            groups.setdefault((curve.metric, curve.split), []).append(curve)
    return tuple(_chart(metric, split, found, names) for (metric, split), found in groups.items())


def _chart(metric: str, split: str, curves: list[Curve], names: list[str]) -> CurveChart:
    points = {curve.candidate: _points(curve) for curve in curves}
    every = [point for found in points.values() for point in found]
    x_axis = Axis(min(x for x, _ in every), max(x for x, _ in every) or 1)
    y_axis = axis_over([y for _, y in every])
    lines = tuple(
        Line(name, names.index(name) % 6, _path(found, x_axis, y_axis), found[-1][1]) for name, found in points.items()
    )
    return CurveChart(metric, split, lines, x_axis.ticks(3), y_axis.ticks(3))


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Finite points, thinned to what a screen can show, the last one kept."""
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
