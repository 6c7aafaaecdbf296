"""Days that count for no promise, since what decided changed in their course.

Sessions of an evening are worth something else than those of a morning, whoever decides. A version that decides for a
part of a day alone is therefore not comparable with a control group that has all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray

LEAST_CHANCE = 1e-3
"""Of a gap as long as the longest of a day while a version decides all day long."""

CHANGED = "what is served, or for which share of the shoppers, was changed on it"
CONTROLLED = "a version decided for the control group on it, and promises are over the shop's own rule"
DOUBTFUL = "versions decided for all whom the share that was held out might have held out"
PARTLY = "it decided nothing for a part of the day, while the control group went on"


@dataclass(frozen=True)
class Begun:
    """Episodes as they began.

    Attributes:
        day: of each, as an ordinal, `(n,)`.
        time: when it began, microseconds, `(n,)`.
        shopper: code, `(n,)`.
        arm: index, 0 for the control group, `(n,)`.
        is_fallback: whether the fallback began it, `(n,)`.
    """

    day: IntArray
    time: IntArray
    shopper: IntArray
    arm: IntArray
    is_fallback: BoolArray


def days_of(moments: Iterable[datetime], zone: str) -> frozenset[date]:
    """Return the business days of moments."""
    return frozenset(one.astimezone(ZoneInfo(zone)).date() for one in moments)


def partly_served_days(begun: Begun, arm: int) -> frozenset[date]:
    """Return the days on which a version decided for a part of the day alone.

    While it decides all day long, its sessions and the control group's come in any order. Told apart are days on which
    so many control shoppers in a row came without one of its own between, before, after or amid its decisions, that
    the order would hardly ever be so by chance. Sessions that the fallback began stand for no decision of it.

    Args:
        begun: episodes of all days.
        arm: of the version.
    """
    is_arm, is_control = (begun.arm == arm) & ~begun.is_fallback, begun.arm == 0
    found = set[date]()
    for day in np.unique(begun.day[is_arm]):
        rows = np.flatnonzero((begun.day == day) & (is_arm | is_control))
        rows = rows[np.argsort(begun.time[rows], kind="stable")]
        if _has_gap(is_arm[rows], begun.shopper[rows]):
            found.add(date.fromordinal(int(day)))
    return frozenset(found)


def _has_gap(is_arm: BoolArray, shopper: IntArray) -> bool:
    """Return whether shoppers of the control group come in a row that is too long for chance.

    Each of the n + 1 places around n sessions of the version holds at least k others in a row with the chance q^k at
    most, q being the others' share.
    """
    n = int(is_arm.sum())
    others = 1 - n / len(is_arm)
    run = np.cumsum(is_arm)[~is_arm]
    in_a_row = np.bincount(np.unique(np.stack([run, shopper[~is_arm]]), axis=1)[0], minlength=1).max()
    return bool((n + 1) * others**in_a_row < LEAST_CHANCE)
