"""A record that holds a list becomes a line for each of its elements, with what the record says beside the list.

A session whose clicks have times of their own is no one event with parts, but so many events. Each line is the record's
object with the element in the list's place, as if the shop had delivered it so: equal elements are equal lines, and a
line that went through here once comes out as it went in. Numbers keep their digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from jobs.parsing.raw_values import NumberText
from jobs.parsing.record_cutting import read_object


def unnested(line: str, keys: Sequence[str]) -> list[str]:
    """Return a line for each element of the list below the keys; none of an empty list.

    A line that is no object, or holds no list there, or one of lists, is returned as it is: what is wrong with it is
    found when it is read.

    Args:
        line: JSON text.
        keys: from the object to the list.

    >>> unnested('{"who": 7, "hits": [{"at": 1.50}, {"at": 2}]}', ["hits"])
    ['{"who": 7, "hits": {"at": 1.50}}', '{"who": 7, "hits": {"at": 2}}']
    >>> unnested('{"hits": []}', ["hits"]), unnested('{"hits": nul', ["hits"])
    ([], ['{"hits": nul'])
    """
    record = read_object(line)
    elements = None if record is None else _elements(record, keys)
    if record is None or elements is None:
        return [line]
    try:
        return [_written(_with(record, keys, element)) for element in elements]
    except RecursionError:
        return [line]


def n_unnested(line: str, keys: Sequence[str]) -> int:
    """Return how many lines `unnested` makes of the line."""
    record = read_object(line)
    elements = None if record is None else _elements(record, keys)
    return 1 if elements is None else len(elements)


def _elements(record: dict[str, Any], keys: Sequence[str]) -> list[Any] | None:
    """Return the list's elements; None where there is none, or one whose elements are lists again."""
    found: Any = record
    for key in keys:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found if isinstance(found, list) and not any(isinstance(one, list) for one in found) else None


def _with(record: dict[str, Any], keys: Sequence[str], element: Any) -> dict[str, Any]:
    """Return the record with the element in the list's place; the record stays as it is."""
    first, rest = keys[0], keys[1:]
    return record | {first: _with(record[first], rest, element) if rest else element}


def _written(value: Any) -> str:
    text = "".join(_pieces(value))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which only an escape can hold
        return "".join(f"\\u{ord(one):04x}" if "\ud800" <= one <= "\udfff" else one for one in text)
    return text


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, NumberText):
        yield str(value)
    elif isinstance(value, dict):
        yield "{"
        for place, (key, below) in enumerate(value.items()):
            yield f"{', ' if place else ''}{json.dumps(key, ensure_ascii=False)}: "
            yield from _pieces(below)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for place, below in enumerate(value):
            yield ", " if place else ""
            yield from _pieces(below)
        yield "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
