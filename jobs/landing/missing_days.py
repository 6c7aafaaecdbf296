"""Days without a delivery between days that have one: what came then is missing, and nobody would notice."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

_WEEK, _LEAST_DAYS = timedelta(days=7), 3


def missing_days(landed: Collection[date]) -> dict[date, list[date]]:
    """Return the days that lack a delivery, by the delivery that came after them.

    A weekday that another week lacks too is one on which nothing comes, such as a Sunday. Before the third delivery, or
    where most days lack one, nobody knows what is usual.

    Args:
        landed: dates of all deliveries.
    """
    known, found = sorted(landed), dict[date, list[date]]()
    for before, after in zip(known[_LEAST_DAYS - 1 :], known[_LEAST_DAYS:], strict=False):
        for number in range(1, (after - before).days):
            day = before + timedelta(days=number)
            week = [day - timedelta(days=n) for n in range(1, 8) if day - timedelta(days=n) >= known[0]]
            is_usual = 2 * sum(one in landed for one in week) > len(week)
            others = [one for one in (day - _WEEK, day + _WEEK) if known[0] <= one <= known[-1]]
            is_regular = any(one not in landed for one in others)
            if is_usual and not is_regular:
                found.setdefault(after, []).append(day)
    return found
