"""Shoppers' values since a stage began, from the transitions of what was served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rl.page.wording import counted
from rl.rollout.assignment import LotArray, drawn
from rl.rollout.comparison import BoolArray, FloatArray, IntArray, StageUnits
from rl.rollout.silence import SilentDays, is_surely_silent
from rl.rollout.stage_rule import MOST_STRAY


@dataclass(frozen=True)
class ServedRows:
    """Decisions that were served or logged, one row each, in order of their dates.

    Attributes:
        shopper: number of each row's shopper, `(n_rows,)`.
        names: pseudonym by number, `(n_shoppers,)`.
        day: business date of the row, days since the epoch, ascending, `(n_rows,)`.
        reward: attributed to it, in the scenario's unit, `(n_rows,)`.
        is_settled: whether its attribution has closed, `(n_rows,)`.
        is_new_version: whether the new version decided it, `(n_rows,)`.
        is_replaced_version: whether what it replaces did, `(n_rows,)`; neither: a fallback, or another version.
        is_fallback: whether the fallback did, `(n_rows,)`.
    """

    shopper: IntArray
    names: tuple[str, ...]
    day: IntArray
    reward: FloatArray
    is_settled: BoolArray
    is_new_version: BoolArray
    is_replaced_version: BoolArray
    is_fallback: BoolArray

    def between(self, first: int, last: int) -> ServedRows:
        """Return the rows of the days from `first` to `last`, days since the epoch, without copying them."""
        here = slice(int(np.searchsorted(self.day, first)), int(np.searchsorted(self.day, last, side="right")))
        return ServedRows(
            shopper=self.shopper[here],
            names=self.names,
            day=self.day[here],
            reward=self.reward[here],
            is_settled=self.is_settled[here],
            is_new_version=self.is_new_version[here],
            is_replaced_version=self.is_replaced_version[here],
            is_fallback=self.is_fallback[here],
        )


@dataclass(frozen=True)
class StageDays:
    """Which days count.

    Attributes:
        first: first one, days since the epoch.
        last: last day all of whose decisions have their attribution closed; both arms count up to it.
    """

    first: int
    last: int

    @property
    def n(self) -> int:
        """Number of days, those on which nobody came included."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class StageShares:
    """Which shares of the shoppers got the new version.

    Attributes:
        first: in the launch's first stage.
        former: before the present stage; 0 where that is the first one.
        present: in the present stage.
    """

    first: float
    former: float
    present: float


@dataclass(frozen=True)
class StageAsked:
    """What a look asks of the rows.

    Attributes:
        shares: of the shoppers.
        launched: first day of the launch.
        first_day: first day of the stage that may count.
        horizon: last date of the rows.
        covariate_days: days before that tell what a shopper is worth anyway.
        return_days: days of the launch after which the shoppers who were drawn first are compared once more.
        off: days on which the service was turned off for some time: a version that decides for nobody then isn't dead.
    """

    shares: StageShares
    launched: date
    first_day: date
    horizon: date
    covariate_days: int
    return_days: int
    off: frozenset[date] = frozenset()


@dataclass(frozen=True)
class ArmSizes:
    """How many shoppers came who had not been served yet, and how they were drawn.

    Attributes:
        n_new: of those who get the new version.
        n_replaced: of those who don't.
        share: of both together who were drawn to get it.
    """

    n_new: int
    n_replaced: int
    share: float


@dataclass(frozen=True)
class ComparedUnits:
    """Shoppers whose arms are compared.

    Attributes:
        days: whose decisions count.
        units: the shoppers with their values.
        share: of them who were drawn to get the new version.
    """

    days: StageDays
    units: StageUnits
    share: float


@dataclass(frozen=True)
class StageValues:
    """A stage as its shoppers' values.

    Attributes:
        stage: shoppers drawn anew in the stage, and those who weren't drawn.
        lasting: shoppers drawn in the first stage, and those who weren't drawn yet, from the day on which most have
            come back; None before it.
        lasting_from: that day; None where no day of the first stage was served by its share.
        sizes: of the stage's arms, and where it isn't the first one also of those of the whole launch.
        stray: share of the stage's decisions by the other arm's version.
        silent: last days of the stage on which the new version decided for nobody; None where it decided on the last
            one, or it isn't sure that it should have.
    """

    stage: ComparedUnits
    lasting: ComparedUnits | None
    lasting_from: date | None
    sizes: tuple[ArmSizes, ...]
    stray: float
    silent: SilentDays | None = None


_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return the date as days since the epoch."""
    return (day - _EPOCH).days


def date_of(number: int) -> date:
    """Return the date of days since the epoch."""
    return _EPOCH + timedelta(days=number)


def stage_values(rows: ServedRows, lots: LotArray, asked: StageAsked) -> StageValues | str:
    """Return the stage's shoppers with their values, or in words why nothing counts yet.

    Who is compared doesn't depend on what the version did. In a stage these are the shoppers drawn anew in it and those
    who aren't drawn yet: none of them got the version before. All count who were known before the stage, with 0 where
    they didn't come, and others from their first visit on, which came before the version could please or annoy them.
    Who was drawn in the first stage is likewise compared with who wasn't drawn yet, over days on which most have come
    back to the version: those may have left for good, or come more often.

    A day counts once every decision up to it has its attribution closed, in both arms: an arm that has grown has the
    younger decisions, and would be credited less. Days before the shares were in force, the day of a growth among
    them, don't count. Days on which the new version should have decided, and the fallback did or nothing arrived, do.
    Arms are what shoppers were drawn to, whatever decided for them.

    Args:
        rows: of shoppers that aren't held out, from before the launch on.
        lots: of their draw, `(n_shoppers,)`.
        asked: shares and days.
    """
    shares, began, launched = asked.shares, day_number(asked.first_day), day_number(asked.launched)
    gets_new = drawn(lots, shares.present)
    off = frozenset(day_number(day) for day in asked.off)
    own_share = _share(shares.present - shares.former, shares)
    arms = _Arms(gets_new & ~drawn(lots, shares.former), ~gets_new, own_share, off)
    days = _days(rows.between(began, day_number(asked.horizon)), gets_new, arms, began, day_number(asked.horizon))
    if isinstance(days, str):
        return days
    first_arms = _Arms(drawn(lots, shares.first), ~gets_new, _share(shares.first, shares), off)
    of_launch = days if shares.former == 0 else _days_in_force(rows, first_arms.is_new, first_arms, launched, days.last)
    sizes, lasting, lasting_from = [_sizes(rows, arms, began, days)], None, None
    if of_launch is not None:
        later = StageDays(of_launch.first + asked.return_days, days.last)
        lasting_from = date_of(later.first)
        if later.n > 0:
            lasting = _compared(rows, first_arms, launched, later, asked.covariate_days)
        if shares.former > 0:
            sizes.append(_sizes(rows, first_arms, launched, of_launch))
    return StageValues(
        stage=_compared(rows, arms, began, days, asked.covariate_days),
        lasting=lasting,
        lasting_from=lasting_from,
        sizes=tuple(sizes),
        stray=float(_strays(rows.between(days.first, days.last), gets_new).mean()),
        silent=_silent_days(rows, gets_new, arms, days),
    )


NEVER = np.iinfo(np.int64).max
"""Day of who never came: later than any."""


@dataclass(frozen=True)
class _Arms:
    """Who is drawn to which arm, `(n_shoppers,)` each; shoppers of neither aren't compared. Days that were off."""

    is_new: BoolArray
    is_replaced: BoolArray
    share: float
    off: frozenset[int] = frozenset()


def _share(new: float, shares: StageShares) -> float:
    return new / (new + 1 - shares.present)


def _strays(rows: ServedRows, gets_new: BoolArray) -> BoolArray:
    """Return whether the other arm's version decided, for each row that either version decided."""
    decided = rows.is_new_version | rows.is_replaced_version
    is_stray: BoolArray = (rows.is_new_version != gets_new[rows.shopper])[decided]
    return is_stray


def _days(rows: ServedRows, gets_new: BoolArray, arms: _Arms, first_day: int, horizon: int) -> StageDays | str:
    open_days = rows.day[~rows.is_settled]
    last = min(int(open_days.min()) - 1 if len(open_days) else horizon, horizon)
    found = _days_in_force(rows, gets_new, arms, first_day, last)
    if found is not None:
        return found
    if last < first_day:
        return f"no day since {date_of(first_day)} has its attribution closed yet"
    told = _told_deciders(rows.between(first_day, last), gets_new)
    return f"no day from {date_of(first_day)} to {date_of(last)} was served by these shares yet{told}"


def _told_deciders(rows: ServedRows, gets_new: BoolArray) -> str:
    """Return who decided the rows of those who are to get the version and of the others, in words."""
    if not len(rows.day):
        return ""
    parts = []
    for who, chosen in (("its shoppers", gets_new[rows.shopper]), ("the others", ~gets_new[rows.shopper])):
        by = {
            "the version": rows.is_new_version,
            "what it replaces": rows.is_replaced_version,
            "the fallback": rows.is_fallback,
        }
        told = ", ".join(f"{int((chosen & is_by).sum())} by {name}" for name, is_by in by.items())
        parts.append(f"{counted(int(chosen.sum()), 'decision')} of {who} arrived ({told})")
    return ": " + " and ".join(parts)


def _days_in_force(rows: ServedRows, gets_new: BoolArray, arms: _Arms, first_day: int, last: int) -> StageDays | None:
    """Return the days from the first on which about every decision was by the version of its shopper's arm, if any.

    That is also the first of days in a row on which the new version decided for nobody, and what it replaces for nobody
    of its arm, once those for whom that did are so many that some should have been its own.
    """
    silent_from, served = None, np.zeros(len(rows.names), dtype=np.bool_)
    for day in range(first_day, last + 1):
        of_day = rows.between(day, day)
        strays = _strays(of_day, gets_new)
        is_decided = bool(of_day.is_new_version.any())
        if not len(strays) or (day in arms.off and not is_decided):
            continue
        if strays.mean() > MOST_STRAY or (strays.any() and not is_decided):
            silent_from, served[:] = None, False
        elif is_decided:
            return StageDays(day, last)
        else:
            silent_from = day if silent_from is None else silent_from
            served |= _seen(of_day, of_day.is_replaced_version)
            if is_surely_silent(int((served & arms.is_replaced).sum()), arms.share):
                return StageDays(silent_from, last)
    return None


def _silent_days(rows: ServedRows, gets_new: BoolArray, arms: _Arms, days: StageDays) -> SilentDays | None:
    """Return the last days on which the new version decided for nobody, and nobody of its arm got the other."""
    first, n_days, served = days.last + 1, 0, np.zeros(len(rows.names), dtype=np.bool_)
    for day in range(days.last, days.first - 1, -1):
        of_day = rows.between(day, day)
        strays = _strays(of_day, gets_new)
        if strays.any() or of_day.is_new_version.any():
            break
        if len(strays) and day not in arms.off:
            first, n_days = day, n_days + 1
            served |= _seen(of_day, of_day.is_replaced_version)
    if not is_surely_silent(int((served & arms.is_replaced).sum()), arms.share):
        return None
    here = rows.between(first, days.last)
    is_own = gets_new[here.shopper]
    return SilentDays(date_of(first), n_days, int(is_own.sum()), int((is_own & here.is_fallback).sum()))


def _sizes(rows: ServedRows, arms: _Arms, began: int, days: StageDays) -> ArmSizes:
    """Return how many shoppers came first, since the stage began, on a day that counts.

    Their first visit can't be the version's doing; later ones may be.
    """
    came = _seen(rows.between(days.first, days.last)) & ~_seen(rows.between(began, days.first - 1))
    return ArmSizes(int((came & arms.is_new).sum()), int((came & arms.is_replaced).sum()), arms.share)


def _compared(rows: ServedRows, arms: _Arms, began: int, days: StageDays, covariate_days: int) -> ComparedUnits:
    """Return the arms' shoppers with what they brought on the days.

    Names that only a fallback decided for before the stage are not known: most stand for one request of a shopper who
    opted out. Within the stage a fallback is its shopper's, since the version's own failures bring it about.
    """
    earlier = rows.between(0, began - 1)
    known = _seen(earlier, ~earlier.is_fallback) | _seen(rows.between(began, days.first - 1))
    counted = rows.between(days.first, days.last)
    entry = np.where(known, 0, first_days(counted))
    here = (arms.is_new | arms.is_replaced) & (entry < NEVER)
    units = StageUnits(
        is_new=arms.is_new[here],
        entry=np.where(known, 0, entry - days.first + 1)[here],
        value=_sums(counted)[here],
        before=_sums(rows.between(began - covariate_days, began - 1))[here],
    )
    return ComparedUnits(days, units, arms.share)


def _seen(rows: ServedRows, chosen: BoolArray | None = None) -> BoolArray:
    """Return who has any of the rows, `(n_shoppers,)`."""
    found = np.zeros(len(rows.names), dtype=np.bool_)
    found[rows.shopper if chosen is None else rows.shopper[chosen]] = True
    return found


def first_days(rows: ServedRows, chosen: BoolArray | None = None) -> IntArray:
    """Return the first day of the rows, or of some, by shopper; NEVER of who has none, `(n_shoppers,)`."""
    found = np.full(len(rows.names), NEVER, dtype=np.int64)
    shopper, day = (rows.shopper, rows.day) if chosen is None else (rows.shopper[chosen], rows.day[chosen])
    found[shopper[::-1]] = day[::-1]  # rows ascend by day, and of several the last one written stays
    return found


def _sums(rows: ServedRows) -> FloatArray:
    """Return rewards summed by shopper, `(n_shoppers,)`."""
    found: FloatArray = np.bincount(rows.shopper, rows.reward, minlength=len(rows.names)).astype(np.float64)
    return found
