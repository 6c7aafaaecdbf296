"""Days on which what is served should have decided, and didn't.

A launch decides for some share of the shoppers each day. A day is told on which it decided for none of so many that
this would hardly ever be chance, and one on which nobody decided anything, though the shop has decisions on that
weekday else. A shop that asks the service on some weekdays only, or is closed on others, is told of none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from rl.data.logged_episodes import BoolArray
from rl.monitor.cut_days import LEAST_CHANCE
from rl.monitor.launch_outcomes import arm_of
from rl.monitor.served_rows import ServedRows


@dataclass(frozen=True)
class Decided:
    """What was decided on a day.

    Attributes:
        day: business day.
        version: in force; None where none is, as while it is turned off.
        n_decisions: by whomever.
        n_shoppers: who came to decisions.
        n_served: of these, for whom any version decided.
        n_own: of these, for whom the one in force did.
        is_changed: whether it was changed that day what is served; then nothing is told of it.
        has_decisions_else: whether the shop has decisions on this weekday; None where that isn't known.
    """

    day: date
    version: int | None
    n_decisions: int
    n_shoppers: int
    n_served: int
    n_own: int
    is_changed: bool = False
    has_decisions_else: bool | None = None


@dataclass(frozen=True)
class Outage:
    """Days on which nothing was served, one after the other but for days of which nothing is expected.

    Attributes:
        first: day that is told.
        last: likewise.
        n_decisions: made on those days by others.
        version: that was in force, where another one decided meanwhile; None where none did.
    """

    first: date
    last: date
    n_decisions: int
    version: int | None


@dataclass(frozen=True)
class Unserved:
    """What came of looking at all days.

    Attributes:
        days: on which nothing was served while a version was in force, once anything was served.
        outages: what of it is told, ascending.
    """

    days: frozenset[date]
    outages: tuple[Outage, ...]


@dataclass
class _Usual:
    """For how many shoppers something decides on days on which it does."""

    n_decided: int = 0
    n_shoppers: int = 0

    def learn(self, n_decided: int, n_shoppers: int) -> None:
        if n_decided:
            self.n_decided += n_decided
            self.n_shoppers += n_shoppers

    def is_missing(self, n_decided: int, n_shoppers: int) -> bool:
        """Return whether it decides for nobody of so many shoppers, which would hardly ever be chance."""
        if n_decided or not self.n_decided or not n_shoppers:
            return False
        return (1 - self.n_decided / self.n_shoppers) ** n_shoppers < LEAST_CHANCE


@dataclass
class _Spell:
    """Days since something is served, without one on which nothing was in force."""

    anything: _Usual = field(default_factory=_Usual)
    own: _Usual = field(default_factory=_Usual)
    version: int | None = None
    weekdays: dict[int, list[bool]] = field(default_factory=dict)
    told: list[Decided] = field(default_factory=list)

    def is_served(self, one: Decided) -> bool:
        """Return whether the day is as usual: the version in force decided, once it ever did, or else any."""
        return bool(one.n_own if self.own.n_decided else one.n_served)

    def is_told(self, one: Decided) -> bool:
        """Return whether somebody should know of the day; what goes on is told as long as it does."""
        if one.is_changed:
            return False
        if self.told or not one.n_decisions:
            return bool(one.n_decisions or one.has_decisions_else)
        before = self.weekdays.get(one.day.weekday(), [])
        if before and 2 * sum(before) <= len(before):
            return False
        return any(
            usual.is_missing(n_decided, one.n_shoppers)
            for usual, n_decided in ((self.anything, one.n_served), (self.own, one.n_own))
        )

    def learn(self, one: Decided) -> None:
        """Take over how the day was."""
        self.anything.learn(one.n_served, one.n_shoppers)
        self.own.learn(one.n_own, one.n_shoppers)
        self.weekdays.setdefault(one.day.weekday(), []).append(self.is_served(one))


def unserved(days: Sequence[Decided]) -> Unserved:
    """Return the days on which nothing was served, and those of them that are told.

    Args:
        days: every calendar day up to the last one whose late lines are in, ascending.
    """
    found, outages, spell = set[date](), list[Outage](), _Spell()
    for one in days:
        if one.version is None:
            outages += _outage(spell)
            spell = _Spell()
            continue
        if one.version != spell.version:
            spell.version, spell.own = one.version, _Usual()
        if spell.is_served(one):
            outages += _outage(spell)
            spell.told = []
        elif spell.anything.n_decided:
            found.add(one.day)
            spell.told += [one] if spell.is_told(one) else []
        if spell.anything.n_decided or one.n_served:
            spell.learn(one)
    return Unserved(frozenset(found), (*outages, *_outage(spell)))


def _outage(spell: _Spell) -> list[Outage]:
    if not (told := spell.told):
        return []
    is_any_served = any(one.n_served for one in told)
    n_decisions = sum(one.n_decisions for one in told)
    return [Outage(told[0].day, told[-1].day, n_decisions, told[-1].version if is_any_served else None)]


def decided_days(
    rows: ServedRows,
    arms: Mapping[str, str],
    *,
    last: date,
    in_force: Callable[[date], int | None],
    changed: Set[date],
    built: Mapping[date, int],
) -> list[Decided]:
    """Return what was decided on every calendar day from the first one in the rows on.

    Args:
        rows: that were read.
        arms: name of the arm by policy version; a version's own are its mixtures of exploration too, and those of
            which it isn't known whose they are count for every version.
        last: day to look at.
        in_force: version by day.
        changed: days on which it was changed what is served.
        built: rows of the days that are published, also of those before the rows.
    """
    if not len(rows.day):
        return []
    days, found = rows.row_day, []
    shopper = rows.transitions.user[rows.row_episode]
    is_served, usual = rows.is_by({*arms}), _weekdays_with_rows(built)
    for number in range(int(rows.day.min()), last.toordinal() + 1):
        day, of_day = date.fromordinal(number), days == number
        version = in_force(day)
        own = {name for name, arm in arms.items() if version is not None and arm in (arm_of(version), "")}
        found.append(
            Decided(
                day=day,
                version=version,
                n_decisions=int(of_day.sum()),
                n_shoppers=_n_shoppers(shopper, of_day),
                n_served=_n_shoppers(shopper, of_day & is_served),
                n_own=_n_shoppers(shopper, of_day & rows.is_by(own)),
                is_changed=day in changed,
                has_decisions_else=usual(day),
            )
        )
    return found


def _n_shoppers(shopper: np.ndarray, kept: BoolArray) -> int:
    return len(np.unique(shopper[kept]))


def _weekdays_with_rows(built: Mapping[date, int]) -> Callable[[date], bool | None]:
    """Return whether more than half of a day's weekdays before it have rows; None where none of them is published."""
    first = min(built, default=date.max)

    def usual(day: date) -> bool | None:
        before = [bool(built.get(one)) for one in _week_by_week(first, day)]
        return 2 * sum(before) > len(before) if before else None

    return usual


def _week_by_week(first: date, day: date) -> Iterable[date]:
    """Yield the same weekdays before a day, the last one first, down to a first day."""
    while (day := day - timedelta(days=7)) >= first:
        yield day
