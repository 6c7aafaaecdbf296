"""A day's look at a launch: what its present stage shows, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from conf.specs.rollout import Rollout
from rl.registry.launches import Launch, Look
from rl.rollout.comparison import compare
from rl.rollout.mismatch import size_mismatch
from rl.rollout.served_values import ServedRows, StageValues, date_of, stage_values
from rl.rollout.stage_rule import Evidence, StageLook, judge_stage


def look_at(
    rollout: Rollout, launch: Launch, rows: ServedRows, *, gets_new: Callable[[str, float], bool], day: date
) -> Look:
    """Return what the launch's present stage shows as of a day, and what follows.

    Args:
        rollout: what the scenario says.
        launch: that is being rolled out.
        rows: served from before the launch up to the day.
        gets_new: whether a shopper is among a share who get the new version.
        day: last business date of the rows.
    """
    stage = launch.stages[-1]
    first_day = stage.first_day or day
    found = stage_values(
        rows,
        gets_new=lambda shopper: gets_new(shopper, stage.share),
        launched=launch.served_since or first_day,
        first_day=first_day,
        horizon=day,
        covariate_days=rollout.covariate_days,
    )
    if isinstance(found, str):
        return Look(day=day, decision="hold", why=found)
    evidence = judge_stage(
        rollout,
        StageLook(
            share=stage.share,
            n_days=found.days.n,
            found=compare(found.units),
            mismatch=size_mismatch(found.n_first_new, found.n_first_replaced, stage.share),
            stray=found.stray,
            scheduled=_scheduled(rollout, stage.looks, found, day),
        ),
    )
    return _told(day, found, evidence)


def first_day_read(rollout: Rollout, launch: Launch, day: date) -> date:
    """Return the first date whose rows a look needs: what shoppers were worth before the launch counts too."""
    launched = launch.served_since or day
    return date_of((launched - date_of(0)).days - rollout.covariate_days)


def _scheduled(rollout: Rollout, looks: Sequence[Look], found: StageValues, day: date) -> int:
    """Return the number of the scheduled look that is due; 0 where none is, or an earlier day's look was that one."""
    if rollout.schedule is None:
        return 0
    number = found.days.n // rollout.schedule.days
    counted = [_n_days(one) for one in looks if one.day < day]
    return number if number > max(counted, default=0) // rollout.schedule.days else 0


def _n_days(look: Look) -> int:
    return 0 if look.first_day is None or look.last_day is None else (look.last_day - look.first_day).days + 1


def _told(day: date, found: StageValues, evidence: Evidence) -> Look:
    comparison = evidence.comparison
    n_new = int(found.units.is_new.sum())
    return Look(
        day=day,
        decision=evidence.decision,
        why=evidence.why,
        first_day=date_of(found.days.first),
        last_day=date_of(found.days.last),
        n_new=n_new,
        n_replaced=len(found.units.is_new) - n_new,
        new_mean=None if comparison is None else comparison.new_mean,
        replaced_mean=None if comparison is None else comparison.replaced_mean,
        gain=None if comparison is None else comparison.gain,
        standard_error=None if comparison is None else comparison.standard_error,
        lower=evidence.lower,
        upper=evidence.upper,
        level=evidence.level,
        mismatch=evidence.mismatch,
        scheduled=evidence.scheduled,
    )
