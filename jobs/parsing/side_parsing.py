"""Lines of a side table become its rows, as the source's mapping says; dirt becomes a reason, as of an event's line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from conf.specs.field_mapping import NumberMapping
from conf.specs.side_table import FieldKind, SideTable
from jobs.parsing.event_parsing import Refusal
from jobs.parsing.field_reading import FieldReader, NumberReader
from jobs.parsing.raw_values import UnfitValue
from jobs.parsing.record_cutting import Cutter, Values, delimited_cutter, json_cutter
from jobs.parsing.time_reading import TimeReader

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: dict[FieldKind, str] = {"money": "price", "count": "quantity", "rate": "rate"}
_FREE_TEXT = (*_NUMBERS, "flag")
_MAY_BE_MISSING = ("money", "count", "text", "attribute")
_CURRENCY = re.compile("[A-Z]{3}")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(slots=True)
class SideLine:
    """A line as rows of its table, `valid_from` in microseconds since the epoch; or why it is none.

    A table of lists has a row for each list that the line holds elements of.
    """

    refusal: Refusal | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


class SideParser:
    """Reads the lines of a side table's files that share a header."""

    def __init__(
        self, name: str, table: SideTable, header: Sequence[str], *, zone: str, pseudonym: Callable[[str], str]
    ) -> None:
        columns = table.raw_columns
        self._zone, self._pseudonym = ZoneInfo(zone), pseudonym
        self._cut = _cutter(table, header, columns)
        self._times = TimeReader(table.valid_from, zone, columns) if table.valid_from is not None else None
        kinds = {field_name: kind for field_name, kind in table.fields_of(name).items() if field_name in table.columns}
        self._attributes = [field_name for field_name, kind in kinds.items() if kind == "attribute"]
        self._lists = [field_name for field_name, kind in kinds.items() if kind == "element"]
        self._readers: list[tuple[str, FieldKind, FieldReader]] = [
            (field_name, kind, _reader(kind, table.columns[field_name], columns)) for field_name, kind in kinds.items()
        ]

    def parse(self, line: str, delivery_date: date) -> SideLine:
        """Return the line's rows, or the reason for which it is rejected."""
        cut = self._cut(line)
        if cut is None:
            return SideLine(Refusal("unreadable"))
        if cut.is_half:
            return SideLine(Refusal("half_record"))
        parsed = SideLine()
        for values in cut.records:
            row, refusal = self._row(values, delivery_date, is_without_elements=cut.is_empty_list)
            if refusal is not None:
                return SideLine(refusal)
            parsed.rows += self._one_each(row) if self._attributes else [row]
        if self._lists:
            parsed.rows = self._gathered(parsed.rows)
        return parsed

    def _one_each(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a row for each attribute of the one that was read."""
        shared = {name: value for name, value in row.items() if name not in self._attributes}
        return [shared | {"attribute": name, "value": row[name]} for name in self._attributes]

    def _gathered(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return a row for all that differ in their elements alone, which it lists, each once and ascending."""
        shared: dict[tuple[Any, ...], dict[str, Any]] = {}
        elements: dict[tuple[str, tuple[Any, ...]], set[Any]] = {}
        for row in rows:
            own = {name: value for name, value in row.items() if name not in self._lists}
            key = tuple(own.values())
            shared[key] = own
            for name in self._lists:
                found = elements.setdefault((name, key), set())
                found.update(() if row[name] is None else (row[name],))
        return [own | {name: sorted(elements[name, key]) for name in self._lists} for key, own in shared.items()]

    def _row(
        self, values: Values, delivery_date: date, *, is_without_elements: bool = False
    ) -> tuple[dict[str, Any], Refusal | None]:
        row: dict[str, Any] = {}
        if self._times is None:
            row["valid_from"] = self._start_of(delivery_date)
        else:
            given = self._times.text(values)
            row["valid_from"] = self._times.read(given) if given is not None else None
            if row["valid_from"] is None:
                return row, Refusal("missing_field" if given is None else "bad_timestamp", "valid_from")
        for name, kind, reader in self._readers:
            unfit = Refusal("bad_number" if isinstance(reader, NumberReader) else "bad_id", name)
            try:
                given = reader.value(values, {}) if kind in _FREE_TEXT else reader.id(values, {})
            except UnfitValue:
                return row, unfit
            may_be_missing = kind in _MAY_BE_MISSING or (kind == "element" and is_without_elements)
            if given is None and (not may_be_missing or reader.mapping.required):
                return row, Refusal("missing_field", name)
            row[name] = self._stored(given, kind, reader, values) if given is not None else None
            if given is not None and row[name] is None:
                return row, unfit
        return row, None

    def _stored(self, given: str, kind: FieldKind, reader: FieldReader, values: Values) -> Any:
        if isinstance(reader, NumberReader):
            number = reader.number(given, values)
            return _rate(number) if kind == "rate" and number is not None else number
        if kind == "currency":
            return given if _CURRENCY.fullmatch(given) else None
        if kind == "flag":
            return _FLAGS.get(given.lower())
        return self._pseudonym(given) if kind == "shopper" else given

    def _start_of(self, day: date) -> int:
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone).astimezone(UTC) - _EPOCH
        return int(start.total_seconds()) * 1_000_000


def _reader(kind: FieldKind, mapping: NumberMapping, columns: Sequence[str]) -> FieldReader:
    return NumberReader(_NUMBERS[kind], mapping, columns) if kind in _NUMBERS else FieldReader(mapping, columns)


def _rate(number: int | Decimal) -> str | None:
    """Return the rate as text without trailing zeros; None for one that isn't above 0."""
    return format(Decimal(number).normalize(), "f") if number > 0 else None


def _cutter(table: SideTable, header: Sequence[str], columns: Sequence[str]) -> Cutter:
    null_words = frozenset(table.null_words)
    if table.csv is None:
        return json_cutter(columns, null_words)
    own = table.csv.columns
    return delimited_cutter(table.csv, table.csv.with_added(own) if own else header, columns, null_words)
