"""Raw lines become canonical fields, as the source's mapping says; dirt becomes a reason, never an exception.

Plain Python over batches of lines: ingest calls it in Spark's workers, and whoever looks at a log calls it without.
Everything is exact: numbers go through decimals, money ends as int64 millionths, times as UTC microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from conf.pseudonyms import is_pseudonym
from conf.specs.field_mapping import MONEY_FIELDS, NUMBER_FIELDS, TEXT_FIELDS
from conf.specs.source import Source
from conf.tables import REJECT_REASONS, RejectReason
from jobs.parsing.day_ends import end_past_day
from jobs.parsing.field_reading import (
    DerivedReader,
    FieldReader,
    IgnoreReader,
    NumberReader,
    PathValues,
    TypeReader,
    UnfitNumber,
)
from jobs.parsing.money import MoneyReader, Rates
from jobs.parsing.raw_values import UnfitValue
from jobs.parsing.record_cutting import Cutter, Values, delimited_cutter, json_cutter
from jobs.parsing.source_columns import mapped_columns, number_mappings, text_mappings
from jobs.parsing.time_reading import LocalTimes, TimeReader

# Events that the shop itself may cause: they need no shopper.
SHOP_EVENT_TYPES = frozenset({"stock", "receipt", "order", "promotion", "consent"})

# Events that mean the same whatever the item costs: required money that they lack is no reason to reject them.
UNPRICED_EVENT_TYPES = frozenset({"impression", "view", "click"})
PRICED_FIELDS = frozenset({*MONEY_FIELDS, "quantity"})

# What a record says beyond its line: the rest (when, who, which event) the line says once.
RECORD_FIELDS = ("event_type", *[name for name in TEXT_FIELDS if name not in ("event_id", "user_id")], *NUMBER_FIELDS)

_WORD = re.compile(r"[^\W\d](?:[^\W\d]|[ _./:-]){0,39}")
_RANK = {reason: place for place, reason in enumerate(REJECT_REASONS)}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is rejected: the reason, the field, and the shape of the value that was found there.

    Of an event type that the source doesn't know, the shape is the word itself: it says what happened, not to whom.
    """

    reason: RejectReason
    field: str | None = None
    shape: str | None = None


@dataclass(slots=True)
class ParsedLine:
    """A line as events, or why it is none.

    event_time: microseconds since the epoch, UTC; event_day: business day, in days since the epoch.
    shift: `skipped` or `repeated`, where the local time is one that a clock left out or showed twice.
    records: the fields of `RECORD_FIELDS` by name, for each event of the line.
    """

    refusal: Refusal | None = None
    event_time: int | None = None
    event_day: int | None = None
    shift: str | None = None
    event_id: str | None = None
    user_id: str | None = None
    records: list[dict[str, Any]] = field(default_factory=list)


class EventParser:
    """Reads the lines of files that share a header, as a source says."""

    def __init__(self, source: Source, header: Sequence[str] | None, rates: Rates | None = None) -> None:
        events, columns = source.events, mapped_columns(source)
        self._cut = _cutter(source, header, columns)
        self._clock = LocalTimes(source.zone)
        self._source = source
        self._times = TimeReader(events.event_time, source.zone, columns)
        self._types = TypeReader(events.event_type, columns)
        self._texts = {name: FieldReader(one, columns) for name, one in text_mappings(events).items()}
        self._numbers = {name: NumberReader(name, one, columns) for name, one in number_mappings(events).items()}
        self._money = MoneyReader(source, rates or {})
        self._derived = [DerivedReader(one, columns) for one in events.derived]
        self._ignores = [IgnoreReader(one, columns) for one in events.ignore_where]
        self._nothing: dict[str, Any] = dict.fromkeys(("event_id", "user_id", *RECORD_FIELDS))

    def parse(self, line: str, path: PathValues, delivery_date: date) -> ParsedLine:
        """Return the line's events, or the first reason, in the contract's order, for which it is rejected.

        Args:
            line: as `read_batches` gives it; one that isn't text counts as unreadable.
            path: what the file's path says.
            delivery_date: when it was delivered: too late an event is rejected.
        """
        cut = self._cut(line)
        if cut is None:
            return ParsedLine(Refusal("unreadable"))
        known = [values for values in cut.records if not self._types.is_ignored(values)]
        records = [values for values in known if self._ignoring(values) is None]
        if not records:
            return ParsedLine(Refusal("ignored", self._ignoring(known[0]) if known else None))
        refusals = [Refusal("half_record")] if cut.is_half else []
        parsed = ParsedLine()
        self._read_time(parsed, records[0], delivery_date, refusals)
        for values in records:
            fields = self._fields(values, path, refusals)
            parsed.event_id, parsed.user_id = fields.pop("event_id"), fields.pop("user_id")
            parsed.records.append(fields)
        if self._derived:
            self._read_derived(parsed, records, path, refusals)
        for fields in parsed.records if self._money.is_needed else ():
            if problem := self._money.complete(fields, parsed.event_day, delivery_date):
                refusals.append(Refusal(*problem))
        if refusals:
            parsed.refusal = min(refusals, key=lambda one: _RANK[one.reason])
        return parsed

    def type_words(self, line: str) -> list[str]:
        """Return how the line's records call what happened, as `word_of` tells; none where it can't be cut."""
        cut = self._cut(line)
        given = [self._types.value(values) for values in cut.records] if cut is not None else []
        return [word_of(one) for one in given if one is not None]

    def time_of(self, line: str) -> int | None:
        """Return the line's event time alone; null where it can't be read."""
        cut = self._cut(line)
        given = self._times.text(cut.records[0]) if cut is not None else None
        return self._times.read(given) if given is not None else None

    def day_of(self, event_time: int) -> int:
        """Return the business day of a time, in days since the epoch."""
        return self._clock.day_of(event_time)

    def _ignoring(self, values: Values) -> str | None:
        """Return the column that says that a record means nothing; None where none does."""
        return next((one.column for one in self._ignores if one.holds(values[one.place])), None)

    def _read_time(self, parsed: ParsedLine, values: Values, delivery_date: date, refusals: list[Refusal]) -> None:
        given = self._times.text(values)
        if given is None:
            refusals.append(Refusal("missing_field", "event_time"))
            return
        parsed.event_time, parsed.shift = self._times.read(given), self._times.shift
        if parsed.event_time is None:
            refusals.append(Refusal("bad_timestamp", shape=shape_of(given)))
            return
        parsed.event_day = self._clock.day_of(parsed.event_time)
        if not self._is_in_window(parsed.event_time, parsed.event_day, delivery_date):
            refusals.append(Refusal("outside_window", shape=shape_of(given)))

    def _read_derived(
        self, parsed: ParsedLine, records: Sequence[Values], path: PathValues, refusals: list[Refusal]
    ) -> None:
        for values, fields in zip(records, list(parsed.records), strict=True):
            for reader in self._derived:
                try:
                    further = reader.fields(values, path, fields)
                except UnfitNumber as unfit:
                    refusals.append(Refusal("bad_number", unfit.name, shape_of(unfit.given)))
                except UnfitValue:
                    refusals.append(Refusal("bad_number", "derived"))
                else:
                    parsed.records += [further] if further is not None else []

    def _is_in_window(self, time: int, day: int, delivery_date: date) -> bool:
        delivered, window = delivery_date.toordinal() - _EPOCH_ORDINAL, self._source.window
        if day < delivered - self._source.lateness_days:
            return False
        if day > delivered:
            end = end_past_day(self._source, delivery_date)
            if end is None or time >= end:
                return False
        return window is None or window.first.toordinal() <= day + _EPOCH_ORDINAL <= window.last.toordinal()

    def _fields(self, values: Values, path: PathValues, refusals: list[Refusal]) -> dict[str, Any]:
        fields = self._nothing.copy()
        given = self._types.value(values)
        if given is None:
            refusals.append(Refusal("missing_field", "event_type"))
        else:
            fields["event_type"] = self._types.type_of(given)
        if fields["event_type"] is None:
            refusals.append(Refusal("unknown_event_type", shape=word_of(given or "")))
        self._read_texts(fields, values, path, refusals)
        self._read_numbers(fields, values, path, refusals)
        return fields

    def _read_texts(self, fields: dict[str, Any], values: Values, path: PathValues, refusals: list[Refusal]) -> None:
        for name, reader in self._texts.items():
            try:
                value = fields[name] = self._id(name, reader, values, path)
            except UnfitValue:
                refusals.append(Refusal("bad_id", name))
                continue
            if value is None and (
                fields["event_type"] not in SHOP_EVENT_TYPES if name == "user_id" else reader.mapping.required
            ):
                refusals.append(Refusal("missing_field", name))

    def _id(self, name: str, reader: FieldReader, values: Values, path: PathValues) -> str | None:
        """Return the field as an id; what stands for a pseudonym must be one.

        Raises:
            UnfitValue: it can't be an id.
        """
        value = reader.id(values, path)
        keeps = name == "user_id" and self._source.events.user_id.is_pseudonym
        if keeps and value is not None and not is_pseudonym(value):
            raise UnfitValue
        return value

    def _read_numbers(self, fields: dict[str, Any], values: Values, path: PathValues, refusals: list[Refusal]) -> None:
        for name, reader in self._numbers.items():
            try:
                given = reader.value(values, path)
            except UnfitValue:
                refusals.append(Refusal("bad_number", name))
                continue
            if given is None:
                # Nobody knows whether an event of an unknown type has money: its type is what is wrong.
                needs_none = name in PRICED_FIELDS and fields["event_type"] in (None, *UNPRICED_EVENT_TYPES)
                if reader.mapping.required and not needs_none:
                    refusals.append(Refusal("missing_field", name))
                continue
            fields[name] = reader.number(given, values)
            if fields[name] is None:
                refusals.append(Refusal("bad_number", reader.named(given, values), shape_of(given)))


def shape_of(value: str) -> str:
    """Return what a value looks like and nothing of what it says: each digit a 9, each letter an a.

    >>> shape_of("1511544070123"), shape_of("Ann, 5 EUR")
    ('9999999999999', 'aaa, 9 aaa')
    """
    shown = value[:40]
    return "".join("9" if one.isdigit() else "a" if one.isalpha() else one for one in shown) + (
        "..." if len(value) > len(shown) else ""
    )


def word_of(value: str) -> str:
    """Return a word by which a shop may call an event; of anything else its shape.

    >>> word_of("Rückgabe"), word_of("view_item"), word_of("ann7@example.org"), word_of("1511544070")
    ('Rückgabe', 'view_item', 'aaa9@aaaaaaa.aaa', '9999999999')
    """
    return value if _WORD.fullmatch(value) else shape_of(value)


def _cutter(source: Source, header: Sequence[str] | None, columns: Sequence[str]) -> Cutter:
    null_words = frozenset(source.null_words)
    if source.csv is None:
        return json_cutter(columns, null_words)
    own = source.csv.with_added(source.csv.columns) if source.csv.columns else header or ()
    return delimited_cutter(source.csv, own, columns, null_words)
