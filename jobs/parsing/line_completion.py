"""Lines of a delimited file are completed as they are read: cells filled from the line before, number and file added.

What is added is part of the line from then on: of its hash, and of the delivery that a log is split into.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from conf.specs.delivery import CsvFormat
from jobs.parsing.record_cutting import UNDECODABLE, split_line

_DIGITS = 16


def file_mark(name: str, key: bytes) -> str:
    """Return what stands for a file in its lines: a keyed hash of its relative path, which may name a shop or a till.

    Its letters are those of hexadecimal digits: none that a delimiter or a quote is.
    """
    return hmac.digest(key, b"file\0" + name.encode("utf-8", "surrogateescape"), "sha256").hex()[:_DIGITS]


class LineCompleter:
    """Completes the lines of one file, which are given in their order."""

    def __init__(self, form: CsvFormat, columns: Sequence[str], mark: str = "") -> None:
        """Take the format, the names of the file's own columns and the file's mark."""
        self._form, self._mark = form, mark
        self._n_columns = len(columns)
        fill = form.fill_down
        self._by = list(columns).index(fill.by) if fill is not None else 0
        self._filled = [list(columns).index(name) for name in fill.columns] if fill is not None else []
        self._key: str | None = None
        self._above: list[str] = []

    def complete(self, line: str, number: int) -> str:
        """Return the line with what the format adds to it; one that can't be cut is not filled."""
        if not line.strip():
            return line
        if self._filled and not line.startswith(UNDECODABLE):
            line = self._fill(line)
        added = [] if self._form.line_number is None else [str(number)]
        added += [] if self._form.file_name is None else [self._mark]
        return self._form.delimiter.join([line, *added])

    def _fill(self, line: str) -> str:
        values = split_line(line, self._form)
        if values is None or len(values) != self._n_columns:
            return line
        key, empty = values[self._by].strip(" "), [place for place in self._filled if not values[place].strip(" ")]
        if not key or key != self._key:
            self._key, self._above = key or None, [values[place] for place in self._filled]
            return line
        for place in empty:
            values[place] = self._above[self._filled.index(place)]
        self._above = [values[place] for place in self._filled]
        return self._form.delimiter.join(map(self._written, values)) if empty else line

    def _written(self, value: str) -> str:
        quote = self._form.quote
        if not quote or not any(mark in value for mark in (self._form.delimiter, quote, "\n", "\r")):
            return value
        return f"{quote}{value.replace(quote, quote * 2)}{quote}"
