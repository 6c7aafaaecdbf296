"""Bars by day and small curves, as places in boxes of 100 by 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rl.page.axis import Axis, Tick, axis_over


@dataclass(frozen=True)
class Bar:
    """A day's figure: `top` counts from above, `title` is shown on pointing at it, `is_marked` makes it a warning."""

    left: float
    width: float
    top: float
    height: float
    title: str
    is_marked: bool


@dataclass(frozen=True)
class BarChart:
    """Bars over days; `limit` is the place of a line that bars should stay below, from above."""

    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    limit: float | None


@dataclass(frozen=True)
class DayFigure:
    """What a bar stands for."""

    day: date
    value: float
    title: str
    is_marked: bool = False


def bar_chart(figures: Sequence[DayFigure], *, limit: float | None = None) -> BarChart | None:
    """Return the bars on an axis from zero; None where no day has a figure.

    A limit far above all bars is left out: it would press them flat.
    """
    if not figures:
        return None
    first, last = min(one.day for one in figures), max(one.day for one in figures)
    n_days = (last - first).days + 1
    most = max(one.value for one in figures)
    shown = limit if limit is not None and limit <= 4 * most else None
    y_axis = Axis(0.0, 1.06 * max(most, shown or 0.0) or 1.0)
    width = 100 / n_days
    return BarChart(
        bars=tuple(_bar(one, (one.day - first).days, width, y_axis) for one in figures),
        x_ticks=_day_ticks(first, n_days),
        y_ticks=y_axis.ticks(3),
        limit=None if shown is None else round(100 - y_axis.percent(shown), 2),
    )


def sparkline(values: Sequence[float]) -> str:
    """Return the points of a small curve from zero; empty where there are fewer than two values."""
    if len(values) < 2:
        return ""
    axis = axis_over([0.0, *values])
    steps = len(values) - 1
    return " ".join(f"{100 * n / steps:.2f},{100 - axis.percent(value):.2f}" for n, value in enumerate(values))


def _bar(figure: DayFigure, place: int, width: float, axis: Axis) -> Bar:
    height = axis.percent(figure.value)
    return Bar(
        left=round((place + 0.12) * width, 2),
        width=round(0.76 * width, 2),
        top=round(100 - height, 2),
        height=height,
        title=f"{figure.day}: {figure.title}",
        is_marked=figure.is_marked,
    )


def _day_ticks(first: date, n_days: int) -> tuple[Tick, ...]:
    """Return the first day and the last, and one between where there is room."""
    places = sorted({0, n_days - 1} | ({n_days // 2} if n_days > 6 else set()))
    days = (date.fromordinal(first.toordinal() + n) for n in places)
    return tuple(
        Tick(round(100 * (n + 0.5) / n_days, 2), f"{day.day} {day:%b}") for n, day in zip(places, days, strict=True)
    )
