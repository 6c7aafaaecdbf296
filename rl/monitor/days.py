"""What each served day earned: by arm, against the control group, and as far as it is in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date

from scipy.special import stdtrit

from rl.figures.effects import Bounded
from rl.figures.monitor import ArmFigures, DayFigures, SeenFigures
from rl.monitor.launch_outcomes import Outcome
from rl.monitor.maturity import Maturity, SeenValue, maturities
from rl.monitor.realised import RunningGain, ServedEpisodes, arm_mean, running_gains
from rl.monitor.served_rows import CONTROL, OTHERS

REMEMBERED_DAYS = 120
"""For which it is kept what earlier nights saw of a day's value."""


def day_figures(
    episodes: ServedEpisodes, arm: str, found: Outcome, there: Mapping[int, Maturity], *, horizon: date, level: float
) -> tuple[DayFigures, ...]:
    """Return each day on which the arm had episodes, ascending.

    Args:
        episodes: of all served days.
        arm: of the champion.
        found: what it earned on settled days.
        there: share of value that is in, by age.
        horizon: the night's date.
        level: of the intervals of single days; those of the running gain are `found`'s.
    """
    running = {
        one.day: Bounded(value=interval.value, lower=interval.lower, upper=interval.upper)
        for one, interval in zip(found.gains, found.intervals, strict=True)
    }
    figures, last = [], None
    for day in episodes.of(arm).days:
        of_day = episodes.take(episodes.day == day.toordinal())
        champion, control = (_arm(of_day.of(name), level) for name in (arm, CONTROL))
        is_settled = bool(of_day.is_settled.all())
        last = running.get(day, last)
        early = None if is_settled else there.get((horizon - day).days)
        figures.append(
            DayFigures(
                day=day,
                is_settled=is_settled,
                champion=champion,
                control=control,
                gain=_own_gain(next(running_gains(of_day.counted_for(arm), arm, CONTROL), None), level),
                running=last if is_settled else None,
                there=None if early is None else early.share,
                uncounted=episodes.cut.get(arm, {}).get(day, ""),
                whole=None if early is None or champion is None or early.share <= 0 else champion.value / early.share,
            )
        )
    return tuple(figures)


def _arm(episodes: ServedEpisodes, level: float) -> ArmFigures | None:
    found = arm_mean(episodes)
    if found is None:
        return None
    is_known = math.isfinite(found.standard_error)
    reach = float(stdtrit(found.n_shoppers - 1, (1 + level) / 2)) * found.standard_error if is_known else None
    return ArmFigures(
        n_episodes=found.n_episodes,
        value=found.value,
        lower=None if reach is None else found.value - reach,
        upper=None if reach is None else found.value + reach,
    )


def _own_gain(gain: RunningGain | None, level: float) -> Bounded | None:
    if gain is None or not gain.own_error > 0:
        return None
    reach = float(stdtrit(gain.n_shoppers - 2, (1 + level) / 2)) * gain.own_error
    return Bounded(value=gain.own_value, lower=gain.own_value - reach, upper=gain.own_value + reach)


def values_by_day(episodes: ServedEpisodes) -> dict[date, float]:
    """Return the sum of what each day's episodes earned, whoever decided but the shop itself outside the control."""
    kept = episodes.take(episodes.arm != episodes.arms.index(OTHERS))
    return {day: float(kept.value[kept.day == day.toordinal()].sum()) for day in kept.days}


def shares_there(seen: Sequence[SeenFigures], episodes: ServedEpisodes) -> dict[int, Maturity]:
    """Return which share of a day's value is usually in at each age, from what earlier nights saw of settled days."""
    settled = values_by_day(episodes.take(episodes.is_settled))
    return maturities((SeenValue(one.day, one.age, one.value) for one in seen), settled)


def seen_now(earlier: Sequence[SeenFigures], episodes: ServedEpisodes, horizon: date) -> tuple[SeenFigures, ...]:
    """Return what has been seen of days, tonight's looks at unsettled ones added; the oldest are dropped."""
    unsettled = values_by_day(episodes.take(~episodes.is_settled))
    tonight = [
        SeenFigures(day=day, age=(horizon - day).days, value=value)
        for day, value in unsettled.items()
        if day <= horizon
    ]
    kept = [one for one in earlier if (horizon - one.day).days <= REMEMBERED_DAYS]
    return (*kept, *tonight)
