"""Event times of many lines by whole-number arithmetic, where they are written in one of the usual ways.

Every other text, and years near an end of the calendar, are left to the plain reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.time_mapping import TimeMapping
from jobs.parsing.time_reading import LocalTimes

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_MICRO, _MINUTE, _DAY = 1_000_000, 60, 86_400
_EPOCH_UNITS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_FIRST_MICROS, _LAST_MICROS = -2_208_988_800_000_000, 7_258_118_400_000_000
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_ISO_DATE_TIME = ("yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd HH:mm:ss")
_ISO_ENDS = ("", "'Z'", "XXX")
_PART = re.compile(r"'(?P<text>[^']*)'|(?P<letters>([yMdHmsSX])\3*)|(?P<mark>[^A-Za-z'\[\]])")
_WIDTHS = {"y": (4,), "M": (2,), "d": (2,), "H": (2,), "m": (2,), "s": (2,), "S": tuple(range(1, 10)), "X": (3,)}
_ZERO, _NINE = 48, 57


@dataclass(frozen=True)
class TimeColumn:
    """Times of lines: UTC microseconds, what a clock made of local ones, and which were read; `(n,)` each."""

    micros: IntArray
    shift: pa.StringArray
    is_read: BoolArray


@dataclass(frozen=True)
class _Layout:
    """Where a written time of one length has its parts: (letter, first byte, bytes), and its fixed bytes.

    is_local: it is a zone's time, which says no offset.
    """

    length: int
    parts: tuple[tuple[str, int, int], ...]
    marks: tuple[tuple[int, int], ...]
    is_local: bool


def time_reader(
    mapping: TimeMapping, zone: str, columns: Sequence[str]
) -> Callable[[Sequence[pa.StringArray]], TimeColumn] | None:
    """Return a function that reads the event times of lines; None for a mapping that has to be read line by line."""
    is_plain = mapping.milliseconds is None and mapping.constant is None and mapping.offset is None
    if not is_plain or mapping.unit == "day_number":
        return None
    places = [columns.index(name) for name in mapping.parts]
    read = _texts_reader(mapping, LocalTimes(mapping.zone or zone))
    if read is None:
        return None

    def of_columns(values: Sequence[pa.StringArray]) -> TimeColumn:
        parts = [values[place] for place in places]
        return read(parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " "))

    return of_columns


def _texts_reader(mapping: TimeMapping, clock: LocalTimes) -> Callable[[pa.StringArray], TimeColumn] | None:
    if mapping.unit == "iso":
        layouts = _iso_layouts()
        return lambda texts: _written_times(texts, layouts, clock)
    if mapping.unit == "pattern":
        layout = _layout(mapping.pattern or "")
        return (lambda texts: _written_times(texts, [layout], clock)) if layout is not None else None
    micros_a_unit = _EPOCH_UNITS.get(mapping.unit)
    return lambda texts: _counted_times(texts, micros_a_unit)


def _iso_layouts() -> list[_Layout]:
    fractions = ["", *["." + "S" * n for n in (1, 2, 3, 6)]]
    every = [(f"{day}{rest}{end}", end) for day in _ISO_DATE_TIME for rest in fractions for end in _ISO_ENDS]
    found = [(_layout(pattern), end) for pattern, end in every]
    return [replace(layout, is_local=not end) for layout, end in found if layout is not None]


def business_days(micros: IntArray, clock: LocalTimes) -> IntArray:
    """Return the business day of each moment, in days since the epoch."""
    minutes, place = np.unique(micros // (_MICRO * _MINUTE), return_inverse=True)
    offsets = np.array([clock.offset_of_moment(minute * _MINUTE) for minute in minutes.tolist()], dtype=np.int64)
    days: IntArray = (micros // _MICRO + offsets[place]) // _DAY
    return days


def _counted_times(texts: pa.StringArray, micros_a_unit: int | None) -> TimeColumn:
    """Return times of whole numbers; `micros_a_unit` is None where a thousand of them are a microsecond."""
    is_whole = pc.fill_null(pc.match_substring_regex(texts, r"^-?[0-9]{1,18}$"), False)
    numbers = np.asarray(pc.fill_null(pc.if_else(is_whole, texts, None).cast(pa.int64()), 0).to_numpy())
    if micros_a_unit is None:
        micros = numbers // 1000
    else:
        is_near = np.abs(numbers) <= _LAST_MICROS // micros_a_unit
        micros = np.where(is_near, numbers, _LAST_MICROS // micros_a_unit + 1) * micros_a_unit
    return TimeColumn(micros, pa.nulls(len(texts), pa.string()), _flags(is_whole) & _is_near(micros))


def _is_near(micros: IntArray) -> BoolArray:
    return (micros >= _FIRST_MICROS) & (micros < _LAST_MICROS)


def _layout(pattern: str) -> _Layout | None:
    """Return where the parts of times of a pattern stand; None where that differs from time to time."""
    parts: list[tuple[str, int, int]] = []
    marks: list[tuple[int, int]] = []
    place = at = 0
    while at < len(pattern):
        found = _PART.match(pattern, at)
        if found is None:
            return None
        at, letters = found.end(), found["letters"]
        text = found["text"] if found["text"] is not None else found["mark"] or ""
        if letters:
            width = 6 if letters[0] == "X" else len(letters)
            if len(letters) not in _WIDTHS[letters[0]]:
                return None
            parts.append((letters[0], place, width))
            place += width
        elif not text.isascii() or (found["text"] is not None and len(text) != 1):
            return None
        else:
            marks.append((place, ord(text)))
            place += 1
    names = [letter for letter, _, _ in parts]
    if len(set(names)) < len(names) or not {"y", "M", "d"} <= set(names):
        return None
    return _Layout(place, tuple(parts), tuple(marks), "X" not in names)


def _written_times(texts: pa.StringArray, layouts: Sequence[_Layout], clock: LocalTimes) -> TimeColumn:
    micros = np.zeros(len(texts), dtype=np.int64)
    is_read = np.zeros(len(texts), dtype=np.bool_)
    is_local = np.zeros(len(texts), dtype=np.bool_)
    places = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    lengths = np.where(_flags(texts.is_valid()), np.diff(places), -1)
    content = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    for layout in layouts:
        rows = np.flatnonzero((lengths == layout.length) & ~is_read)
        if not len(rows):
            continue
        found, is_fit = _read_layout(content[places[rows][:, None] + np.arange(layout.length)], layout)
        micros[rows[is_fit]], is_read[rows[is_fit]] = found[is_fit], True
        is_local[rows[is_fit]] = layout.is_local
    shift = np.full(len(texts), None, dtype=object)
    _to_utc(micros, shift, np.flatnonzero(is_local), clock)
    return TimeColumn(micros, pa.array(shift, pa.string()), is_read & _is_near(micros))


def _to_utc(micros: IntArray, shift: npt.NDArray[np.object_], rows: IntArray, clock: LocalTimes) -> None:
    """Take the zone's offset from the local times of the rows, and note what its clock made of them."""
    if not len(rows):
        return
    minutes, place = np.unique(micros[rows] // (_MICRO * _MINUTE), return_inverse=True)
    known = [clock.offset_of_local(minute * _MINUTE) for minute in minutes.tolist()]
    micros[rows] -= np.array([offset for offset, _ in known], dtype=np.int64)[place] * _MICRO
    shift[rows] = np.array([one for _, one in known], dtype=object)[place]


def _read_layout(content: npt.NDArray[np.uint8], layout: _Layout) -> tuple[IntArray, BoolArray]:
    """Return microseconds as the texts `(n, length)` say them, less their own offsets, and which texts are times."""
    is_fit = np.ones(len(content), dtype=np.bool_)
    for place, mark in layout.marks:
        is_fit &= content[:, place] == mark
    said = {letter: np.zeros(len(content), dtype=np.int64) for letter in "HmsSX"}
    for letter, first, width in layout.parts:
        part = content[:, first : first + width]
        said[letter], is_part = _offsets(part) if letter == "X" else _number(part)
        is_fit &= is_part
        if letter == "S":
            said[letter] = said[letter] * 10**6 // 10**width
    is_fit &= _is_date(said["y"], said["M"], said["d"])
    is_fit &= (said["H"] <= 23) & (said["m"] <= 59) & (said["s"] <= 59)
    days = _days_since_epoch(said["y"], said["M"], said["d"])
    seconds = days * _DAY + said["H"] * 3600 + said["m"] * _MINUTE + said["s"] - said["X"]
    return seconds * _MICRO + said["S"], is_fit


def _number(digits: npt.NDArray[np.uint8]) -> tuple[IntArray, BoolArray]:
    """Return the numbers that rows of digits write, and which rows are digits alone."""
    number = np.zeros(len(digits), dtype=np.int64)
    for place in range(digits.shape[1]):
        number = number * 10 + (digits[:, place].astype(np.int64) - _ZERO)
    is_digits = np.asarray(np.all((digits >= _ZERO) & (digits <= _NINE), axis=1), dtype=np.bool_)
    return number, is_digits


def _offsets(written: npt.NDArray[np.uint8]) -> tuple[IntArray, BoolArray]:
    """Return seconds east of UTC of offsets such as +02:00, and which are such; those near a bound are left out."""
    (hours, is_hours), (minutes, is_minutes) = _number(written[:, 1:3]), _number(written[:, 4:6])
    is_east, is_west = written[:, 0] == ord("+"), written[:, 0] == ord("-")
    is_fit = is_hours & is_minutes & (is_east | is_west) & (written[:, 3] == ord(":")) & (hours < 18) & (minutes <= 59)
    return np.where(is_west, -1, 1) * (hours * 3600 + minutes * _MINUTE), is_fit


def _is_date(year: IntArray, month: IntArray, day: IntArray) -> BoolArray:
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    is_month = (month >= 1) & (month <= 12)
    last = _MONTH_DAYS[np.where(is_month, month, 0)] + (is_leap & (month == 2))
    is_date: BoolArray = is_month & (day >= 1) & (day <= last) & (year >= _FIRST_YEAR) & (year < _LAST_YEAR)
    return is_date


def _days_since_epoch(year: IntArray, month: IntArray, day: IntArray) -> IntArray:
    """Return days since 1970-01-01. Source: Hinnant, chrono-compatible low-level date algorithms, days_from_civil."""
    year = year - (month <= 2)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: IntArray = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days


def _flags(values: pa.Array) -> BoolArray:
    found: BoolArray = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return found
