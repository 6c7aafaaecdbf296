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
from rl.rollout.silence import SilentDays

MOST_STRAY = 0.01
"""Share of decisions by another version than their shopper's arm has, beyond which a stage doesn't grow."""

_WAYS_TO_RETREAT = 4
"""By the stage's values, by those of the shoppers drawn first, and for each by how few bring anything."""


@dataclass(frozen=True)
class StageLook:
    """What is seen of a stage at one look.

    Attributes:
        share: of the shoppers who get the new version.
        n_days: business days whose decisions are counted.
        found: the arms' comparison, or in words why there is none.
        lasting: that of the shoppers drawn in the first stage once most have come back, or in words why there is none.
        few: p-value of the rewarded shoppers' number in the new arm, over all looks; 1 where values are compared.
        lasting_few: likewise, of the shoppers drawn in the first stage.
        mismatch: p-value of the arms' sizes.
        stray: share of decisions by another version than their shopper's arm has.
        scheduled: which scheduled look of the stage this is, from 1; 0 where none is due.
        silent: last days of the stage on which the version decided for nobody; None where there are none.
        is_off: whether a person has turned the service off, so that no version decides.
    """

    share: float
    n_days: int
    found: Comparison | str
    lasting: Comparison | str = "nobody was compared"
    few: float = 1.0
    lasting_few: float = 1.0
    mismatch: float = 1.0
    stray: float = 0.0
    scheduled: int = 0
    silent: SilentDays | None = None
    is_off: bool = False


@dataclass(frozen=True)
class GainBounds:
    """A comparison's gain with its bounds, each of which holds at all looks of a stage."""

    found: Comparison
    lower: float
    upper: float


@dataclass(frozen=True)
class Evidence:
    """What a look comes to.

    Attributes:
        look: what was seen.
        decision: what follows.
        why: in one sentence.
        level: one-sided, that each bound spends over all looks of the stage at most.
        stage: bounds of the gain; None where the arms can't be compared yet.
        lasting: likewise, of the shoppers drawn in the first stage.
        scheduled: what decided growth where a scheduled look did; else None.
    """

    look: StageLook
    decision: LookDecision
    why: str
    level: float
    stage: GainBounds | None
    lasting: GainBounds | None
    scheduled: ScheduledBound | None = None


def judge_stage(rollout: Rollout, look: StageLook) -> Evidence:
    """Return what follows from a look.

    The level of a launch is divided equally among the stages that are tested; of a stage's part each of the ways to
    retreat spends a quarter. The new version retreats once an upper bound of its gain is below 0, or where a value
    can't be compared since too few of its shoppers bring anything, whatever else holds: going back is safe. It also
    does once it decided for nobody on the last `min_days`, whatever its shoppers brought by the fallback, unless a
    person turned the service off; it doesn't grow meanwhile. It grows
    once the lower bound is above minus the margin, with the days that a stage needs, arms of the right sizes, and
    decisions that are those of their arms; on a schedule by margin and level of `scheduled_margin`. Past
    `lasting.share` the shoppers drawn first, too, must have been shown to bring no less than `lasting.margin` below.

    Args:
        rollout: what the scenario says.
        look: what is seen.
    """
    level, of_retreat = rollout.level / rollout.n_tested, _retreat_level(rollout)
    stage = _bounds(look.found, margin=rollout.margin, level=level, retreat_level=of_retreat)
    margin = _lasting_margin(rollout)
    lasting = _bounds(look.lasting, margin=margin, level=rollout.level, retreat_level=of_retreat)
    bound = None if stage is None else _scheduled_bound(rollout, look, stage.found)
    decision, why = _decided(rollout, look, stage, lasting, bound)
    is_by_schedule = decision != "retreat" and not (_sized(look) or _strayed(look) or look.silent)
    return Evidence(look, decision, why, level, stage, lasting, bound if is_by_schedule else None)


def _bounds(found: Comparison | str, *, margin: float, level: float, retreat_level: float) -> GainBounds | None:
    if isinstance(found, str):
        return None
    error, gain = found.standard_error, found.gain
    return GainBounds(
        found,
        gain - anytime_reach(error, level=level, margin=margin),
        gain + anytime_reach(error, level=retreat_level, margin=margin),
    )


def _retreat_level(rollout: Rollout) -> float:
    """Return what each way to retreat spends over all looks of a stage."""
    return rollout.level / rollout.n_tested / _WAYS_TO_RETREAT


def _lasting_margin(rollout: Rollout) -> float:
    schedule = rollout.schedule
    return rollout.lasting.margin if schedule is None else max(rollout.lasting.margin, schedule.margin)


def _decided(
    rollout: Rollout,
    look: StageLook,
    stage: GainBounds | None,
    lasting: GainBounds | None,
    bound: ScheduledBound | None,
) -> tuple[LookDecision, str]:
    problem = "; ".join(one for one in (_silent(look), _sized(look)) if one)
    if worse := _worse(rollout, look, stage, lasting):
        return "retreat", "; ".join(one for one in (worse, problem) if one)
    if _is_dead(rollout, look):
        return "retreat", problem
    if problem:
        return "hold", problem
    if stage is None:
        return "hold", str(look.found)
    found = stage.found
    if problem := _strayed(look):
        return "hold", problem
    if rollout.schedule is not None:
        is_shown, why = _on_schedule(rollout, rollout.schedule, look, found, bound)
    elif look.n_days < rollout.min_days:
        is_shown, why = False, f"{look.n_days} of {counted(rollout.min_days, 'day is', 'days are')} counted"
    else:
        is_shown, why = stage.lower > -rollout.margin, _against_margin(found, stage.lower, rollout.margin)
        if not is_shown:
            why += _shoppers_missing(found, reach=found.gain - stage.lower, margin=rollout.margin)
    if not is_shown:
        return "hold", why
    if rollout.next_share(look.share) > rollout.lasting.share and (problem := _not_lasting(rollout, look, lasting)):
        return "hold", f"stays at {look.share:.0%}: {problem}"
    return ("complete" if rollout.next_share(look.share) == 1 else "grow"), why


def _worse(rollout: Rollout, look: StageLook, stage: GainBounds | None, lasting: GainBounds | None) -> str:
    """Return in words how the version is shown to be worse; nothing where it isn't."""
    level = _retreat_level(rollout)
    if stage is not None and stage.upper < 0:
        return f"it earns less a shopper: {stage.found.gain:+.1%}, at most {stage.upper:+.1%}"
    if look.few <= level:
        return f"too few of its shoppers bring anything (p = {look.few:.1g}): {look.found}"
    if lasting is not None and lasting.upper < 0:
        return (
            f"the shoppers who were drawn first bring less since most have come back: {lasting.found.gain:+.1%} a "
            f"shopper, at most {lasting.upper:+.1%}"
        )
    if look.lasting_few <= level:
        return (
            "too few of the shoppers who were drawn first bring anything since most have come back "
            f"(p = {look.lasting_few:.1g}): {look.lasting}"
        )
    return ""


def _not_lasting(rollout: Rollout, look: StageLook, lasting: GainBounds | None) -> str:
    """Return in words why it isn't shown that what the version earns lasts; nothing where it is."""
    if lasting is None:
        return f"of the shoppers who were drawn first, {look.lasting}"
    margin = _lasting_margin(rollout)
    if lasting.lower > -margin:
        return ""
    told = _against_margin(lasting.found, lasting.lower, margin)
    missing = _shoppers_missing(lasting.found, reach=lasting.found.gain - lasting.lower, margin=margin)
    return f"the shoppers who were drawn first, since most have come back, are {told}{missing}"


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


def _is_dead(rollout: Rollout, look: StageLook) -> bool:
    """Return whether the version has decided for nobody for so long that it goes back without a look at values."""
    return look.silent is not None and look.silent.n_days >= rollout.min_days and not look.is_off


def _silent(look: StageLook) -> str:
    silent = look.silent
    if silent is None:
        return ""
    if look.is_off:
        why = "it is turned off (`make on`)"
    else:
        why = "see whether the service can load it, and whether it knows what is on offer"
    return (
        f"it has decided for nobody since {silent.first} ({counted(silent.n_days, 'day')}), while the others were "
        f"decided for: of {counted(silent.n_decisions, 'decision')} of its shoppers the fallback made "
        f"{silent.n_fallback}; {why}"
    )


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
