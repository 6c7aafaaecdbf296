"""Whole lines that nothing is wrong with become events, many at once; every other line is left to the plain parser.

`event_parsing` says what a line means. Here it is said again for columns, by the same readers, each asked once for
every distinct value; lines that are refused, half, or written in an odd way are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.source import Source
from jobs.parsing.columns.cutting import ColumnCutter, CutLines, delimited_columns, json_columns
from jobs.parsing.columns.distinct import Answers, ask_distinct
from jobs.parsing.columns.fields import FieldColumn, number_column, text_column, type_answers
from jobs.parsing.columns.times import TimeColumn, business_days, time_reader
from jobs.parsing.day_ends import end_past_day
from jobs.parsing.event_parsing import PRICED_FIELDS, RECORD_FIELDS, SHOP_EVENT_TYPES, UNPRICED_EVENT_TYPES
from jobs.parsing.field_reading import DerivedReader, FieldReader, IgnoreReader, NumberReader, PathValues, TypeReader
from jobs.parsing.money import MoneyReader
from jobs.parsing.source_columns import mapped_columns, number_mappings, text_mappings
from jobs.parsing.time_reading import LocalTimes

BoolArray = npt.NDArray[np.bool_]
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class ReadLines:
    """Lines that were read here.

    Attributes:
        rows: their places among the lines given, ascending, `(n,)`.
        is_ignored: the source says that they mean nothing; the others are accepted.
        ignored_by: the column that says so, where it isn't the event type's, `(n,)`.
        fields: `event_time` (UTC microseconds), `event_day` (days since the epoch), `shift`, `event_id`, `user_id` and
            `RECORD_FIELDS`, `(n,)` each; of ignored lines they mean nothing.
        further: struct of `RECORD_FIELDS` for each further event of a line, `(n,)`.
    """

    rows: npt.NDArray[np.int64]
    is_ignored: BoolArray
    ignored_by: pa.StringArray
    fields: Mapping[str, pa.Array]
    further: pa.ListArray


class ColumnParser:
    """Reads the lines of files that share a header, as a source says, as far as columns go.

    kinds: Arrow's type of each of RECORD_FIELDS.
    """

    def __init__(self, source: Source, header: Sequence[str] | None, kinds: Mapping[str, pa.DataType]) -> None:
        events, columns = source.events, mapped_columns(source)
        self._source, self._kinds, self._clock = source, kinds, LocalTimes(source.zone)
        self._texts = {name: FieldReader(one, columns) for name, one in text_mappings(events).items()}
        self._numbers = {name: NumberReader(name, one, columns) for name, one in number_mappings(events).items()}
        self._types = TypeReader(events.event_type, columns)
        self._derived = [DerivedReader(one, columns) for one in events.derived]
        self._ignores = [IgnoreReader(one, columns) for one in events.ignore_where]
        self._times = time_reader(events.event_time, source.zone, columns)
        is_readable = self._times is not None and all(one.is_alike for one in self._derived)
        self._cut = self._cutter(header, columns) if is_readable else None
        # What money becomes depends on the day's rate, and what stands for a pseudonym is looked at line by line.
        self._has_fields = not MoneyReader(source, {}).is_needed and not events.user_id.is_pseudonym

    def read(self, lines: pa.StringArray, path: PathValues, delivery_date: date) -> list[ReadLines]:
        """Return the lines that are sure to be accepted or ignored, in parts.

        Args:
            lines: as `read_batches` gives them.
            path: what the file's path says.
            delivery_date: when they were delivered.
        """
        found = self._cut(lines) if self._cut is not None and self._has_fields else []
        return [self._read(cut, path, delivery_date) for cut in found]

    def days(self, lines: pa.StringArray) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Return places and business days of the lines whose time is sure, in parts."""
        found = []
        for cut in self._cut(lines) if self._cut is not None else []:
            times = self._times_of(cut)
            found.append((cut.rows[times.is_read], business_days(times.micros[times.is_read], self._clock)))
        return found

    def _cutter(self, header: Sequence[str] | None, columns: Sequence[str]) -> ColumnCutter | None:
        form, null_words = self._source.csv, self._source.null_words
        if form is not None:
            own = form.with_added(form.columns) if form.columns else header or ()
            return delimited_columns(form, own, columns, null_words)
        by_value = [reader for reader in self._numbers.values() if reader.counts_by_value]
        of_numbers = {place for reader in by_value for place in reader.every_place}
        of_others = {p for one in self._numbers.values() if not one.counts_by_value for p in one.every_place}
        of_others |= {place for reader in self._texts.values() for place in reader.places} | set(self._types.places)
        of_others |= {one.place for one in self._derived} | {one.place for one in self._ignores}
        of_others |= {columns.index(name) for name in self._source.events.event_time.parts}
        return json_columns(columns, null_words, of_numbers - of_others)

    def _read(self, cut: CutLines, path: PathValues, delivery_date: date) -> ReadLines:
        n_rows = len(cut.rows)
        types = type_answers(self._types, cut.columns, n_rows)
        times = self._times_of(cut)
        days = business_days(times.micros, self._clock)
        texts = {name: text_column(one, cut.columns, path, n_rows) for name, one in self._texts.items()}
        numbers = {
            name: number_column(one, cut.columns, path, n_rows, self._kinds[name])
            for name, one in self._numbers.items()
        }
        is_ignored = types.flags(lambda one: one[1])
        ignored_by = self._ignored_by(cut, ~is_ignored)
        is_ignored |= np.asarray(ignored_by.is_valid().to_numpy(zero_copy_only=False))
        is_sure = (
            times.is_read
            & self._is_in_window(times.micros, days, delivery_date)
            & types.flags(lambda one: one[0] is not None)
        )
        is_sure &= self._are_fit(texts, numbers, types)
        fields = {
            "event_time": pa.array(times.micros),
            "event_day": pa.array(days.astype(np.int32)),
            "shift": times.shift,
            "event_type": types.array(pa.string(), lambda one: one[0]),
            **{name: one.values for name, one in {**texts, **numbers}.items()},
        }
        fields |= {name: pa.nulls(n_rows, self._kinds.get(name, pa.string())) for name in _EVERY if name not in fields}
        further = self._further(cut, fields, is_ignored)
        return _chosen(ReadLines(cut.rows, is_ignored, ignored_by, fields, further), is_sure | is_ignored)

    def _ignored_by(self, cut: CutLines, is_asked: BoolArray) -> pa.StringArray:
        """Return the first column that says of a line that it means nothing; null where none does."""
        found = pa.nulls(len(cut.rows), pa.string())
        for one in reversed(self._ignores):
            holds = ask_distinct([cut.columns[one.place]], itemgetter(0)).flags(one.holds) & is_asked
            found = pc.if_else(pa.array(holds), pa.scalar(one.column), found)
        return found

    def _times_of(self, cut: CutLines) -> TimeColumn:
        if self._times is None:
            raise TypeError("no line is cut where times aren't read")
        return self._times(cut.columns)

    def _is_in_window(
        self, times: npt.NDArray[np.int64], days: npt.NDArray[np.int64], delivery_date: date
    ) -> BoolArray:
        delivered, window = delivery_date.toordinal() - _EPOCH_ORDINAL, self._source.window
        is_within: BoolArray = days >= delivered - self._source.lateness_days
        end = end_past_day(self._source, delivery_date)
        is_within &= (days <= delivered) if end is None else (days <= delivered) | (times < end)
        if window is not None:
            is_within &= days >= window.first.toordinal() - _EPOCH_ORDINAL
            is_within &= days <= window.last.toordinal() - _EPOCH_ORDINAL
        return is_within

    def _are_fit(
        self,
        texts: Mapping[str, FieldColumn],
        numbers: Mapping[str, FieldColumn],
        types: Answers[tuple[str | None, bool]],
    ) -> BoolArray:
        """Return which lines have every value that is asked of them, and none that is refused."""
        is_fit = np.ones(len(types.place), dtype=np.bool_)
        for name, one in {**texts, **numbers}.items():
            is_fit &= one.is_read
            if name == "user_id":
                is_fit &= ~one.is_missing | types.flags(lambda known: known[0] in SHOP_EVENT_TYPES)
            elif name in PRICED_FIELDS and self._numbers[name].mapping.required:
                is_fit &= ~one.is_missing | types.flags(lambda known: known[0] in UNPRICED_EVENT_TYPES)
            elif (self._texts.get(name) or self._numbers[name]).mapping.required:
                is_fit &= ~one.is_missing
        return is_fit

    def _further(self, cut: CutLines, fields: Mapping[str, pa.Array], is_ignored: BoolArray) -> pa.ListArray:
        """Return the events that are read off the same lines, one for each rule that applies, in the rules' order."""
        n_rows = len(cut.rows)
        holds = np.zeros((n_rows, len(self._derived)), dtype=np.bool_)
        for rule, reader in enumerate(self._derived):
            signs = ask_distinct([cut.columns[reader.place]], itemgetter(0))
            holds[:, rule] = signs.flags(reader.holds) & ~is_ignored
        row, rule_of = np.nonzero(holds)
        taken = {name: fields[name].take(pa.array(row)) for name in RECORD_FIELDS}
        kinds = np.array([one.type for one in self._derived], dtype=object)
        taken["event_type"] = pa.array(kinds[rule_of] if len(kinds) else [], pa.string())
        ends = np.concatenate([[0], np.cumsum(holds.sum(axis=1))]).astype(np.int32)
        records = pa.StructArray.from_arrays([taken[name] for name in RECORD_FIELDS], list(RECORD_FIELDS))
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), records)


_EVERY = ("event_id", "user_id", *RECORD_FIELDS)


def _chosen(lines: ReadLines, is_chosen: BoolArray) -> ReadLines:
    if is_chosen.all():
        return lines
    mask = pa.array(is_chosen)
    return ReadLines(
        lines.rows[is_chosen],
        lines.is_ignored[is_chosen],
        pc.filter(lines.ignored_by, mask),
        {name: pc.filter(values, mask) for name, values in lines.fields.items()},
        pc.filter(lines.further, mask),
    )
