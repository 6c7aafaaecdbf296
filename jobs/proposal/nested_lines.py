"""Whether records hold a list whose elements are the events: clicks of a session, each with a time of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jobs.parsing.raw_values import exact_decimal
from jobs.proposal.time_guesses import how_written, is_day_alone

_PASSED = re.compile(
    r"(?:^|_)(?:at|t|ts|time|offset|elapsed|passed|since|ms|millis|sec|secs|seconds|zeit|off|delta)(?:_|$)"
)
_LEAST_RECORDS, _LEAST_SHARE, _LEAST_TOLD = 2, 0.5, 5

Record = dict[str, Any]
Elements = Sequence[Record]


@dataclass(frozen=True)
class NestedLines:
    """A list whose elements are lines.

    Attributes:
        keys: from a record to it.
        time: an element's key with its time.
        is_passed: whether that is what has passed since the record's own time.
        is_in_milliseconds: whether what has passed seems to be counted so.
        once: keys of the records whose values differ in each: what names a record, such as its session.
    """

    keys: tuple[str, ...]
    time: str
    is_passed: bool
    is_in_milliseconds: bool = False
    once: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """The list as a source names it."""
        return ".".join(self.keys)

    @property
    def column(self) -> str:
        """The time as a source names it."""
        return f"{self.path}.{self.time}"

    def lines_of(self, records: Sequence[Record]) -> list[Record]:
        """Return the records' lines as objects: each element in its list's place."""
        return [line for record in records for line in _lines_of(record, self.keys)]

    def lengths_of(self, records: Sequence[Record]) -> tuple[int, ...]:
        """Return how many lines each of the records has."""
        return tuple(len(_lines_of(record, self.keys)) for record in records)


def nested_lines(records: Sequence[Record]) -> NestedLines | None:
    """Return the list whose elements have times of their own, the longest of several; None where there is none.

    Args:
        records: the objects of a log's first lines.
    """
    lists: dict[tuple[str, ...], list[Elements]] = {}
    for record in records:
        for keys, elements in _lists_in(record, ()):
            lists.setdefault(keys, []).append(elements)
    found = [(sum(map(len, some)), keys, one) for keys, some in lists.items() if (one := _times(some)) is not None]
    if not found:
        return None
    _, keys, (time, is_passed, is_in_milliseconds) = max(found, key=lambda one: one[0])
    return NestedLines(keys, time, is_passed, is_in_milliseconds, _once(records))


def _once(records: Sequence[Record]) -> frozenset[str]:
    """Return the keys whose values differ in each record; none of too few records to tell."""
    if len(records) < _LEAST_TOLD:
        return frozenset()
    told = {key: [_text(record.get(key)) for record in records] for key in records[0]}
    return frozenset(
        key
        for key, values in told.items()
        if None not in values and len(set(values)) == len(values) and how_written(values) is None
    )


def _lists_in(value: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Elements]]:
    for key, below in value.items():
        if any(mark in key for mark in ".[]"):
            continue
        if isinstance(below, dict):
            yield from _lists_in(below, (*keys, key))
        elif isinstance(below, list) and below and all(isinstance(one, dict) for one in below):
            yield (*keys, key), below


def _times(lists: Sequence[Elements]) -> tuple[str, bool, bool] | None:
    """Return the key of the elements' times, whether it says what has passed, and that in milliseconds."""
    several = [elements for elements in lists if len(elements) > 1]
    if len(several) < _LEAST_RECORDS:
        return None
    passed: tuple[str, bool, bool] | None = None
    for key in dict.fromkeys(key for elements in several for one in elements for key in one):
        values = [[_text(one.get(key)) for one in elements] for elements in several]
        if not _differ(values):
            continue
        how = how_written([one for some in values for one in some])
        if how is not None and not is_day_alone(how):
            return key, False, False
        is_passed = _ascend(values) if _PASSED.search(_snake(key)) else _grow_from_nothing(values)
        if passed is None and is_passed:
            passed = key, True, _are_milliseconds(key, values)
    return passed


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list | bool) else str(value)


def _differ(values: Sequence[Sequence[str | None]]) -> bool:
    n_differing = sum(len(set(some) - {None}) > 1 for some in values)
    return n_differing >= _LEAST_SHARE * len(values)


def _ascend(values: Sequence[Sequence[str | None]]) -> bool:
    """Return whether nearly all lists hold numbers from 0 that never fall."""
    n_ascending = 0
    for some in values:
        numbers = [exact_decimal(one) if one is not None else None for one in some]
        known = [one for one in numbers if one is not None]
        n_ascending += len(known) == len(numbers) and known[0] >= 0 and known == sorted(known)
    return n_ascending >= 0.95 * len(values)


def _grow_from_nothing(values: Sequence[Sequence[str | None]]) -> bool:
    """Return whether lists hold numbers that begin at 0 and grow by uneven steps, as no counter does."""
    if not _ascend(values):
        return False
    numbers = [[exact_decimal(one) for one in some if one is not None] for some in values]
    steps = {
        after - before
        for some in numbers
        for before, after in pairwise(some)
        if before is not None and after is not None
    }
    return len(steps) > _LEAST_TOLD and sum(some[0] == 0 for some in numbers) >= 0.95 * len(numbers)


def _are_milliseconds(key: str, values: Sequence[Sequence[str | None]]) -> bool:
    if re.search(r"(?:^|_)(?:ms|millis)", _snake(key)):
        return True
    known = [one for some in values for one in some if one is not None]
    largest = max((number for one in known if (number := exact_decimal(one)) is not None), default=0)
    return largest >= 20_000 and not any("." in one for one in known)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _lines_of(record: Record, keys: Sequence[str]) -> list[Record]:
    first, rest = keys[0], keys[1:]
    below = record.get(first)
    if rest:
        return [{**record, first: one} for one in _lines_of(below, rest)] if isinstance(below, dict) else [record]
    return [{**record, first: one} for one in below] if isinstance(below, list) else [record]
