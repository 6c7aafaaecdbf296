"""What follows from a look at a stage: it grows, holds, retreats, or the launch is complete."""

from __future__ import annotations

import math
from dataclasses import dataclass

from conf.specs.rollout import Rollout, Schedule
from rl.page.wording import counted
from rl.registry.launches import LookDecision, ScheduledBound
from rl.rollout.bounds import anytime_reach, scheduled_reach
from rl.rollout.comparison import Comparison
from rl.rollout.mismatch import SURELY_MISMATCHED

MOST_STRAY = 0.01
"""Share of decisions by another version than their shopper's arm has, beyond which a stage doesn't grow."""


@dataclass(frozen=True)
class StageLook:
    """What is seen of a stage at one look.

    Attributes:
        share: of the shoppers who get the new version.
        n_days: business days whose decisions are counted.
        found: the arms' comparison, or in words why there is none.
        mismatch: p-value of the arms' sizes.
        stray: share of decisions by another version than their shopper's arm has.
        scheduled: which scheduled look of the stage this is, from 1; 0 where none is due.
    """

    share: float
    n_days: int
    found: Comparison | str
    mismatch: float = 1.0
    stray: float = 0.0
    scheduled: int = 0


@dataclass(frozen=True)
class Evidence:
    """What a look comes to.

    Attributes:
        decision: what follows.
        why: in one sentence.
        comparison: None where the arms can't be compared yet.
        lower: bound of the gain; None likewise.
        upper: likewise.
        level: one-sided, that each bound spends over all looks of the stage.
        mismatch: p-value of the arms' sizes.
        scheduled: what decided growth where a scheduled look did; else None.
    """

    decision: LookDecision
    why: str
    comparison: Comparison | None
    lower: float | None
    upper: float | None
    level: float
    mismatch: float
    scheduled: ScheduledBound | None = None


def judge_stage(rollout: Rollout, look: StageLook) -> Evidence:
    """Return what follows from a look.

    The level of a launch is divided equally among the stages that are tested. The new version retreats once the upper
    bound of its gain is below 0, whatever else holds: going back is safe. It grows once the lower bound is above minus
    the margin, with the days that a stage needs, arms of the right sizes, and decisions that are those of their arms;
    on a schedule by margin and level of `scheduled_margin`.

    Args:
        rollout: what the scenario says.
        look: what is seen.
    """
    level = rollout.level / rollout.n_tested
    found = look.found
    if isinstance(found, str):
        return Evidence("hold", _sized(look) or found, None, None, None, level, look.mismatch)
    reach = anytime_reach(found.standard_error, level=level, margin=rollout.margin)
    lower, upper = found.gain - reach, found.gain + reach
    bound = _scheduled_bound(rollout, look, found)
    decision, why = _decided(rollout, look, found, lower=lower, upper=upper, bound=bound)
    decided_it = bound if upper >= 0 and not (_sized(look) or _strayed(look)) else None
    return Evidence(decision, why, found, lower, upper, level, look.mismatch, decided_it)


def _decided(
    rollout: Rollout, look: StageLook, found: Comparison, *, lower: float, upper: float, bound: ScheduledBound | None
) -> tuple[LookDecision, str]:
    if upper < 0:
        return "retreat", f"it earns less a shopper: {found.gain:+.1%}, at most {upper:+.1%}"
    if problem := _sized(look) or _strayed(look):
        return "hold", problem
    if rollout.schedule is not None:
        is_shown, why = _on_schedule(rollout, rollout.schedule, look, found, bound)
    elif look.n_days < rollout.min_days:
        is_shown, why = False, f"{look.n_days} of {counted(rollout.min_days, 'day is', 'days are')} counted"
    else:
        is_shown, why = lower > -rollout.margin, _against_margin(found, lower, rollout.margin)
        if not is_shown:
            why += _shoppers_missing(found, reach=found.gain - lower, margin=rollout.margin)
    if not is_shown:
        return "hold", why
    return ("complete" if rollout.next_share(look.share) == 1 else "grow"), why


def _scheduled_bound(rollout: Rollout, look: StageLook, found: Comparison) -> ScheduledBound | None:
    if rollout.schedule is None or not look.scheduled:
        return None
    margin, level = scheduled_margin(rollout, rollout.schedule, look.share)
    reach = scheduled_reach(found.standard_error, level=level, look=look.scheduled)
    return ScheduledBound(number=look.scheduled, lower=found.gain - reach, level=level, margin=margin)


def _on_schedule(
    rollout: Rollout, schedule: Schedule, look: StageLook, found: Comparison, bound: ScheduledBound | None
) -> tuple[bool, str]:
    if bound is None:
        due = schedule.days - look.n_days % schedule.days
        return False, f"growth is decided every {counted(schedule.days, 'day')} of a stage, next after {due} more"
    against = _against_margin(found, bound.lower, bound.margin)
    if bound.lower > -bound.margin:
        return True, against
    stays = f"stays at {look.share:.0%}: " if rollout.next_share(look.share) > schedule.beyond.share else ""
    missing = _days_missing(look, found, reach=found.gain - bound.lower, margin=bound.margin)
    return False, stays + against + missing


def scheduled_margin(rollout: Rollout, schedule: Schedule, share: float) -> tuple[float, float]:
    """Return margin and level, one-sided over a stage's looks, by which the stage of a share grows on a schedule.

    Past `beyond.share` neither is looser than what let the version come so far.
    """
    level = rollout.level / rollout.n_tested
    if rollout.next_share(share) <= schedule.beyond.share:
        return schedule.margin, level
    return min(schedule.margin, schedule.beyond.margin), min(level, schedule.beyond.level)


def _against_margin(found: Comparison, lower: float, margin: float) -> str:
    word = "within" if lower > -margin else "not shown to be within"
    return f"{word} the margin of {margin:.0%}: {found.gain:+.1%} a shopper, at least {lower:+.1%}"


def _shoppers_missing(found: Comparison, *, reach: float, margin: float) -> str:
    """Return about how many times the shoppers would show a version as good as this one is seen to be."""
    times = _times_missing(found, reach=reach, margin=margin)
    return (
        "" if times is None else f"; about {times:g} times these shoppers would show it, if it is as good as it looks"
    )


def _days_missing(look: StageLook, found: Comparison, *, reach: float, margin: float) -> str:
    """Return how many shoppers of the smaller arm would show it, and after how many days of the stage at the soonest.

    Most of who comes later was there before, so that shoppers never grow faster than days do.
    """
    times = _times_missing(found, reach=reach, margin=margin)
    if times is None:
        return f"; no number of shoppers would show it while it looks as far below as {found.gain:+.1%}"
    n_smaller = math.ceil(times * min(found.n_new, found.n_replaced))
    return (
        f"; some {n_smaller:,} shoppers of the smaller arm would show it, if it is as good as it looks: after "
        f"{math.ceil(times * look.n_days)} days of this share at the soonest"
    )


def _times_missing(found: Comparison, *, reach: float, margin: float) -> float | None:
    """Return how many times the shoppers it takes, rounded up; None where the estimate itself is below the margin."""
    room = found.gain + margin
    return None if room <= 0 else math.ceil((reach / room) ** 2 * 10) / 10


def _sized(look: StageLook) -> str:
    if look.mismatch >= SURELY_MISMATCHED:
        return ""
    return (
        f"the arms are not as large as {look.share:g} draws them (p = {look.mismatch:.1g}): shoppers or decisions of "
        "one went missing; find out where before it grows"
    )


def _strayed(look: StageLook) -> str:
    if look.stray <= MOST_STRAY:
        return ""
    return (
        f"{look.stray:.1%} of the decisions are by another version than their shopper's: some service serves something "
        "else"
    )
