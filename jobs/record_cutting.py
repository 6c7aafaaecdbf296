"""A line is cut into the raw values of the columns that a feed maps; values are trimmed, missing ones are None."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conf.source import CsvFormat
from jobs.raw_values import NumberText, Structure, TruthText

# A delimited line of more values is taken for no record; so was it ever.
MOST_VALUES = 20_000
LONGEST_LINE = 1 << 24  # bytes, and so characters

# A line with bytes that aren't text starts with this, which no text does.
UNDECODABLE = "\0"

csv.field_size_limit(LONGEST_LINE)

Values = list[str | None]


@dataclass(frozen=True, slots=True)
class Cut:
    """The mapped values of each record of a line; `is_half`: the line has fewer values than it should."""

    records: list[Values]
    is_half: bool = False


Cutter = Callable[[str], Cut | None]


def delimited_cutter(
    form: CsvFormat, header: Sequence[str], columns: Sequence[str], null_words: frozenset[str]
) -> Cutter:
    """Return a function that gives the mapped values of a delimited line, None where it can't be cut.

    A line of more values than columns can't be; one with fewer is half a record, where the file has a header or where
    a mapped value is missing.
    """
    places = [list(header).index(name) for name in columns]
    n_columns = len(header)
    n_needed = n_columns if form.has_header else max(places, default=-1) + 1

    def cut(line: str) -> Cut | None:
        if line.startswith(UNDECODABLE) or not line.strip() or line.count(form.delimiter) >= MOST_VALUES:
            return None
        try:
            values = split_line(line, form.delimiter, form.quote)
        except csv.Error:
            return None
        if len(values) > n_columns:
            return None
        given = [_text(values[place], null_words) if place < len(values) else None for place in places]
        return Cut([given], len(values) < n_needed)

    return cut


def split_line(line: str, delimiter: str, quote: str) -> list[str]:
    """Return the values of a delimited line; a doubled quote within quotes is one."""
    if quote not in line:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote))


def json_cutter(columns: Sequence[str], null_words: frozenset[str]) -> Cutter:
    """Return a function that gives the mapped values of a JSON line, None where it isn't one whole object."""

    def cut(line: str) -> Cut | None:
        found = read_object(line)
        if found is None:
            return None
        return Cut([[_value(found.get(name), null_words) for name in columns]])

    return cut


def read_object(line: str) -> dict[str, Any] | None:
    """Return the one object a line holds, its numbers as written; None for anything else.

    Two lines glued together by a lost line end are no object: the second would vanish.
    """
    try:
        found = json.loads(line, parse_float=NumberText, parse_int=NumberText, parse_constant=NumberText)
    except (ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None


def _value(value: Any, null_words: frozenset[str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, NumberText):
        return None if value in null_words else value
    if isinstance(value, str):
        return _text(value, null_words) if _has_bytes(value) else Structure()
    if isinstance(value, bool):
        return TruthText("true" if value else "false")
    return Structure()


def _text(value: str, null_words: frozenset[str]) -> str | None:
    trimmed = value.strip(" ")
    return None if trimmed in null_words or not trimmed else trimmed


def _has_bytes(value: str) -> bool:
    """Return False for half of a pair of surrogates, which JSON can name and no text can hold."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
