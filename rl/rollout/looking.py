"""A day's look at a launch: what its present stage shows, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from conf.specs.rollout import Rollout
from rl.registry.launches import LastingGain, Launch, Look
from rl.rollout.comparison import compare
from rl.rollout.mismatch import size_mismatch
from rl.rollout.returning import HISTORY_DAYS, return_days
from rl.rollout.rewarded import fewer_rewarded
from rl.rollout.served_values import (
    ServedRows,
    StageAsked,
    StageDays,
    StageShares,
    StageValues,
    date_of,
    stage_values,
)
from rl.rollout.stage_rule import Evidence, GainBounds, StageLook, judge_stage


def look_at(
    rollout: Rollout,
    launch: Launch,
    rows: ServedRows,
    *,
    lot: Callable[[str], int],
    day: date,
    is_off: bool = False,
    off: frozenset[date] = frozenset(),
) -> Look:
    """Return what the launch's present stage shows as of a day, and what follows.

    Args:
        rollout: what the scenario says.
        launch: that is being rolled out.
        rows: served from before the launch up to the day.
        lot: of a shopper in the version's draw, as `rollout_lot` has it.
        day: last business date of the rows.
        is_off: whether a person has turned the service off.
        off: days on which it was, for some time.
    """
    stage = launch.stages[-1]
    first_day = stage.first_day or day
    launched = launch.served_since or first_day
    shares = (0.0, *launch.served_shares)
    asked = StageAsked(
        shares=StageShares(first=shares[1], former=shares[-2], present=shares[-1]),
        launched=launched,
        first_day=first_day,
        horizon=day,
        covariate_days=rollout.covariate_days,
        return_days=rollout.lasting.days or return_days(rows, launched),
        off=off,
    )
    lots = np.fromiter((lot(name) for name in rows.names), dtype=np.uint64, count=len(rows.names))
    found = stage_values(rows, lots, asked)
    if isinstance(found, str):
        return Look(day=day, decision="hold", why=found)
    scheduled = _scheduled(rollout, stage.looks, found.stage.days, day)
    return _told(day, asked, found, judged(rollout, asked, found, scheduled=scheduled, is_off=is_off))


def judged(
    rollout: Rollout, asked: StageAsked, found: StageValues, *, scheduled: int, is_off: bool = False
) -> Evidence:
    """Return what follows from a stage's values.

    Args:
        rollout: what the scenario says.
        asked: shares and days of the values.
        found: the values.
        scheduled: number of the scheduled look, 0 where none is due.
        is_off: whether a person has turned the service off.
    """
    lasting = found.lasting
    p_values = [size_mismatch(one.n_new, one.n_replaced, one.share) for one in found.sizes]
    look = StageLook(
        share=asked.shares.present,
        n_days=found.stage.days.n,
        found=compare(found.stage.units),
        lasting=_not_yet(found, asked) if lasting is None else compare(lasting.units),
        few=fewer_rewarded(found.stage.units, found.stage.share),
        lasting_few=1.0 if lasting is None else fewer_rewarded(lasting.units, lasting.share),
        mismatch=min(1.0, len(p_values) * min(p_values)),
        stray=found.stray,
        scheduled=scheduled,
        silent=found.silent,
        is_off=is_off,
    )
    return judge_stage(rollout, look)


def first_day_read(rollout: Rollout, launch: Launch, day: date) -> date:
    """Return the first date whose rows a look needs: who was known before the launch, and what they were worth."""
    launched = launch.served_since or day
    return date_of((launched - date_of(0)).days - max(rollout.covariate_days, HISTORY_DAYS))


def _not_yet(found: StageValues, asked: StageAsked) -> str:
    if found.lasting_from is None:
        return f"none was served by a share of {asked.shares.first:g} on any day since {asked.launched}"
    return f"most come back within {asked.return_days} days: they are compared from {found.lasting_from} on"


def _scheduled(rollout: Rollout, looks: Sequence[Look], days: StageDays, day: date) -> int:
    """Return the number of the scheduled look that is due; 0 where none is, or an earlier day's look was that one."""
    if rollout.schedule is None:
        return 0
    number = days.n // rollout.schedule.days
    counted = [_n_days(one) for one in looks if one.day < day]
    return number if number > max(counted, default=0) // rollout.schedule.days else 0


def _n_days(look: Look) -> int:
    return 0 if look.first_day is None or look.last_day is None else (look.last_day - look.first_day).days + 1


def _told(day: date, asked: StageAsked, found: StageValues, evidence: Evidence) -> Look:
    gain, units = evidence.stage, found.stage.units
    n_new = int(units.is_new.sum())
    return Look(
        day=day,
        decision=evidence.decision,
        why=evidence.why,
        first_day=date_of(found.stage.days.first),
        last_day=date_of(found.stage.days.last),
        n_new=n_new,
        n_replaced=len(units.is_new) - n_new,
        new_mean=None if gain is None else gain.found.new_mean,
        replaced_mean=None if gain is None else gain.found.replaced_mean,
        gain=None if gain is None else gain.found.gain,
        standard_error=None if gain is None else gain.found.standard_error,
        lower=None if gain is None else gain.lower,
        upper=None if gain is None else gain.upper,
        level=evidence.level,
        mismatch=evidence.look.mismatch,
        scheduled=evidence.scheduled,
        former_share=asked.shares.former,
        few_rewarded=evidence.look.few,
        lasting=_lasting(found, evidence.lasting),
        lasting_few_rewarded=evidence.look.lasting_few,
    )


def _lasting(found: StageValues, gain: GainBounds | None) -> LastingGain | None:
    if gain is None or found.lasting_from is None:
        return None
    return LastingGain(
        first_day=found.lasting_from,
        n_new=gain.found.n_new,
        n_replaced=gain.found.n_replaced,
        gain=gain.found.gain,
        standard_error=gain.found.standard_error,
        lower=gain.lower,
        upper=gain.upper,
    )
