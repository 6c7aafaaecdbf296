"""Shoppers' values since a stage began, from the transitions of what was served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rl.rollout.comparison import BoolArray, FloatArray, IntArray, StageUnits
from rl.rollout.stage_rule import MOST_STRAY


@dataclass(frozen=True)
class ServedRows:
    """Decisions that were served or logged, one row each, of dates in any order.

    Attributes:
        shopper: number of each row's shopper, `(n_rows,)`.
        names: pseudonym by number, `(n_shoppers,)`.
        day: business date of the row, days since the epoch, `(n_rows,)`.
        reward: attributed to it, in the scenario's unit, `(n_rows,)`.
        is_settled: whether its attribution has closed, `(n_rows,)`.
        is_new_version: whether the new version decided it, `(n_rows,)`.
        is_replaced_version: whether what it replaces did, `(n_rows,)`; neither: a fallback, or another version.
    """

    shopper: IntArray
    names: tuple[str, ...]
    day: IntArray
    reward: FloatArray
    is_settled: BoolArray
    is_new_version: BoolArray
    is_replaced_version: BoolArray


@dataclass(frozen=True)
class StageDays:
    """Which days of a stage count.

    Attributes:
        first: first day on which the shares were in force, days since the epoch.
        last: last day all of whose decisions have their attribution closed; both arms count up to it.
    """

    first: int
    last: int

    @property
    def n(self) -> int:
        """Number of days, those on which nobody came included."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class StageValues:
    """A stage as its shoppers' values.

    Attributes:
        days: that count.
        units: shoppers with their values.
        n_first_new: of the shoppers who came for the first time since the launch, those who get the new version.
        n_first_replaced: those who don't.
        stray: share of the stage's decisions by the other arm's version.
    """

    days: StageDays
    units: StageUnits
    n_first_new: int
    n_first_replaced: int
    stray: float


_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return the date as days since the epoch."""
    return (day - _EPOCH).days


def date_of(number: int) -> date:
    """Return the date of days since the epoch."""
    return _EPOCH + timedelta(days=number)


def stage_values(
    rows: ServedRows,
    *,
    gets_new: Callable[[str], bool],
    launched: date,
    first_day: date,
    horizon: date,
    covariate_days: int,
) -> StageValues | str:
    """Return the stage's shoppers with their values, or in words why nothing counts yet.

    A day counts once every decision up to it has its attribution closed, in both arms: an arm that has grown has the
    younger decisions, and would be credited less. Days before the shares were in force, the day of a growth among
    them, don't count. Arms are what shoppers were drawn to, whatever decided for them.

    Args:
        rows: of shoppers that aren't held out.
        gets_new: whether a shopper is drawn to get the new version.
        launched: first day of the launch.
        first_day: first day of the stage that may count.
        horizon: last date of the rows.
        covariate_days: days before the launch that tell what a shopper is worth anyway.
    """
    drawn = np.fromiter((gets_new(name) for name in rows.names), dtype=np.bool_, count=len(rows.names))
    is_new = drawn[rows.shopper]
    is_stray = np.where(is_new, rows.is_replaced_version, rows.is_new_version)
    decided = rows.is_new_version | rows.is_replaced_version
    found = _days(rows, is_stray, decided, day_number(first_day), day_number(horizon))
    if isinstance(found, str):
        return found
    counted = decided & (rows.day >= found.first) & (rows.day <= found.last)
    earliest = _earliest_day(rows, decided & (rows.day >= day_number(launched)) & (rows.day <= found.last))
    before = (rows.day < day_number(launched)) & (rows.day >= day_number(launched) - covariate_days)
    entry = _earliest_day(rows, counted)
    here = entry < _NEVER
    # A fallback's rewards count as its shopper's, once they are in the stage.
    of_stage = (rows.day >= entry[rows.shopper]) & (rows.day <= found.last)
    units = StageUnits(
        is_new=drawn[here],
        entry=(entry - found.first)[here],
        value=_sums(rows, of_stage)[here],
        before=_sums(rows, before)[here],
    )
    is_first = here & (earliest >= found.first)
    n_first_new = int((is_first & drawn).sum())
    stray = float(is_stray[counted].mean()) if counted.any() else 0.0
    return StageValues(found, units, n_first_new, int(is_first.sum()) - n_first_new, stray)


_NEVER = np.iinfo(np.int64).max


def _days(rows: ServedRows, is_stray: BoolArray, decided: BoolArray, first_day: int, horizon: int) -> StageDays | str:
    open_days = rows.day[~rows.is_settled & (rows.day >= first_day)]
    last = min(int(open_days.min()) - 1 if len(open_days) else horizon, horizon)
    for first in range(first_day, last + 1):
        on_day = decided & (rows.day == first)
        if on_day.any() and is_stray[on_day].mean() <= MOST_STRAY and _has_new(rows, on_day):
            return StageDays(first, last)
    if last < first_day:
        return f"no day since {date_of(first_day)} has its attribution closed yet"
    return f"no day from {date_of(first_day)} to {date_of(last)} was served by these shares yet"


def _has_new(rows: ServedRows, on_day: BoolArray) -> bool:
    return bool(rows.is_new_version[on_day].any())


def _earliest_day(rows: ServedRows, chosen: BoolArray) -> IntArray:
    """Return the first of the chosen rows' days by shopper, `_NEVER` of who has none, `(n_shoppers,)`."""
    found = np.full(len(rows.names), _NEVER, dtype=np.int64)
    np.minimum.at(found, rows.shopper[chosen], rows.day[chosen])
    return found


def _sums(rows: ServedRows, chosen: BoolArray) -> FloatArray:
    """Return the chosen rows' rewards summed by shopper, `(n_shoppers,)`."""
    sums = np.zeros(len(rows.names), dtype=np.float64)
    np.add.at(sums, rows.shopper[chosen], rows.reward[chosen])
    return sums
