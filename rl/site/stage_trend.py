"""Whether a night became slower: each stage's seconds beside what is usual, and how fast that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from statistics import median

from rl.site.nights import STAGES, WHOLE

TOTAL = "all stages"
START_TO_END = "training, start to end"
_LEAST_NIGHTS = 4
"""So many nights are needed before anything is called a trend."""
_SLOWER = 1.5
_SLOWER_BY_SECONDS = 10.0


@dataclass(frozen=True)
class StageTrend:
    """A stage's seconds over nights.

    Attributes:
        stage: its name.
        days: of the nights whose seconds are known, ascending.
        seconds: on each.
        usual: median of the nights before the last; None where the last is the only one.
        weekly: how much a night takes longer each week, the median of all pairs' slopes (Theil and Sen, which a single
            slow night doesn't move); None before there are enough nights.
    """

    stage: str
    days: tuple[date, ...]
    seconds: tuple[float, ...]
    usual: float | None
    weekly: float | None

    @property
    def last(self) -> float:
        return self.seconds[-1]

    @property
    def is_slower(self) -> bool:
        """Whether the last night took half as long again as usual, and ten seconds more at least."""
        if self.usual is None or len(self.days) < _LEAST_NIGHTS:
            return False
        return self.last > _SLOWER * self.usual and self.last - self.usual > _SLOWER_BY_SECONDS


def stage_trends(nights: Sequence[tuple[date, Mapping[str, float]]]) -> tuple[StageTrend, ...]:
    """Return the trend of each stage that any night has seconds of, of their sum, and of the whole run that trains.

    That run takes less than its stages where they go side by side, and more where they wait. The sum is of nights that
    know every stage which any night knows: others would look shorter than they were.

    Args:
        nights: date and seconds by stage, the oldest first.
    """
    stages = [stage for stage in STAGES if any(stage in seconds for _, seconds in nights)]
    trends = [_trend(stage, [(day, told[stage]) for day, told in nights if stage in told]) for stage in stages]
    summed = [(day, sum(told[stage] for stage in stages)) for day, told in nights if set(told) >= set(stages)]
    trends += [_trend(TOTAL, summed)] if summed and len(stages) > 1 else []
    whole = [(day, told[WHOLE]) for day, told in nights if WHOLE in told]
    return (*trends, *([_trend(START_TO_END, whole)] if whole else []))


def _trend(stage: str, found: Sequence[tuple[date, float]]) -> StageTrend:
    days, seconds = zip(*found, strict=True)
    return StageTrend(
        stage=stage,
        days=days,
        seconds=seconds,
        usual=median(seconds[:-1]) if len(seconds) > 1 else None,
        weekly=_weekly(found) if len(found) >= _LEAST_NIGHTS else None,
    )


def _weekly(found: Sequence[tuple[date, float]]) -> float:
    slopes = [(b - a) / (later - earlier).days for (earlier, a), (later, b) in combinations(found, 2)]
    return 7 * median(slopes)
