"""A line is cut into the raw values of the columns that a feed maps; values are trimmed, missing ones are None."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conf.specs.delivery import CsvFormat
from conf.specs.json_paths import JsonPath, Step, is_path, read_path
from jobs.parsing.raw_values import NumberText, Structure, TruthText

# A delimited line of more values is taken for no record; so was it ever.
MOST_VALUES = 20_000
LONGEST_LINE = 1 << 24  # bytes, and so characters

# A line with bytes that aren't text starts with this, which no text does.
UNDECODABLE = "\0"

# In such a line a byte that isn't text is one of the 256 characters from here on (a private area of Unicode).
FIRST_MARK = 0xF700
_MARK = re.compile(f"[{chr(FIRST_MARK)}-{chr(FIRST_MARK + 0xFF)}]")

csv.field_size_limit(LONGEST_LINE)

Values = list[str | None]

# What stands where an object or a list was expected.
UNFIT = Structure()


@dataclass(frozen=True, slots=True)
class Cut:
    """The mapped values of each record of a line.

    is_half: the line has fewer values than it should, or ends within one.
    is_empty_list: it holds the list that records are elements of, and nothing in that.
    """

    records: list[Values]
    is_half: bool = False
    is_empty_list: bool = False


Cutter = Callable[[str], Cut | None]


def delimited_cutter(
    form: CsvFormat, header: Sequence[str], columns: Sequence[str], null_words: frozenset[str]
) -> Cutter:
    """Return a function that gives the mapped values of a delimited line, None where it can't be cut.

    A line of more values than columns can't be. One with fewer is half a record, where the file has a header or where
    a mapped value is missing or values are added behind the file's own; so is one that ends within quotes.
    """
    separators = [form.lists[found] if (found := form.list_of(name)) else None for name in columns]
    places = [list(header).index(form.list_of(name) or name) for name in columns]
    n_columns = len(header)
    n_needed = n_columns if form.has_header or form.added else max(places, default=-1) + 1

    def cut(line: str) -> Cut | None:
        if not line.strip() or line.count(form.delimiter) >= MOST_VALUES:
            return None
        values = split_line(line, form)
        if values is None or len(values) > n_columns:
            return None
        given = [_text(values[place], null_words) if place < len(values) else None for place in places]
        is_half = len(values) < n_needed or _ends_in_quotes(line, form)
        return Cut(_elements(given, separators, null_words), is_half)

    return _of_text(cut)


def _ends_in_quotes(line: str, form: CsvFormat) -> bool:
    """Return whether a quote is open at the line's end: what would follow a further delimiter isn't a value then."""
    if not form.quote or line.count(form.quote) % 2 == 0:
        return False
    values = split_line(f"{line}{form.delimiter}x", form)
    return values is not None and values[-1] != "x"


def _elements(given: Values, separators: Sequence[str | None], null_words: frozenset[str]) -> list[Values]:
    """Return a record for each element of the list that columns hold; the one record where none does."""
    lists = [(text, separator) for text, separator in zip(given, separators, strict=True) if separator and text]
    if not lists:
        return [given]
    text, separator = lists[0]
    parts = [part for one in text.split(separator) if (part := one.strip(" "))]
    elements = [None if part in null_words else part for part in parts] or [None]
    return [[one if of_list else value for of_list, value in zip(separators, given, strict=True)] for one in elements]


def split_line(line: str, form: CsvFormat) -> list[str] | None:
    """Return the values of a delimited line, None where it can't be cut; a doubled quote within quotes is one."""
    if not form.quote or form.quote not in line:
        return line.split(form.delimiter)
    if len(form.delimiter) > 1:
        return _split_by_word(line, form.delimiter, form.quote)
    try:
        return next(csv.reader([line], delimiter=form.delimiter, quotechar=form.quote), [])
    except csv.Error:  # a line end outside of quotes, say
        return None


def _split_by_word(line: str, delimiter: str, quote: str) -> list[str]:
    values, place = [], 0
    inner = re.compile(f"{re.escape(quote)}((?:[^{re.escape(quote)}]|{re.escape(quote) * 2})*){re.escape(quote)}")
    while True:
        quoted = inner.match(line, place)
        start = quoted.end() if quoted else place
        end = line.find(delimiter, start)
        rest = line[start : end if end >= 0 else len(line)]
        values.append((quoted.group(1).replace(quote * 2, quote) if quoted else "") + rest)
        if end < 0:
            return values
        place = end + len(delimiter)


def _of_text(cut: Cutter) -> Cutter:
    """Return the function made safe for lines with bytes that aren't text: they may stand where nothing is mapped."""

    def safe(line: str) -> Cut | None:
        if not line.startswith(UNDECODABLE):
            return cut(line)
        found = cut(line[1:]) if _MARK.search(line) else None
        is_hurt = found is None or any(value and _MARK.search(value) for values in found.records for value in values)
        return None if is_hurt else found

    return safe


def json_cutter(columns: Sequence[str], null_words: frozenset[str]) -> Cutter:
    """Return a function that gives the mapped values of a JSON line, None where it isn't one whole object.

    Where columns lie below a list, the line has a record for each of its elements; for an empty or missing list, one
    in which they are missing. Of several lists each line may hold one, and columns below the others are missing in it;
    a line that holds elements of two is None as well: which of them belong together, nothing says.
    """
    paths = [read_path(name) if is_path(name) else None for name in columns]
    named_paths = list(zip(columns, paths, strict=True))
    lists = list(dict.fromkeys(path.list_steps for path in paths if path is not None and path.list_steps is not None))

    def cut(line: str) -> Cut | None:
        found = read_object(line)
        if found is None:
            return None
        given = [(steps, value_at(found, steps)) for steps in lists]
        held = [(steps, elements) for steps, elements in given if elements is not None and elements != []]
        if len(held) > 1:
            return None
        list_steps, elements = held[0] if held else (None, [None])
        if not isinstance(elements, list):
            elements = [UNFIT]
        return Cut(
            [
                [_value(_look_up(found, name, path, element, list_steps), null_words) for name, path in named_paths]
                for element in elements
            ],
            is_empty_list=not held and any(elements == [] for _, elements in given),
        )

    return _of_text(cut)


def _look_up(
    found: dict[str, Any], name: str, path: JsonPath | None, element: Any, list_steps: tuple[Step, ...] | None
) -> Any:
    if path is None or name in found:
        return found.get(name)
    if path.list_steps is None:
        return value_at(found, path.steps)
    return value_at(element, path.steps) if path.list_steps == list_steps else None


def value_at(value: Any, steps: Sequence[Step]) -> Any:
    """Return what lies at the end of the steps: None where it is missing, `UNFIT` where they lead through no object."""
    for step in steps:
        if value is None or value is UNFIT:
            return value
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else UNFIT
        elif not isinstance(value, list):
            value = UNFIT
        elif isinstance(step, int):
            value = value[step] if step < len(value) else None
        else:
            key, word = step
            value = next((one for one in value if isinstance(one, dict) and one.get(key) == word), None)
    return value


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
    if isinstance(value, Structure):
        return value
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
