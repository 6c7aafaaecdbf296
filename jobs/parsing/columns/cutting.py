"""Lines cut into the raw values of the mapped columns by Arrow's readers, those lines alone that are sure to be right.

What a quote, a line end or a number means differs between readers in odd places: lines that come near one are left out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from conf.specs.delivery import CsvFormat
from conf.specs.json_paths import is_path
from jobs.parsing.raw_values import exact_decimal
from jobs.parsing.record_cutting import MOST_VALUES

_MOST_PATTERN_COLUMNS = 200
_LARGEST_MIXED, _FEWEST_ALIKE = 1024, 16
_DEEPEST = 100

# Whole numbers beyond what an int64 holds, and fractions with more digits, are left to the plain parser.
_EXACT = pa.decimal256(76, 38)
_LEAST, _MOST = -(2**63), 2**63 - 1
_NEGATIVE_ZERO = re.compile(rb":[ \t]*-0")  # as a value: ids may well end in -00
_LONG_EXPONENT = re.compile(rb":[ \t]*-?[0-9.]+[eE][+-]?\d{5}")

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CutLines:
    """Mapped values of some lines.

    Attributes:
        rows: places of the lines, ascending, `(n,)`.
        columns: values of each mapped column, trimmed, missing ones null; `(n,)` each.
        numbers: places of the columns that held JSON numbers with fractions: digits of equal value, not as written.
    """

    rows: npt.NDArray[np.int64]
    columns: list[pa.StringArray]
    numbers: frozenset[int] = frozenset()


ColumnCutter = Callable[[pa.StringArray], list[CutLines]]


def delimited_columns(
    form: CsvFormat, header: Sequence[str], columns: Sequence[str], null_words: Collection[str]
) -> ColumnCutter | None:
    """Return a function that cuts whole delimited lines; None for one that only the plain parser knows how to cut."""
    n_columns = len(header)
    if any(form.list_of(name) for name in columns):
        return None
    if len(form.delimiter) > 1 or not form.delimiter.isascii() or not form.quote.isascii():
        return None
    if not 0 < n_columns < MOST_VALUES or form.delimiter == form.quote or form.delimiter in "\0 ":
        return None
    names = [f"f{list(header).index(name)}" for name in columns]
    read = _delimited_reader(form, names, n_columns)
    is_whole = _whole_lines(form, n_columns)

    def cut(lines: pa.StringArray) -> list[CutLines]:
        rows = np.flatnonzero(is_whole(lines) & _has_plain_text(lines))
        if not len(rows):
            return []
        try:
            table = read(_text_of(lines.take(pa.array(rows))))
        except pa.ArrowInvalid:
            return []
        if table.num_rows != len(rows):
            return []
        return [CutLines(rows, [_trimmed(_whole_column(table[name]), null_words) for name in names])]

    return cut


def _delimited_reader(form: CsvFormat, names: Sequence[str], n_columns: int) -> Callable[[pa.Buffer], pa.Table]:
    parsing = pa.csv.ParseOptions(
        delimiter=form.delimiter,
        quote_char=form.quote or False,
        double_quote=bool(form.quote),
        ignore_empty_lines=False,
    )
    conversion = pa.csv.ConvertOptions(
        check_utf8=False,
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=list(dict.fromkeys(names)),
        strings_can_be_null=False,
    )
    every_name = [f"f{place}" for place in range(n_columns)]

    def read(content: pa.Buffer) -> pa.Table:
        reading = pa.csv.ReadOptions(use_threads=False, block_size=content.size + 1, column_names=every_name)
        return pa.csv.read_csv(
            pa.BufferReader(content), read_options=reading, parse_options=parsing, convert_options=conversion
        )

    return read


def _whole_lines(form: CsvFormat, n_columns: int) -> Callable[[pa.StringArray], BoolArray]:
    """Return a function that says which lines have all their values, in quotes that are whole if in any."""
    quote, delimiter = re.escape(form.quote), re.escape(form.delimiter)
    value = f"(?:{quote}(?:[^{quote}]|{quote}{quote})*{quote}|[^{quote}{delimiter}]*)"
    in_quotes = f"^{value}(?:{delimiter}{value}){{{n_columns - 1}}}$"

    def is_whole(lines: pa.StringArray) -> BoolArray:
        has_all = _flags(pc.equal(pc.count_substring(lines, form.delimiter), n_columns - 1))
        if not form.quote:
            return has_all
        has_quote = _flags(pc.match_substring(lines, form.quote))
        found: BoolArray = has_all & ~has_quote
        if has_quote.any() and n_columns <= _MOST_PATTERN_COLUMNS:
            places = np.flatnonzero(has_quote)
            found[places] = _flags(pc.match_substring_regex(lines.take(pa.array(places)), in_quotes))
        return found

    return is_whole


def _has_plain_text(lines: pa.StringArray) -> BoolArray:
    """Return which lines hold a printable character, and none that a reader may take for an end."""
    is_plain = _flags(pc.match_substring_regex(lines, "[!-~]"))
    content = np.frombuffer(_text_of(lines, end=""), np.uint8)
    if np.isin(content, np.frombuffer(b"\0\r\n", np.uint8)).any():
        is_plain &= ~_flags(pc.match_substring_regex(lines, r"[\x00\r\n]"))
    return is_plain


@dataclass
class _Kinds:
    """The types of the columns of JSON lines, as found so far."""

    of_column: dict[str, pa.DataType] = field(default_factory=dict)


def json_columns(
    columns: Sequence[str], null_words: Collection[str], fractions: Collection[int]
) -> ColumnCutter | None:
    """Return a function that cuts JSON lines of one object each; None where columns are paths into objects.

    Args:
        columns: keys that are mapped.
        null_words: texts that mean a missing value.
        fractions: places of the columns in which a number counts for its value alone.
    """
    if any(map(is_path, columns)):
        return None
    allowed = {columns[place] for place in fractions} if not any(map(exact_decimal, null_words)) else set()
    kinds = _Kinds()

    def cut(lines: pa.StringArray) -> list[CutLines]:
        return list(_cut_parts(lines, np.flatnonzero(_is_one_object(lines) & _has_plain_text(lines))))

    def _cut_parts(lines: pa.StringArray, rows: npt.NDArray[np.int64]) -> list[CutLines]:
        if not len(rows):
            return []
        content = _text_of(lines.take(pa.array(rows)))
        if (found := _cut_whole(rows, _read_objects(content, columns, kinds, allowed))) is not None:
            return [found]
        if len(rows) > _LARGEST_MIXED:
            parts = np.array_split(rows, -(-len(rows) // _LARGEST_MIXED))
            return [cut for part in parts for cut in _cut_parts(lines, part)]
        return _cut_by_kind(lines, rows)

    def _cut_by_kind(lines: pa.StringArray, rows: npt.NDArray[np.int64]) -> list[CutLines]:
        """Cut lines that can't be read together: most of them, then most of the others, and so on."""
        cuts: list[CutLines] = []
        while len(rows) >= _FEWEST_ALIKE:
            fitting, of_column = fitting_lines(lines.take(pa.array(rows)).to_pylist(), columns, allowed)
            if np.count_nonzero(fitting) < _FEWEST_ALIKE:
                break
            content = _text_of(lines.take(pa.array(rows[fitting])))
            table = _read_as(content, of_column)
            found = _cut_whole(rows[fitting], None if table is None else _if_as_written(table, content))
            cuts += [] if found is None else [found]
            rows = rows[~fitting]
        return cuts

    def _cut_whole(rows: npt.NDArray[np.int64], table: pa.Table | None) -> CutLines | None:
        if table is None or table.num_rows != len(rows):
            return None
        found = [_json_texts(table[name]) for name in columns]
        numbers = frozenset(n for n, name in enumerate(columns) if pa.types.is_decimal(table[name].type))
        return CutLines(rows, [_trimmed(text, null_words) for text in found], numbers)

    return cut


def fitting_lines(
    lines: Sequence[str], columns: Sequence[str], fractions: Collection[str]
) -> tuple[BoolArray, dict[str, pa.DataType]]:
    """Return which JSON lines can be read together, and as what each column is read: as most of the lines have it.

    A log with one broken line in ten has no run of good ones that is worth a reader's start.

    Args:
        lines: some that can't be read together.
        columns: keys that are mapped.
        fractions: columns in which a number counts for its value alone.
    """
    kinds = [_kinds_of_line(line, columns) for line in lines]
    allowed: list[tuple[type, ...]] = []
    of_column: dict[str, pa.DataType] = {}
    for place, name in enumerate(columns):
        counts = Counter(one[place] for one in kinds if one is not None and one[place] is not type(None))
        leading = counts.most_common(1)[0][0] if counts else str
        is_fraction = leading in (int, float) and name in fractions and float in counts
        allowed.append((int, float) if is_fraction else (leading,) if leading in (str, int) else ())
        of_column[name] = _EXACT if is_fraction else pa.int64() if leading is int else pa.string()
    fits = [
        one is not None and all(kind is type(None) or kind in known for kind, known in zip(one, allowed, strict=True))
        for one in kinds
    ]
    return np.array(fits, dtype=np.bool_), of_column


def _kinds_of_line(line: str, columns: Sequence[str]) -> list[type] | None:
    """Return the Python type of each column's value; None for a line that isn't one object or holds odd numbers."""
    try:
        found = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    kinds = [type(found.get(name)) for name in columns]
    whole = [found[name] for kind, name in zip(kinds, columns, strict=True) if kind is int]
    return kinds if all(_LEAST <= one <= _MOST for one in whole) else None


def _refuse_constant(word: str) -> float:
    raise ValueError(word)


def _is_one_object(lines: pa.StringArray) -> BoolArray:
    found = _flags(pc.starts_with(lines, "{")) & _flags(pc.ends_with(lines, "}"))
    found &= ~_flags(pc.match_substring_regex(lines, r"\}[ \t]*\{"))
    # Half a pair of surrogates, and a character that ends texts elsewhere.
    found &= ~_flags(pc.match_substring_regex(lines, r"\\u(?:[dD]|0000)"))
    depth = pc.add(pc.count_substring(lines, "{"), pc.count_substring(lines, "["))
    return found & _flags(pc.less(depth, _DEEPEST))


def _read_objects(
    content: pa.Buffer, columns: Sequence[str], kinds: _Kinds, fractions: Collection[str]
) -> pa.Table | None:
    """Return the columns of JSON lines; None where they hold values of several kinds, or of one that is left out."""
    if kinds.of_column:
        table = _read_as(content, kinds.of_column)
        if table is not None:
            return _if_as_written(table, content)
    found = _kinds_in(content, columns, fractions)
    if found is None:
        return None
    table = _read_as(content, found)
    if table is None:
        return None
    kinds.of_column = found
    return _if_as_written(table, content)


def _kinds_in(content: pa.Buffer, columns: Sequence[str], fractions: Collection[str]) -> dict[str, pa.DataType] | None:
    try:
        schema = pa.json.read_json(pa.BufferReader(content), read_options=_json_reading(content)).schema
    except pa.ArrowException:
        return None
    found = {}
    for name in columns:
        kind = schema.field(name).type if name in schema.names else pa.null()
        if pa.types.is_floating(kind) and name in fractions:
            found[name] = _EXACT
        elif pa.types.is_integer(kind):
            found[name] = pa.int64()
        elif pa.types.is_string(kind) or pa.types.is_temporal(kind) or pa.types.is_null(kind):
            found[name] = pa.string()
        else:
            return None
    return found


def _read_as(content: pa.Buffer, kinds: dict[str, pa.DataType]) -> pa.Table | None:
    parsing = pa.json.ParseOptions(
        explicit_schema=pa.schema(list(kinds.items())), unexpected_field_behavior="ignore", newlines_in_values=False
    )
    try:
        return pa.json.read_json(pa.BufferReader(content), read_options=_json_reading(content), parse_options=parsing)
    except pa.ArrowException:
        return None


def _json_reading(content: pa.Buffer) -> pa.json.ReadOptions:
    return pa.json.ReadOptions(use_threads=False, block_size=content.size + 1)


def _if_as_written(table: pa.Table, content: pa.Buffer) -> pa.Table | None:
    """Return the table; None where a number may not have been read as it is written.

    An int64 doesn't tell -0 from 0, and an exponent of many digits is no number to the plain parser.
    """
    kinds = [column.type for column in table.columns]
    has_zero = any(pa.types.is_integer(column.type) and pc.any(pc.equal(column, 0)).as_py() for column in table.columns)
    if has_zero and _NEGATIVE_ZERO.search(content):
        return None
    return None if any(map(pa.types.is_decimal, kinds)) and _LONG_EXPONENT.search(content) else table


def _json_texts(column: pa.ChunkedArray) -> pa.StringArray:
    values = _whole_column(column)
    if not pa.types.is_decimal(values.type):
        return values.cast(pa.string())
    distinct = values.dictionary_encode()
    texts = [format(number.normalize(), "f") for number in distinct.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(distinct.indices)


def _trimmed(values: pa.StringArray, null_words: Collection[str]) -> pa.StringArray:
    trimmed = pc.utf8_trim(values, characters=" ")
    is_missing = pc.is_in(trimmed, value_set=pa.array(sorted({*null_words, ""}), pa.string()))
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), trimmed)


def _whole_column(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _text_of(lines: pa.StringArray, end: str = "\n") -> pa.Buffer:
    """Return the bytes of the lines, each with its end."""
    joined = pc.binary_join_element_wise(lines, "", end) if end else lines
    places = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset : joined.offset + len(joined) + 1]
    content = joined.buffers()[2]
    return content.slice(int(places[0]), int(places[-1] - places[0])) if content is not None else pa.py_buffer(b"")


def _flags(values: pa.Array) -> BoolArray:
    found: BoolArray = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return found
