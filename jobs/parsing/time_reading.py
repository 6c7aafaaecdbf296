"""Raw values become moments: microseconds since the epoch in UTC, as the source's mapping says; None where unreadable.

Local times go through the zone's rules: one that a clock skipped is read as the clock would have shown it without the
change, one that a clock showed twice is its first showing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conf.specs.time_mapping import TimeMapping
from conf.specs.time_patterns import MONTHS, TimePattern, compile_pattern
from jobs.parsing.raw_values import exact_decimal

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_NUMBERED_DAY = re.compile(r"(-?\d{1,6})(?:\.0+)?(?: (?:(\d{1,2}):(\d{2})(?::(\d{2}))?|(\d{1,4})))?", re.ASCII)
_EPOCH_UNITS = {
    "seconds": Decimal(1_000_000),
    "milliseconds": Decimal(1_000),
    "microseconds": Decimal(1),
    "nanoseconds": Decimal("0.001"),
}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
_MICRO, _MINUTE, _DAY = 1_000_000, 60, 86_400
_FARTHEST_OFFSET = 18 * 3600
_MOST_REMEMBERED = 100_000
_LONGEST_COUNT = Decimal("1e20")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)

Remembered = TypeVar("Remembered")


class LocalTimes:
    """A zone's clock: offsets of local times and of moments, remembered by minute."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._of_local: dict[int, tuple[int, str | None]] = {}
        self._of_moment: dict[int, int] = {}

    def offset_of_local(self, seconds: int) -> tuple[int, str | None]:
        """Return seconds east of UTC at a local time, given as seconds since the epoch as if it were UTC.

        Beside it: `skipped` or `repeated` for a time that the zone's clock never showed, or showed twice.
        """
        minute = seconds // _MINUTE
        known = self._of_local.get(minute)
        if known is None:
            local = datetime.fromtimestamp(minute * _MINUTE, UTC).replace(tzinfo=self._zone)
            first, second = _seconds_east(local), _seconds_east(local.replace(fold=1))
            shift = None if first == second else "skipped" if first < second else "repeated"
            known = _remember(self._of_local, minute, (first, shift))
        return known

    def offset_of_moment(self, seconds: int) -> int:
        """Return seconds east of UTC at a moment."""
        minute = seconds // _MINUTE
        offset = self._of_moment.get(minute)
        if offset is None:
            moment = datetime.fromtimestamp(minute * _MINUTE, self._zone)
            offset = _remember(self._of_moment, minute, _seconds_east(moment))
        return offset

    def day_of(self, micros: int) -> int:
        """Return the business day of a moment, in days since the epoch."""
        seconds = micros // _MICRO
        try:
            return (seconds + self.offset_of_moment(seconds)) // _DAY
        except (OverflowError, ValueError):  # within a day of either end of the calendar
            return seconds // _DAY


class TimeReader:
    """Reads the event time of one mapping.

    shift: what `offset_of_local` says of the time read last.
    """

    def __init__(self, mapping: TimeMapping, zone: str, columns: Sequence[str]) -> None:
        self.shift: str | None = None
        self._clock = LocalTimes(mapping.zone or zone)
        self._unit = mapping.unit
        self._pattern = compile_pattern(mapping.pattern) if mapping.pattern is not None else None
        self._constant = mapping.constant
        self._day_one = mapping.day_one
        self._places = [columns.index(name) for name in mapping.parts]
        self._offset = mapping.offset
        self._offset_place = columns.index(mapping.offset.column) if mapping.offset is not None else None
        self._fraction_place = columns.index(mapping.milliseconds) if mapping.milliseconds is not None else None

    def text(self, values: Sequence[str | None]) -> str | None:
        """Return what a record says of its time, None where a part is missing.

        Milliseconds follow a bar, and what has passed since then another one and a plus.
        """
        told = self._start(values)
        if self._offset_place is None or told is None:
            return told
        passed = values[self._offset_place]
        return None if passed is None else f"{told}|+{passed}"

    def _start(self, values: Sequence[str | None]) -> str | None:
        if self._constant is not None:
            return self._constant
        parts = [values[place] for place in self._places]
        if len(parts) == 1 and self._fraction_place is None:
            return parts[0]
        if any(part is None for part in parts):
            return None
        joined = " ".join(part for part in parts if part is not None)
        return joined if self._fraction_place is None else f"{joined}|{values[self._fraction_place] or ''}"

    def read(self, text: str) -> int | None:
        """Return microseconds since the epoch, or None where the text is no time of the years 1 to 9999."""
        self.shift = None
        passed: int | None = 0
        if self._offset is not None:
            text, _, told = text.rpartition("|+")
            passed = _since_epoch(told, _EPOCH_UNITS[self._offset.unit])
        try:
            micros = self._with_fraction(text) if self._fraction_place is not None else self._micros(text)
        except (ValueError, OverflowError):  # no such day or hour
            return None
        if micros is None or passed is None:
            return None
        micros += passed
        return micros if _FIRST_MICROS <= micros <= _LAST_MICROS else None

    def _with_fraction(self, text: str) -> int | None:
        text, _, fraction = text.rpartition("|")
        micros, milliseconds = self._micros(text), exact_decimal(fraction)
        if micros is None or milliseconds is None or milliseconds not in range(1000):
            return None
        return micros + int(milliseconds) * 1000

    def _micros(self, text: str) -> int | None:
        if self._pattern is not None:
            return self._of_pattern(text, self._pattern)
        if self._day_one is not None:
            return self._of_day_number(text, self._day_one)
        return self._of_iso(text) if self._unit == "iso" else _since_epoch(text, _EPOCH_UNITS[self._unit])

    def _of_iso(self, text: str) -> int | None:
        found = _ISO.fullmatch(text)
        if found is None:
            return None
        year, month, day, hour, minute, second, fraction, offset = found.groups()
        local = _local_seconds((int(year), int(month), int(day)), (int(hour), int(minute), int(second or 0)))
        return self._moment(local, _offset(offset)) * _MICRO + _fraction(fraction)

    def _of_pattern(self, text: str, pattern: TimePattern) -> int | None:
        found = pattern.expression.fullmatch(text)
        if found is None:
            return None
        given = found.groupdict()
        local = _local_seconds(_calendar_day(given), _time_of_day(given))
        if given.get("zone"):
            seconds = local - _named_zone(given["zone"]).offset_of_local(local)[0]
        else:
            seconds = self._moment(local, _offset(given.get("offset")))
        return seconds * _MICRO + _fraction(given.get("fraction"))

    def _of_day_number(self, text: str, day_one: date) -> int | None:
        found = _NUMBERED_DAY.fullmatch(text)
        if found is None:
            return None
        number, hour, minute, second, short = found.groups()
        if short is not None:
            hour, minute = short.rjust(4, "0")[:2], short.rjust(4, "0")[2:]
        day = date.fromordinal(day_one.toordinal() + int(number) - 1)
        time = (int(hour or 0), int(minute or 0), int(second or 0))
        return self._moment(_local_seconds((day.year, day.month, day.day), time), None) * _MICRO

    def _moment(self, local: int, offset: int | None) -> int:
        if offset is None:
            offset, self.shift = self._clock.offset_of_local(local)
        return local - offset


def _seconds_east(local: datetime) -> int:
    offset = local.utcoffset() or timedelta()
    return offset.days * _DAY + offset.seconds


def _remember(known: dict[int, Remembered], minute: int, value: Remembered) -> Remembered:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[minute] = value
    return value


def _since_epoch(text: str, micros_a_unit: Decimal) -> int | None:
    number = exact_decimal(text)
    if number is None or abs(number) >= _LONGEST_COUNT:
        return None
    exact = _EXACT.multiply(_EXACT.quantize(number, Decimal("1e-6")), micros_a_unit)
    return int(exact.to_integral_value(rounding=ROUND_FLOOR, context=_EXACT))


def _local_seconds(day: tuple[int, int, int], time: tuple[int, int, int]) -> int:
    hour, minute, second = time
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no such time of day")
    return (date(*day).toordinal() - _EPOCH_ORDINAL) * _DAY + hour * 3600 + minute * _MINUTE + second


def _calendar_day(given: dict[str, str | None]) -> tuple[int, int, int]:
    year = given.get("year") or (f"20{given['short_year']}" if given.get("short_year") else "1970")
    name = given.get("month_name")
    month = MONTHS.index(name[:3].lower()) + 1 if name else int(given.get("month") or 1)
    return int(year), month, int(given.get("day") or 1)


def _time_of_day(given: dict[str, str | None]) -> tuple[int, int, int]:
    hour = int(given.get("hour") or 0)
    if half_hour := given.get("half_hour"):
        if not 1 <= int(half_hour) <= 12:
            raise ValueError("no such hour")
        hour = int(half_hour) % 12 + (12 if (given["half"] or "").upper() == "PM" else 0)
    return hour, int(given.get("minute") or 0), int(given.get("second") or 0)


def _fraction(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def _offset(text: str | None) -> int | None:
    """Return seconds east of UTC, None where the text names no offset."""
    if text is None:
        return None
    if text in {"Z", "z"}:
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    seconds = hours * 3600 + minutes * _MINUTE
    if minutes > 59 or seconds > _FARTHEST_OFFSET:
        raise ValueError("no such offset")
    return -seconds if text[0] == "-" else seconds


def _named_zone(name: str) -> LocalTimes:
    try:
        return LocalTimes(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError("no such zone") from error
