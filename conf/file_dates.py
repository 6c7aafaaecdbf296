"""The day that a delivered file's relative path names, by a source's `date_pattern`."""

from __future__ import annotations

import re
from datetime import date

PARTS = ("year", "month", "day")
_CENTURY = 2000
_CURE = (
    r"give one group with the whole date, (\d{4}-\d{2}-\d{2}) or (\d{8}), or three named ones: "
    r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})"
)


def date_in(path: str, pattern: str) -> date | None:
    r"""Return the first date that the pattern finds in a file's relative path; None where there is none.

    >>> date_in("export_20260601_web.csv.gz", r"_(\d{8})_")
    datetime.date(2026, 6, 1)
    >>> date_in("2026/06/01/x.json", "(?P<year>[0-9]{4})/(?P<month>[0-9]{2})/(?P<day>[0-9]{2})/")
    datetime.date(2026, 6, 1)
    """
    for found in re.finditer(pattern, path):
        try:
            return _date_of(found)
        except ValueError:  # digits that are no day, or no date as it is written
            continue
    return None


def refuse_pattern(pattern: str) -> None:
    """Raise if a pattern can find no date.

    Raises:
        ValueError: no regular expression, or one without the groups that make a date; says what to write.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}; {_CURE}") from error
    named = _parts(expression)
    if not expression.groups or 0 < len(named) < len(PARTS):
        lacks = f"no group {', '.join(one for one in PARTS if one not in named)}" if named else "no group"
        raise ValueError(f"{lacks}; {_CURE}")


def _parts(expression: re.Pattern[str]) -> list[str]:
    """Return the parts of a date that have a group each; a `day` alone is the name of one that holds the whole date."""
    named = [one for one in PARTS if one in expression.groupindex]
    return [] if named == ["day"] and expression.groupindex["day"] == 1 else named


def _date_of(found: re.Match[str]) -> date:
    parts = found.groupdict()
    if not _parts(found.re):
        return date.fromisoformat(found.group(1) or "")
    year, month, day = (int(parts[one] or 0) for one in PARTS)
    return date(year + _CENTURY if len(parts["year"] or "") == 2 else year, month, day)
