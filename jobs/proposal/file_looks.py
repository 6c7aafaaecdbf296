"""How a delivered file is written, and the values of its first records by column."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from conf.specs.delivery import CsvFormat
from jobs.errors import DeliveryError
from jobs.parsing.event_parsing import shape_of
from jobs.parsing.raw_values import NumberText
from jobs.parsing.record_cutting import read_object, split_line
from jobs.parsing.text_files import UTF16_CURE, is_utf16, open_bytes, records
from jobs.proposal.file_days import day_of_file
from jobs.proposal.nested_lines import NestedLines, nested_lines

N_RECORDS = 1_000
_N_BYTES = 1 << 21
_MOST_LINES_ABOVE = 20
_DELIMITERS = ("\t", "::", ";", "|", ",")
_QUOTINGS: tuple[dict[str, Any], ...] = ({}, {"quoted_line_breaks": True}, {"quote": ""})
_SHOWN_DELIMITERS = {"\t": "tab"}
_WINDOWS_BYTES = re.compile(rb"[\x80-\x9f]")
_NUMBER = re.compile(r"[+-]?\d[\d.,:/ -]*([eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d][\w .:/()\[\]#&%+€$£'°-]*")

Values = list[str | None]


@dataclass(frozen=True)
class FileLook:
    """What the beginning of a file shows.

    name: relative path; form: the keys of a source's `csv`, None where it isn't delimited text.
    columns: values of the first records by column or path, missing ones None; of a path through a list, all elements.
    holders: of JSON's paths, the numbers of the records that hold a value there, from 0.
    nested: the list whose elements are the records that are looked at; None where each line is one.
    lengths: how many of these records each line has, where it holds them in a list.
    files: names of several files that were looked at, with their numbers of records.
    """

    path: Path
    name: str
    format: str
    encoding: str
    form: dict[str, Any] | None
    columns: dict[str, Values]
    n_records: int
    doubts: list[str] = field(default_factory=list)
    holders: dict[str, frozenset[int]] = field(default_factory=dict)
    nested: NestedLines | None = None
    lengths: tuple[int, ...] = ()
    files: tuple[tuple[str, int], ...] = ()

    @property
    def file_days(self) -> list[date | None]:
        """Of each record the day that its file's name says; None where it says none."""
        files = self.files or ((self.name, self.n_records),)
        return [day for name, n_records in files for day in [day_of_file(name)] * n_records]


def header_told(look: FileLook) -> str:
    """Return which line was taken for the header, and what it reads; of a file without one, that there is none.

    What may be a value is shown by its shape alone: a line of values may have been taken for names.
    """
    if look.form is None:
        return "each line's keys name its columns"
    number = look.form.get("skip_lines", 0) + 1
    if not look.form["has_header"]:
        return f"line {number} reads as values, so that no line names the columns"
    names = [name if re.fullmatch(r"[^\W\d][^\d@]*", name) else shape_of(name) for name in [*look.columns][:12]]
    more = ", ..." if len(look.columns) > len(names) else ""
    return f"line {number} was taken for the header: {', '.join(names)}{more}"


def joined(first: FileLook, second: FileLook) -> FileLook:
    """Return a look at two files of one log."""
    columns = {
        name: [
            *first.columns.get(name, [None] * first.n_records),
            *second.columns.get(name, [None] * second.n_records),
        ]
        for name in {**first.columns, **second.columns}
    }
    n_records, doubts = first.n_records + second.n_records, [*first.doubts, *second.doubts]
    later = {name: frozenset(n + first.n_records for n in found) for name, found in second.holders.items()}
    holders = {
        name: first.holders.get(name, frozenset()) | later.get(name, frozenset()) for name in {**first.holders, **later}
    }
    lengths = (*first.lengths, *second.lengths)
    files = tuple(one for look in (first, second) for one in look.files or ((look.name, look.n_records),))
    found = replace(first, columns=columns, n_records=n_records, doubts=doubts, holders=holders)
    return replace(found, lengths=lengths, files=files)


def look_at(path: Path, name: str) -> FileLook:
    """Return what the beginning of the file shows.

    Raises:
        DeliveryError: nothing in it, or in a form that no source reads.
    """
    if path.suffix == ".parquet":
        return _parquet_look(path, name)
    try:
        with open_bytes(path) as file:
            content = file.read(_N_BYTES)
    except (EOFError, OSError, zlib.error) as error:
        raise DeliveryError(f"{path}: can't be read to the end ({error}); deliver it again") from error
    if is_utf16(content):
        raise DeliveryError(f"{path}: {UTF16_CURE}")
    if len(content) == _N_BYTES:
        content = content[: content.rfind(b"\n") + 1]
    if not content.strip():
        raise DeliveryError(f"{path}: nothing in it; name a file with lines of data")
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    encoding, doubts = _encoding(content)
    if start.startswith(b"{"):
        look = _json_look(path, name, content, encoding)
        return replace(look, doubts=[*doubts, *look.doubts])
    if start.startswith(b"["):
        raise DeliveryError(f"{path}: one JSON list; write it as JSON lines, an object a line (jq -c '.[]')")
    text = content.removeprefix(b"\xef\xbb\xbf").decode(encoding, "replace")
    look = _delimited_look(path, name, text, encoding)
    return replace(look, doubts=[*doubts, *look.doubts])


def _encoding(content: bytes) -> tuple[str, list[str]]:
    """Return what most lines with more than ASCII are written in, and what speaks against it."""
    lines = [line for line in content.split(b"\n") if not line.isascii()]
    broken = [line for line in lines if not _is_text(line, "utf-8")]
    if broken and broken[-1] == content[content.rfind(b"\n") + 1 :] and _is_text(broken[-1][:-3], "utf-8"):
        broken.pop()  # cut off within a letter
    if len(broken) <= 0.1 * len(lines):
        lost = f"{len(broken)} lines hold bytes that aren't UTF-8: rejected where a mapped column holds them"
        return "utf-8", [lost] if broken else []
    if not _WINDOWS_BYTES.search(content):
        return "latin-1", []
    if _is_text(content, "cp1252"):
        return "cp1252", []
    return "cp850", ["encoding: neither UTF-8 nor what Windows writes; is it a DOS code page (cp850, cp437)?"]


def _is_text(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _parquet_look(path: Path, name: str) -> FileLook:
    with pq.ParquetFile(path) as content:
        rows = next(content.iter_batches(N_RECORDS)).to_pylist()
    objects = [json.loads(json.dumps(row, default=str), parse_float=NumberText, parse_int=NumberText) for row in rows]
    nested = nested_lines(objects)
    lengths = () if nested is None else nested.lengths_of(objects)
    objects = objects if nested is None else nested.lines_of(objects)
    columns, holders = _columns_of_objects(objects)
    look = FileLook(path, name, "parquet", "utf-8", None, columns, len(objects), holders=holders, nested=nested)
    return replace(look, lengths=lengths)


def _json_look(path: Path, name: str, content: bytes, encoding: str) -> FileLook:
    lines = content.decode(encoding, "replace").splitlines()[:N_RECORDS]
    objects = [found for line in lines if (found := read_object(line)) is not None]
    if not objects:
        raise DeliveryError(f"{path}: no line is one whole JSON object; deliver JSON lines, an object a line")
    doubts = [f"{len(lines) - len(objects)} of {len(lines)} lines are no whole JSON object"]
    doubts = doubts if len(objects) < len(lines) else []
    nested = nested_lines(objects)
    lengths = () if nested is None else nested.lengths_of(objects)
    objects = objects if nested is None else nested.lines_of(objects)
    columns, holders = _columns_of_objects(objects)
    return FileLook(path, name, "jsonl", encoding, None, columns, len(objects), doubts, holders, nested, lengths)


def _columns_of_objects(objects: Sequence[dict[str, Any]]) -> tuple[dict[str, Values], dict[str, frozenset[int]]]:
    """Return the values by path, and which objects hold any."""
    rows: list[dict[str, list[str | None]]] = [{} for _ in objects]
    for row, found in zip(rows, objects, strict=True):
        for column, value in _leaves(found, "", is_in_list=False):
            row.setdefault(column, []).append(value)
    names = dict.fromkeys(column for row in rows for column in row)
    columns = {name: [value for row in rows for value in row.get(name, [None])] for name in names}
    holders = {
        name: frozenset(n for n, row in enumerate(rows) if any(value is not None for value in row.get(name, ())))
        for name in names
    }
    return columns, holders


def _leaves(value: Any, path: str, *, is_in_list: bool) -> Iterator[tuple[str, str | None]]:
    """Yield each path that a source can name, with its value as text."""
    if isinstance(value, dict):
        for key, below in value.items():
            if not any(mark in key for mark in ".[]"):
                yield from _leaves(below, f"{path}.{key}" if path else key, is_in_list=is_in_list)
    elif isinstance(value, list):
        if value and all(isinstance(one, dict) and isinstance(one.get("key"), str) for one in value):
            for one in value:
                rest = {name: below for name, below in one.items() if name != "key"}
                yield from _leaves(rest, f"{path}[key={one['key']}]", is_in_list=is_in_list)
        elif not is_in_list:
            for one in value:
                if isinstance(one, dict):
                    yield from _leaves(one, f"{path}[]", is_in_list=True)
    else:
        yield path, None if value is None or value == "" else str(value) if isinstance(value, str) else _word(value)


def _word(value: Any) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def _delimited_look(path: Path, name: str, text: str, encoding: str) -> FileLook:
    form, rows = _cut(text)
    width, doubts = _width(rows), []
    n_above = _n_lines_above(text, form, width)
    if n_above:
        below = text.split("\n", n_above)[n_above]
        form, rows = _cut(below)
        width = _width(rows)
        doubts.append(
            f"skip_lines: the first {n_above} line(s) aren't cut into {width} values as the others are: a title above "
            "the header?"
        )
    if odd := sum(len(row) != width for row in rows):
        doubts.append(f"{odd} of {len(rows)} lines have more or fewer than {width} values")
    whole = [row for row in rows if len(row) == width]
    shown: dict[str, Any] = {"has_header": _is_header(rows)} | ({"skip_lines": n_above} if n_above else {})
    if form.delimiter != ",":
        shown["delimiter"] = _SHOWN_DELIMITERS.get(form.delimiter, form.delimiter)
    if not form.quote:
        shown["quote"] = ""
    if form.quoted_line_breaks:
        shown["quoted_line_breaks"] = True
    names = [cell.strip(" ") for cell in rows[0]] if shown["has_header"] else [f"c{n + 1}" for n in range(width)]
    if not shown["has_header"]:
        shown["columns"] = names
    if twice := sorted({one for one in names if names.count(one) > 1}):
        doubts.append(f"columns of the same name can't be mapped: {', '.join(twice)}")
    body = [row for row in whole if row != rows[0]] if shown["has_header"] else whole
    if shown["has_header"] and len(body) < len(whole) - 1:
        doubts.append("the header stands in several lines; all but the first are rejected")
    columns = {
        one: [row[place].strip(" ") or None for row in body]
        for place, one in enumerate(names)
        if names.count(one) == 1 and place < width
    }
    return FileLook(path, name, "csv", encoding, shown, columns, len(body), doubts)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many values most lines have; of equally usual numbers the larger."""
    widths = [len(row) for row in rows]
    return max(sorted(set(widths), reverse=True), key=widths.count)


def _n_lines_above(text: str, form: CsvFormat, width: int) -> int:
    """Return how many lines stand above the header; 0 where what follows them is none.

    A title that a spreadsheet exported is filled up with delimiters: its cells are as many, and empty but for one.
    """
    lines = text.split("\n", _MOST_LINES_ABOVE + 1)[: _MOST_LINES_ABOVE + 1]
    for number, line in enumerate(lines):
        cells = split_line(line.removesuffix("\r"), form) or []
        if len(cells) == width and sum(bool(cell.strip(" ")) for cell in cells) >= max(1, (width + 1) // 2):
            below = text.split("\n", number)[number]
            return number if number and _is_header(_cut(below)[1]) else 0
    return 0


def _cut(text: str) -> tuple[CsvFormat, list[list[str]]]:
    """Return the format under which most lines have the same number of values, and those values."""
    best: tuple[tuple[float, int, int], CsvFormat, list[list[str]]] | None = None
    for delimiter in _DELIMITERS:
        if delimiter not in text:
            continue
        # Cut at the commas of quoted decimals, lines have more values, and all of them equally many.
        quotings = _QUOTINGS[:-1] if _has_values_in_quotes(text, delimiter) else _QUOTINGS
        for rank, keys in enumerate(quotings):
            form = CsvFormat.model_validate({"has_header": True, "delimiter": delimiter, **keys})
            cut = islice(records(io.BytesIO(text.encode()), form), N_RECORDS + 1)
            lines = [line.decode().removesuffix("\n").removesuffix("\r") for _, _, line in cut]
            rows = [row for line in lines if line.strip() and (row := split_line(line, form))]
            widths = [len(row) for row in rows]
            share = max(map(widths.count, set(widths)), default=0) / max(1, len(lines))
            width = max(set(widths), key=widths.count, default=1)
            score = (round(min(share, 0.95), 1), width, -rank)
            if width > 1 and (best is None or score > best[0]):
                best = score, form, rows
    if best is None:
        rows = [[line] for line in text.splitlines()[: N_RECORDS + 1] if line.strip()]
        return CsvFormat(has_header=True), rows
    return best[1], best[2]


def _has_values_in_quotes(text: str, delimiter: str) -> bool:
    """Return whether most lines with a quote hold a whole value in quotes: they mean something in such a file."""
    between = re.escape(delimiter)
    whole = re.compile(f'(?:^|{between})"[^"]*"(?:{between}|$)')
    lines = [line.rstrip("\r") for line in text.split("\n")[: N_RECORDS + 1]]
    quoted = [line for line in lines if '"' in line]
    return 2 * sum(whole.search(line) is not None for line in quoted) > len(quoted)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return True where the first row holds names alone, each once; an unnamed first column is usual."""
    first = [cell.strip(" ") for cell in rows[0]]
    named = [cell for cell in first if cell]
    if len(named) < len(first) - 1 or len(set(named)) < max(1, len(named) - 2):
        return False
    if any(_NUMBER.fullmatch(cell) or not _NAME.fullmatch(cell) for cell in named):
        return False
    return not any(
        cell in below[1:] for cell, below in zip(first, zip(*_others(rows), strict=False), strict=False) if cell
    )


def _others(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the first row and those below it that don't repeat it."""
    return [rows[0], *[row for row in rows[1:] if row != rows[0]]]
