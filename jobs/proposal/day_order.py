"""Whether dates such as 3/4/2026 name the day or the month first: by values above 12, by file names, by their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_DATE = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})")
_MONTHS = 12
# Days that follow each other in one reading are a month apart in the other.
_LEAST_DAYS, _TIMES_WIDER = 3, 5


@dataclass(frozen=True)
class DayOrder:
    """Which comes first in dates.

    Attributes:
        is_day_first: None where nothing tells.
        why: what it rests on where the values themselves don't show it; None where they do.
    """

    is_day_first: bool | None
    why: str | None = None


def turned(pattern: str) -> str:
    """Return a datetime pattern with day and month the other way round; the same where it names them otherwise.

    >>> turned("M/d/yyyy H:mm"), turned("d-M-yyyy"), turned("d.M.yyyy"), turned("yyyy-MM-dd")
    ('d/M/yyyy H:mm', 'M-d-yyyy', 'd.M.yyyy', 'yyyy-MM-dd')
    """
    return re.sub(r"^(d{1,2}|M{1,2})([/-])(d{1,2}|M{1,2})(?=\2y)", r"\3\2\1", pattern)


def day_order(values: Sequence[str | None], file_days: Sequence[date | None] = ()) -> DayOrder:
    """Return which comes first in a column's dates.

    Args:
        values: of a column, in the order of the files.
        file_days: of each value the day that its file's name says; None where it says none.
    """
    found = [None if one is None else _DATE.match(one) for one in values]
    dates = [None if one is None else (int(one[1]), int(one[3]), int(one[4])) for one in found]
    given = [one for one in dates if one is not None]
    above = any(first > _MONTHS for first, _, _ in given), any(second > _MONTHS for _, second, _ in given)
    if any(above):
        return DayOrder(None if all(above) else above[0])
    pairs = [(one, day) for one, day in zip(dates, file_days, strict=False) if one is not None and day is not None]
    if (is_first := _by_files(pairs)) is not None:
        return DayOrder(is_first, "by the days in the files' names")
    if (is_first := is_narrower(_days(given, is_day_first=True), _days(given, is_day_first=False))) is not None:
        return DayOrder(is_first, "since its days then follow each other")
    return DayOrder(None)


def is_narrower(days: Iterable[date], others: Iterable[date]) -> bool | None:
    """Return whether days are those of a log and others the same misread; None where neither is far narrower.

    Args:
        days: of events.
        others: the same with day and month the other way round.
    """
    mine, theirs = set(days), set(others)
    if min(len(mine), len(theirs)) < _LEAST_DAYS:
        return None
    width, other_width = max(mine) - min(mine), max(theirs) - min(theirs)
    if max(width, other_width) <= _TIMES_WIDER * min(width, other_width):
        return None
    return width < other_width


def _by_files(pairs: Sequence[tuple[tuple[int, int, int], date]]) -> bool | None:
    """Return whether only one reading puts nearly all events on their file's day, or the day before."""
    fits = [sum(_is_of(_days([one], is_day_first=first), day) for one, day in pairs) for first in (True, False)]
    is_right = [bool(pairs) and n >= 0.95 * len(pairs) for n in fits]
    return None if is_right[0] == is_right[1] else is_right[0]


def _is_of(days: set[date], file_day: date) -> bool:
    return any(timedelta(0) <= file_day - one <= timedelta(1) for one in days)


def _days(dates: Iterable[tuple[int, int, int]], *, is_day_first: bool) -> set[date]:
    found = set()
    for first, second, year in dates:
        day, month = (first, second) if is_day_first else (second, first)
        try:
            found.add(date(year, month, day))
        except ValueError:  # 0, or a 31st of June
            continue
    return found
