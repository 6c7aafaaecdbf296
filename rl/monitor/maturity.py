"""Early value: what days have earned whose attribution windows are still open, and how much of it is usually there.

Each night writes down what it sees of every day. So once days are settled, it is known which share of their value
stood in the tables when they were so and so old.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

LEAST_DAYS = 3
"""Settled days whose share at an age must be known, before an early value is made whole by it."""


@dataclass(frozen=True)
class SeenValue:
    """What a night saw of a day.

    Attributes:
        day: served.
        age: days from it to the night's date.
        value: sum over all its episodes, in the reward's unit.
    """

    day: date
    age: int
    value: float


@dataclass(frozen=True)
class Maturity:
    """Which share of a day's value is there at an age.

    Attributes:
        age: in days.
        share: of the settled value, over all days together.
        standard_error: over days.
        n_days: that it rests on.
    """

    age: int
    share: float
    standard_error: float
    n_days: int


def maturities(seen: Iterable[SeenValue], settled: Mapping[date, float]) -> dict[int, Maturity]:
    """Return the share of value by age: a ratio of sums over the settled days that were seen at that age.

    Args:
        seen: by earlier nights; of two nights of one date the later one counts.
        settled: value by day, of days that no longer change.
    """
    by_age: dict[int, dict[date, float]] = {}
    for one in seen:
        if one.day in settled:
            by_age.setdefault(one.age, {})[one.day] = one.value
    return {age: _maturity(age, days, settled) for age, days in sorted(by_age.items()) if _can_tell(days, settled)}


def _can_tell(days: Mapping[date, float], settled: Mapping[date, float]) -> bool:
    return len(days) >= LEAST_DAYS and sum(settled[day] for day in days) > 0


def _maturity(age: int, days: Mapping[date, float], settled: Mapping[date, float]) -> Maturity:
    early, whole = np.array(list(days.values())), np.array([settled[day] for day in days])
    share, n = float(early.sum() / whole.sum()), len(days)
    spread = float(np.square(early - share * whole).sum()) * n / (n - 1)
    return Maturity(age, share, math.sqrt(spread) / float(whole.sum()), n)
