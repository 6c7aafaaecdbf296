"""Canonical fields of many lines, by the plain readers: each is asked once for every distinct value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.parsing.columns.distinct import Answers, ask_distinct
from jobs.parsing.field_reading import FieldReader, NumberReader, PathValues, TypeReader
from jobs.parsing.raw_values import UnfitValue

Read = TypeVar("Read")


class _Unfit:
    """What stands for a value that its reader refuses."""


UNFIT = _Unfit()


@dataclass(frozen=True)
class FieldColumn:
    """A field of lines.

    Attributes:
        values: null where it is missing, `(n,)`.
        is_read: False where the plain parser is to look, `(n,)`.
    """

    values: pa.Array
    is_read: npt.NDArray[np.bool_]

    @property
    def is_missing(self) -> npt.NDArray[np.bool_]:
        """Which lines lack it, `(n,)`."""
        found: npt.NDArray[np.bool_] = np.asarray(self.values.is_null().to_numpy(zero_copy_only=False))
        return found


def text_column(reader: FieldReader, columns: Sequence[pa.StringArray], path: PathValues, n_rows: int) -> FieldColumn:
    """Return a text field of the lines whose raw columns are given."""
    if reader.is_as_delivered:
        return FieldColumn(columns[reader.places[0]], np.ones(n_rows, dtype=np.bool_))
    return _answered(reader.places, columns, n_rows, pa.string(), lambda values: reader.id(values, path))


def number_column(
    reader: NumberReader, columns: Sequence[pa.StringArray], path: PathValues, n_rows: int, kind: pa.DataType
) -> FieldColumn:
    """Return a number as it is stored, of the lines whose raw columns are given."""

    def read(values: list[str | None]) -> int | Decimal | None:
        given = reader.value(values, path)
        if given is None:
            return None
        number = reader.number(given, values)
        if number is None:
            raise UnfitValue
        return number

    return _answered(reader.every_place, columns, n_rows, kind, read)


def type_answers(
    reader: TypeReader, columns: Sequence[pa.StringArray], n_rows: int
) -> Answers[tuple[str | None, bool]]:
    """Return each line's event type (None: missing or unknown), and whether lines of it are ignored."""

    def ask(values: list[str | None]) -> tuple[str | None, bool]:
        given = reader.value(values)
        return (reader.type_of(given) if given is not None else None, reader.is_ignored(values))

    return _asked(reader.places, columns, n_rows, ask)


def _answered(
    places: Sequence[int],
    columns: Sequence[pa.StringArray],
    n_rows: int,
    kind: pa.DataType,
    read: Callable[[list[str | None]], object],
) -> FieldColumn:
    def ask(values: list[str | None]) -> object:
        try:
            return read(values)
        except UnfitValue:
            return UNFIT

    answers = _asked(places, columns, n_rows, ask)
    values = answers.array(kind, lambda one: None if one is UNFIT else one)
    return FieldColumn(values, answers.flags(lambda one: one is not UNFIT))


def _asked(
    places: Sequence[int], columns: Sequence[pa.StringArray], n_rows: int, ask: Callable[[list[str | None]], Read]
) -> Answers[Read]:
    """Return what the function says of each line's record, of which it looks at the places alone."""
    record: list[str | None] = [None] * len(columns)

    def of_values(values: tuple[str | None, ...]) -> Read:
        for place, value in zip(places, values, strict=True):
            record[place] = value
        return ask(record)

    if not places:
        return Answers([of_values(())], np.zeros(n_rows, dtype=np.int64))
    return ask_distinct([columns[place] for place in places], of_values)
