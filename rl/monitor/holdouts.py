"""Who was held out on which day: by the share that was in force on it, as nights saw it and decisions show.

Nights write down which share they saw. A day between two nights that saw the same one was drawn by it; on other days
either may have been in force. What a version decided tells more: a shopper for whom it decided wasn't held out that
day. Shoppers whom one share in question holds out and another doesn't belong to no arm: control is who is held out by
all of them, and served who is by none. Lots are drawn once, so that neither choice depends on what shoppers did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from rl.data.logged_episodes import BoolArray, IntArray
from rl.figures.monitor import HoldoutFigures
from rl.rollout.assignment import first_left_out

MOST_STRAY = 0.01
"""Share of a day's held-out shoppers for whom something may be in a version's name without telling of another share."""

LotArray = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Holdout:
    """Shares of the shoppers of which one was held out on a day."""

    least: float
    greatest: float


@dataclass(frozen=True)
class DayRows:
    """Episodes as they are drawn.

    Attributes:
        day: of each, as an ordinal, `(n,)`.
        lot: of its shopper for being held out, `(n,)`.
        is_by_version: whether a version decided in it, `(n,)`.
    """

    day: IntArray
    lot: LotArray
    is_by_version: BoolArray


def holdouts_seen(
    earlier: Sequence[HoldoutFigures], night: date, share: float, retaken: Sequence[HoldoutFigures] = ()
) -> tuple[HoldoutFigures, ...]:
    """Return which shares were seen from which night to which, tonight's added.

    Args:
        earlier: as the night before had it; nothing where it was of an earlier release.
        night: tonight's date.
        share: that the scenario states now.
        retaken: as tonight's own first look had it: a look that is taken again may be taken under another share.
    """
    if retaken:
        return tuple(retaken)
    if earlier and earlier[-1].share == share:
        return (*earlier[:-1], earlier[-1].model_copy(update={"last": night}))
    return (*earlier, HoldoutFigures(first=night, last=night, share=share))


def holdout_on(day: date, seen: Sequence[HoldoutFigures]) -> Holdout:
    """Return the shares that may have been in force on a day.

    A night looks once its day is over. Where it is the first to see a share, that was stated in the course of its day,
    after it, or on a day before that no night saw.

    Args:
        day: business day.
        seen: shares as nights saw them, ascending, at least one; of days before the first night nothing is known.
    """
    after = next((number for number, one in enumerate(seen) if day <= one.last), len(seen) - 1)
    shares = [seen[after].share]
    if after and day <= seen[after].first:
        shares.append(seen[after - 1].share)
    return Holdout(min(shares), max(shares))


def held_out(
    rows: DayRows, holdout: Callable[[date], Holdout], controlled: Set[date] = frozenset()
) -> tuple[BoolArray, BoolArray]:
    """Return which episodes are of shoppers who were held out, and which of such as may have been or not, `(n,)` each.

    Args:
        rows: the episodes, without those of shoppers who have no lot.
        holdout: shares that may have been in force, by day.
        controlled: days on which a version decided for the control group too; its decisions tell nothing then.
    """
    is_held, is_doubtful = np.zeros(len(rows.day), dtype=np.bool_), np.zeros(len(rows.day), dtype=np.bool_)
    for number in np.unique(rows.day):
        place, day = np.flatnonzero(rows.day == number), date.fromordinal(int(number))
        lot, is_decided = rows.lot[place], rows.is_by_version[place] & (day not in controlled)
        shares = holdout(day)
        least, greatest = first_left_out(shares.least), first_left_out(shares.greatest)
        n_strays = int(MOST_STRAY * len(np.unique(lot[lot < greatest])))
        lowest = np.unique(lot[is_decided])[n_strays : n_strays + 1]
        least = min([least, *lowest.tolist()])
        is_held[place] = (lot < least) & ~is_decided
        is_doubtful[place] = (lot < greatest) & ~is_held[place]
    return is_held, is_doubtful
