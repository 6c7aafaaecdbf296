"""How the names of a log's files say their days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from conf.file_dates import date_in

_WHOLE = (r"(\d{4}-\d{2}-\d{2})", r"(?<!\d)(\d{8})(?!\d)")
_YEAR_FIRST = (
    r"year=(?P<year>\d{4})/month=(?P<month>\d{1,2})/day=(?P<day>\d{1,2})(?!\d)",
    *(rf"(?<!\d)(?P<year>20\d\d){sign}(?P<month>\d\d?){sign}(?P<day>\d\d?)(?!\d)" for sign in ("/", "_", "[.]", "-")),
)
_YEAR_LAST = tuple(
    rf"(?<!\d)(?P<{first}>\d\d?){sign}(?P<{second}>\d\d?){sign}(?P<year>20\d\d)(?!\d)"
    for first, second in (("day", "month"), ("month", "day"))
    for sign in ("[.]", "-", "_")
)
_WHOLE_YEAR_LAST = tuple(
    rf"(?<!\d)(?P<{first}>\d\d)(?P<{second}>\d\d)(?P<year>20\d\d)(?!\d)"
    for first, second in (("day", "month"), ("month", "day"))
)
_EITHER_WHOLE = r"(\d{4}-\d{2}-\d{2}|(?<!\d)\d{8}(?!\d))"


def day_patterns(names: Sequence[str]) -> Iterator[str]:
    """Yield the `date_pattern`s that find a day in the path of every file, those of the commonest forms first."""
    for pattern in (*_WHOLE, _EITHER_WHOLE, *_YEAR_FIRST, *_YEAR_LAST, *_WHOLE_YEAR_LAST):
        if names and all(date_in(name, pattern) is not None for name in names):
            yield pattern


def day_of_file(name: str) -> date | None:
    """Return the day that a path says, year first; None where it says none, or day and month could be turned."""
    found = (date_in(name, pattern) for pattern in (*_WHOLE, *_YEAR_FIRST))
    return next((day for day in found if day is not None), None)
