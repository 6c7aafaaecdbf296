"""Lines of a side table become its rows, as the source's mapping says; dirt becomes a reason, as of an event's line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from conf.specs.field_mapping import NumberMapping
from conf.specs.side_table import SIDE_TABLES, FieldKind, SideTable
from jobs.parsing.event_parsing import Refusal
from jobs.parsing.field_reading import FieldReader, NumberReader
from jobs.parsing.raw_values import UnfitValue
from jobs.parsing.record_cutting import Cutter, Values, delimited_cutter, json_cutter
from jobs.parsing.time_reading import TimeReader

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: dict[FieldKind, str] = {"money": "price", "count": "quantity"}
_FREE_TEXT = (*_NUMBERS, "flag")
_MAY_BE_MISSING = (*_NUMBERS, "text")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(slots=True)
class SideLine:
    """A line as rows of its table, `valid_from` in microseconds since the epoch; or why it is none."""

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
        kinds = {field_name: kind for field_name, kind in SIDE_TABLES[name].items() if field_name in table.columns}
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
            row, refusal = self._row(values, delivery_date)
            if refusal is not None:
                return SideLine(refusal)
            parsed.rows.append(row)
        return parsed

    def _row(self, values: Values, delivery_date: date) -> tuple[dict[str, Any], Refusal | None]:
        row: dict[str, Any] = {"valid_from": self._start_of(delivery_date)}
        if self._times is not None:
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
            if given is None and (kind not in _MAY_BE_MISSING or reader.mapping.required):
                return row, Refusal("missing_field", name)
            row[name] = self._stored(given, kind, reader, values) if given is not None else None
            if given is not None and row[name] is None:
                return row, unfit
        return row, None

    def _stored(self, given: str, kind: FieldKind, reader: FieldReader, values: Values) -> Any:
        if isinstance(reader, NumberReader):
            return reader.number(given, values)
        if kind == "flag":
            return _FLAGS.get(given.lower())
        return self._pseudonym(given) if kind == "shopper" else given

    def _start_of(self, day: date) -> int:
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone).astimezone(UTC) - _EPOCH
        return int(start.total_seconds()) * 1_000_000


def _reader(kind: FieldKind, mapping: NumberMapping, columns: Sequence[str]) -> FieldReader:
    return NumberReader(_NUMBERS[kind], mapping, columns) if kind in _NUMBERS else FieldReader(mapping, columns)


def _cutter(table: SideTable, header: Sequence[str], columns: Sequence[str]) -> Cutter:
    null_words = frozenset(table.null_words)
    if table.csv is None:
        return json_cutter(columns, null_words)
    return delimited_cutter(table.csv, table.csv.columns or header, columns, null_words)
