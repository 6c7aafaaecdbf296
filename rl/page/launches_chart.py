"""All launches in one picture: what each promised across, what it earned up, both with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

from rl.figures.monitor import LaunchFigures, LedgerFigures
from rl.page.axis import Tick, axis_over


@dataclass(frozen=True)
class LaunchMark:
    """A launch as a cross in a box of 100 by 100; `y`, `low` and `high` count from the top."""

    launch: LaunchFigures
    x: float
    left: float
    right: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class LaunchesChart:
    """Crosses on one axis for both directions, on whose diagonal promises are kept; `zero` is its place from left."""

    marks: tuple[LaunchMark, ...]
    ticks: tuple[Tick, ...]
    zero: float


def launches_chart(ledger: LedgerFigures) -> LaunchesChart | None:
    """Return the picture; None while no launch has both a promise and a gain that was seen."""
    shown = [(one, one.promised, one.earned) for one in ledger.launches]
    known = [(one, promised, earned) for one, promised, earned in shown if promised is not None and earned is not None]
    if not known:
        return None
    ends = [
        end for _, promised, earned in known for end in (promised.lower, promised.upper, earned.lower, earned.upper)
    ]
    axis = axis_over([0.0, *ends])
    marks = tuple(
        LaunchMark(
            launch=one,
            x=axis.percent(promised.value),
            left=axis.percent(promised.lower),
            right=axis.percent(promised.upper),
            y=round(100 - axis.percent(earned.value), 2),
            low=round(100 - axis.percent(earned.lower), 2),
            high=round(100 - axis.percent(earned.upper), 2),
        )
        for one, promised, earned in known
    )
    return LaunchesChart(marks, axis.ticks(4), axis.percent(0.0))
