"""The year's allowance of wrong promotions, turned into the level of one night's look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rl.errors import EvaluationError

DAYS_PER_YEAR = 365
RESERVE_DAYS = 7
"""Unspent allowance is kept for so many days, then forfeited: a long pause must not end in one careless look."""

SHARE_OF_RESERVE = 0.8
"""What one look may take of what has accrued; the rest is left for a repeat on the same date."""

LARGEST_LEVEL = 0.1
_SLIVER = 1e-6


@dataclass(frozen=True)
class Look:
    """A night at which the gate compared a candidate with its baseline.

    Attributes:
        date: business date that the night works on.
        level: one-sided level spent; 0 where the gate had to abstain whatever was earned (`gate.Verdict.spends_level`).
        version: number in the registry.
    """

    date: date
    level: float
    version: int


@dataclass(frozen=True)
class NightLevel:
    """What tonight's look may spend, and what that rests on.

    Attributes:
        level: one-sided level of tonight's comparison; 0 < level <= .1.
        per_year: the allowance, as the spec states it.
        n_looks: looks that spent something before.
        spent: their levels' sum: an upper bound on the wrong promotions to be expected of them.
        since: date of the first look, tonight where there was none.
        left: of the allowance, accrued and unspent before tonight's look; 0 where more was spent than there was.
    """

    level: float
    per_year: float
    n_looks: int
    spent: float
    since: date
    left: float


def night_level(per_year: float, tonight: date, looks: Sequence[Look] = ()) -> NightLevel:
    """Return tonight's level: four fifths of the allowance that has accrued, a 365th a day, and is unspent.

    Run every night it settles at a 365th of the allowance; run weekly, at seven of them. The levels spent up to any
    night sum to no more than the allowance times the days since the first look over 365. Since the expected number of
    wrong promotions is at most the sum of levels, whatever the dependence between nights (their test windows overlap,
    their candidates resemble each other), so is the number of wrong promotions a year to be expected. Nights that spend
    nothing may be left out of the sum because what kept them back are weights: given those, a bound errs no more often
    than its level says. A night kept back by what was earned does spend.

    Args:
        per_year: wrong promotions allowed a year.
        tonight: date of the look.
        looks: earlier ones, in any order, tonight's own repeat left out. Looks at later dates count as spent before.

    Raises:
        EvaluationError: an allowance that isn't positive, or leaves no level below one half for a night.

    Source: Lan and DeMets (1983), a linear spending function of calendar time.
    """
    daily = per_year / DAYS_PER_YEAR
    if not 0 < daily < 0.5:
        raise EvaluationError(f"{per_year} wrong promotions a year leave no level between 0 and 0.5")
    spending = sorted((look for look in looks if look.level > 0), key=lambda look: (look.date, look.version))
    since = min([tonight, *(look.date for look in spending)])
    reserve, before = daily, since
    for look in spending:
        reserve = _accrued(reserve, (look.date - before).days, daily) - look.level
        before = look.date
    reserve = _accrued(reserve, (max(tonight, before) - before).days, daily)
    # Looks of another allowance, or more than one process, may have spent more than there was: a sliver is left, so
    # that a night never fails for it.
    level = min(SHARE_OF_RESERVE * max(reserve, _SLIVER * daily), LARGEST_LEVEL)
    spent = sum(look.level for look in spending)
    return NightLevel(level, per_year, len(spending), spent, since, max(reserve, 0.0))


def _accrued(reserve: float, days: int, daily: float) -> float:
    """Return the part of the allowance that has accrued after so many days, capped at a week's worth."""
    return min(reserve + days * daily, RESERVE_DAYS * daily)
