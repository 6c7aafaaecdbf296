"""Differences between their bounds, as places on one axis through zero."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rl.figures.values import Spread
from rl.page.axis import Axis, Tick, axis_over

# An interval so many times wider than the typical one is cut at the axis' end, so that the others can be read.
_WIDEST = 2.5


@dataclass(frozen=True)
class EffectMark:
    """A difference's place: percents along the axis; cut flags say that the interval goes on beyond it."""

    spread: Spread
    start: float
    width: float
    point: float
    is_cut_low: bool
    is_cut_high: bool

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.spread.lower > 0 or self.spread.upper < 0


@dataclass(frozen=True)
class Effects:
    """Marks in the given order, None where there was no figure; `zero` is the place of no difference."""

    marks: tuple[EffectMark | None, ...]
    zero: float
    ticks: tuple[Tick, ...]
    has_cut: bool


def effects_of(spreads: Sequence[Spread | None]) -> Effects | None:
    """Return the marks and the place of zero; None where no spread is given at all."""
    shown = [spread for spread in spreads if spread is not None]
    if not shown:
        return None
    axis = _axis(shown)
    marks = tuple(None if spread is None else _mark(spread, axis) for spread in spreads)
    has_cut = any(mark is not None and (mark.is_cut_low or mark.is_cut_high) for mark in marks)
    return Effects(marks, axis.percent(0.0), axis.ticks(), has_cut)


def _axis(shown: list[Spread]) -> Axis:
    """Return an axis that holds zero, every point, and intervals up to some times the typical width."""
    reach = _WIDEST * statistics.median(spread.upper - spread.lower for spread in shown)
    ends = [0.0]
    for spread in shown:
        ends += [spread.value, max(spread.lower, spread.value - reach), min(spread.upper, spread.value + reach)]
    return axis_over(ends)


def _mark(spread: Spread, axis: Axis) -> EffectMark:
    start, end = axis.percent(spread.lower), axis.percent(spread.upper)
    return EffectMark(
        spread=spread,
        start=start,
        width=round(end - start, 2),
        point=axis.percent(spread.value),
        is_cut_low=spread.lower < axis.low,
        is_cut_high=spread.upper > axis.high,
    )
