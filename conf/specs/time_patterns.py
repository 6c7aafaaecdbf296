"""Datetime patterns of a source (`yyyy-MM-dd HH:mm:ss`, letters as in Java and Spark) as regular expressions.

A pattern is read once, when its spec is loaded; a text then gives year, month and so on by the names of `PARTS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAY_NAMES = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"

# Letter -> name of the group and, for each number of letters that is known, its expression.
_NUMBERS = {"d": "day", "H": "hour", "h": "half_hour", "m": "minute", "s": "second"}
_OFFSETS = {
    "X": r"Z|[+-]\d{2}(?:\d{2})?",
    "XX": r"Z|[+-]\d{4}",
    "XXX": r"Z|[+-]\d{2}:\d{2}",
    "x": r"[+-]\d{2}(?:\d{2})?",
    "xx": r"[+-]\d{4}",
    "xxx": r"[+-]\d{2}:\d{2}",
    "Z": r"[+-]\d{4}",
    "ZZ": r"[+-]\d{4}",
    "ZZZ": r"[+-]\d{4}",
}
_ZONES = {"VV", "z"}


@dataclass(frozen=True)
class TimePattern:
    """A pattern as an expression with named groups; `has_zone`: the text itself says its zone or offset."""

    expression: re.Pattern[str]
    has_zone: bool


@lru_cache
def compile_pattern(pattern: str) -> TimePattern:
    """Return the pattern, ready to read texts.

    Raises:
        ValueError: letters that aren't known; says which are.
    """
    parts = list(_parts(pattern))
    text = "".join(parts)
    if "(?P<half_hour>" in text and "(?P<half>" not in text:
        raise ValueError("h counts to 12 and needs a (AM or PM) beside it; write H for hours from 0 to 23")
    try:
        expression = re.compile(text, re.ASCII | re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"not a datetime pattern: {error}; each part may stand once") from error
    return TimePattern(expression, "(?P<offset>" in text or "(?P<zone>" in text)


def _parts(pattern: str) -> Iterator[str]:
    for place, piece in enumerate(re.split(r"('(?:[^']|'')*')", pattern)):
        if place % 2:
            yield re.escape(piece[1:-1].replace("''", "'") or "'")
            continue
        for letter, run in groupby(piece):
            yield _expression(letter * len(list(run)))


def _expression(run: str) -> str:
    letter, width = run[0], len(run)
    if letter in "[]":
        return {"[": "(?:", "]": ")?"}[letter] * width
    if not letter.isalpha():
        return re.escape(run)
    found = _date_part(letter, width) or _time_part(letter, width) or _zone_part(run)
    if found is None:
        raise ValueError(
            f"{run!r} isn't read; known are yyyy yy MM M MMM MMMM dd d EEE HH H hh h mm m ss s S... a XXX XX X Z VV z, "
            "text in single quotes, and optional parts in brackets"
        )
    return found


def _date_part(letter: str, width: int) -> str | None:
    if letter in "yu":
        return {4: r"(?P<year>\d{4})", 2: r"(?P<short_year>\d{2})", 1: r"(?P<year>\d{4})"}.get(width)
    if letter in "ML":
        names = {3: "|".join(MONTHS), 4: "|".join(_MONTH_NAMES)}
        return f"(?P<month_name>{names[width]})" if width in names else _number("month", width)
    if letter == "E":
        return f"(?:{_DAY_NAMES})" if width == 4 else r"(?:mon|tue|wed|thu|fri|sat|sun)"
    return None


def _time_part(letter: str, width: int) -> str | None:
    if letter in _NUMBERS:
        return _number(_NUMBERS[letter], width)
    if letter == "S":
        return rf"(?P<fraction>\d{{1,{width}}})"
    return "(?P<half>AM|PM)" if letter == "a" else None


def _zone_part(run: str) -> str | None:
    if run in _OFFSETS:
        return f"(?P<offset>{_OFFSETS[run]})"
    return r"(?P<zone>[A-Za-z][A-Za-z0-9_+\-/]*)" if run in _ZONES else None


def _number(name: str, width: int) -> str | None:
    return {1: rf"(?P<{name}>\d{{1,2}})", 2: rf"(?P<{name}>\d{{2}})"}.get(width)
