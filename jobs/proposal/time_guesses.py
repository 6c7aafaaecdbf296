"""Which columns hold the time of an event, and how it is written there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from conf.specs.time_mapping import TimeMapping
from conf.specs.time_patterns import compile_pattern
from jobs.parsing.raw_values import exact_decimal
from jobs.parsing.time_reading import TimeReader
from jobs.proposal.day_order import day_order, turned

_LEAST_SHARE, _N_TRIED, _MOST_DECIMALS = 0.8, 200, 9
_UNITS_BY_DIGITS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}
_PATTERNS = (
    "yyyy-MM-dd HH:mm:ss z",
    "M/d/yyyy h:mm:ss a",
    "d/M/yyyy h:mm:ss a",
    "M/d/yyyy H:mm[:ss]",
    "d/M/yyyy H:mm[:ss]",
    "d.M.yyyy H:mm[:ss]",
    "d-M-yyyy H:mm[:ss]",
    "M-d-yyyy H:mm[:ss]",
    "yyyy/MM/dd H:mm[:ss]",
    "yyyyMMdd HHmm[ss]",
    "yyyyMMddHHmmss",
    "yyyy-MM-dd",
    "d.M.yyyy",
    "M/d/yyyy",
    "d/M/yyyy",
    "d-M-yyyy",
    "M-d-yyyy",
    "yyyy/MM/dd",
    "yyyyMMdd",
)
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
_GOOD_NAMES = (
    "event_timestamp",
    "event_time",
    "timestamp",
    "created",
    "datetime",
    "time",
    "date",
    "ts",
    "zeit",
    "datum",
    "fecha",
    "horodat",
    "dato",
    "tijd",
)
_POOR_NAMES = (
    "previous",
    "first",
    "received",
    "sent",
    "original",
    "updat",
    "paid",
    "fulfil",
    "cancel",
    "birth",
    "touch",
)

Columns = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class TimeGuess:
    """How the event time is read: its mapping, what is in doubt, and what only a person can tell."""

    mapping: dict[str, Any]
    doubts: list[str]
    questions: list[str] = field(default_factory=list)


def guess_time(columns: Columns, file_days: Sequence[date | None] = ()) -> TimeGuess | None:
    """Return how the event time is read; None where no column holds one.

    Args:
        columns: their values by name.
        file_days: of each record the day that its file's name says; None where it says none.
    """
    found = [
        (_rank(name, values), name, how) for name, values in columns.items() if (how := how_written(values)) is not None
    ]
    found = [one for one in found if "[]" not in one[1]]
    whole = [one for one in found if not is_day_alone(one[2])]
    if whole or found:
        _, name, how = max(whole or found, key=lambda one: one[0])
        if name in {one[1] for one in whole}:
            how, doubts, questions = _in_order(name, how, columns[name], file_days)
            doubts += _doubts(name, how, whole, [one for one in columns[name] if one is not None])
            return TimeGuess({"column": name} | how, doubts, questions)
        return _with_time_of_day(columns, name, how, file_days)
    return _day_numbers(columns)


def how_written(values: Sequence[str | None]) -> dict[str, Any] | None:
    """Return how most of the values are written as times; None where they are none, or too few are given."""
    filled = [one for one in values if one is not None]
    given = filled[:: max(1, len(filled) // _N_TRIED)][:_N_TRIED]
    if len(filled) < max(1, len(values) * 0.2):
        return None
    unit = _epoch_unit(given)
    if unit is not None:
        return {"unit": unit}
    if _share(given, {"unit": "iso"}) >= _LEAST_SHARE:
        return {"unit": "iso"}
    fits = [{"unit": "pattern", "pattern": one} for one in _PATTERNS]
    shares = [(_share(given, one), -place) for place, one in enumerate(fits)]
    share, place = max(shares)
    return fits[-place] if share >= _LEAST_SHARE else None


def _epoch_unit(given: Sequence[str]) -> str | None:
    # A client id of Google Analytics is a number, a dot and a time: nobody counts seconds that finely.
    given = [one for one in given if len(one.partition(".")[2]) < _MOST_DECIMALS] or [""]
    numbers = [one for one in given if (number := exact_decimal(one)) is not None and number > 0]
    if len(numbers) < len(given) * _LEAST_SHARE:
        return None
    digits = [len(one.partition(".")[0]) for one in numbers]
    usual = max(set(digits), key=digits.count)
    # Counts since 1973 of that many digits; ids of the same length spread further.
    is_near = sum(one[0] in "1" for one in numbers) >= len(numbers) * _LEAST_SHARE or usual == 9
    is_steady = digits.count(usual) >= len(digits) * _LEAST_SHARE and is_near
    return {9: "seconds"}.get(usual, _UNITS_BY_DIGITS.get(usual)) if is_steady else None


def _share(given: Sequence[str], how: Mapping[str, Any]) -> float:
    reader = TimeReader(TimeMapping.model_validate({"column": "t", **how}), "UTC", ["t"])
    return sum(reader.read(one) is not None for one in given) / len(given)


def _rank(name: str, values: Sequence[str | None]) -> tuple[int, float, int]:
    word = name.lower().rpartition(".")[2]
    good = next((len(_GOOD_NAMES) - place for place, one in enumerate(_GOOD_NAMES) if one in word), -1)
    poor = any(one in word for one in _POOR_NAMES)
    filled = sum(one is not None for one in values) / max(1, len(values))
    return (-1 if poor else good, filled, -len(name))


def is_day_alone(how: Mapping[str, Any]) -> bool:
    """Return whether the time mapping reads days without a time of day."""
    pattern = str(how.get("pattern", "H"))
    return "H" not in pattern and "h" not in pattern


def is_local(mapping: Mapping[str, Any], columns: Columns) -> bool:
    """Return whether times are a clock's that doesn't say in which zone it stands."""
    unit = mapping.get("unit")
    if unit == "pattern":
        return not compile_pattern(str(mapping["pattern"])).has_zone
    if unit == "iso" and "column" in mapping:
        return not all(map(_OFFSET.search, (one for one in columns.get(mapping["column"], ()) if one is not None)))
    return unit == "day_number"


def _doubts(
    name: str, how: Mapping[str, Any], found: Sequence[tuple[Any, str, Any]], given: Sequence[str]
) -> list[str]:
    doubts = []
    if is_local({"column": name, **how}, {name: given}):
        doubts.append(f"{name}: times that don't say their zone are read as the source's; is it UTC?")
    if others := [other for _, other, _ in found if other != name]:
        doubts.append(f"event_time: {', '.join(others[:5])} hold times as well")
    return doubts


def _in_order(
    name: str, how: Mapping[str, Any], values: Sequence[str | None], file_days: Sequence[date | None]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return how the values are read, with day and month in the order that they have, a doubt and a question on it."""
    pattern = str(how.get("pattern", ""))
    other = turned(pattern)
    if other == pattern:
        return dict(how), [], []
    order = day_order(values, file_days)
    if order.is_day_first is None:
        asked = (
            f"{name}: is 3/4 the 3rd of April or the 4th of March? Nothing in the files tells. Read as {pattern}; "
            f"for the other order write pattern: {other}"
        )
        return dict(how), [], [asked]
    right = pattern if order.is_day_first == pattern.startswith("d") else other
    doubts = [f"{name}: day and month could be the other way round; read as {right} {order.why}"] if order.why else []
    return dict(how) | {"pattern": right}, doubts, []


def _with_time_of_day(
    columns: Columns, day: str, how: Mapping[str, Any], file_days: Sequence[date | None]
) -> TimeGuess:
    how, in_doubt, questions = _in_order(day, how, columns[day], file_days)
    for name, values in columns.items():
        given = [one for one in values if one is not None][:200]
        for pattern in ("H:mm:ss", "H:mm"):
            if name != day and given and _share(given, {"unit": "pattern", "pattern": pattern}) >= _LEAST_SHARE:
                both = f"{how['pattern']} {pattern}"
                mapping = {"columns": [day, name], "unit": "pattern", "pattern": both}
                return TimeGuess(mapping, [f"{day}: in which zone?", *in_doubt], questions)
    doubts = [f"{day}: a day without time of day; its events all happen at midnight", *in_doubt]
    return TimeGuess({"column": day} | dict(how), doubts, questions)


def _day_numbers(columns: Columns) -> TimeGuess | None:
    """Return days that are counted, with the time of day where a column seems to hold it."""
    days = [name for name in columns if name.lower() in ("day", "day_number", "day_no") and _is_whole(columns[name])]
    if not days:
        return None
    times = [name for name in columns if "time" in name.lower() and _is_whole(columns[name], most=2359)]
    mapping = {"columns": [*days[:1], *times[:1]], "unit": "day_number", "day_one": "2020-01-01"}
    doubt = f"{days[0]}: counted days; day_one is made up: put the calendar day of day 1, if it is known"
    return TimeGuess(mapping, [doubt])


def _is_whole(values: Sequence[str | None], most: int = 100_000) -> bool:
    given = [one for one in values if one is not None]
    return bool(given) and all(one.isascii() and one.isdigit() and int(one) <= most for one in given)
