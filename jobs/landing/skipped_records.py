"""Records that stand where a title is skipped: of a file without a header, nothing else would show that it has none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from conf.specs.delivery import CsvFormat
from conf.specs.side_table import SideTable
from conf.specs.source import Source
from jobs.errors import DeliveryError
from jobs.parsing.event_parsing import EventParser
from jobs.parsing.field_reading import path_values
from jobs.parsing.line_completion import LineCompleter
from jobs.parsing.record_cutting import split_line
from jobs.parsing.side_parsing import SideParser
from jobs.parsing.source_columns import path_patterns
from jobs.parsing.text_files import bounded_lines, decode, open_bytes

_EPOCH, _ANY_DAY = date(1970, 1, 1), date(2000, 1, 1)
# Rates of exchange aren't read here: a line of another currency is a record all the same.
_READ_ALL_THE_SAME = (None, "unknown_currency")


def refuse_skipped_record(path: Path, name: str, source: Source) -> None:
    """Raise if a skipped line of a feed's file is a record.

    Args:
        path: of the file.
        name: its relative path as delivered.
        source: narrowed to the feed.

    Raises:
        DeliveryError: names the line.
    """
    form = source.csv
    # A constant time tells nothing: any title would have it.
    if form is None or not _may_lose_records(form) or not source.events.event_time.parts:
        return
    parser, values = EventParser(source, None), path_values(path_patterns(source), name)

    def is_record(line: str) -> bool:
        time = parser.time_of(line)
        if time is None:
            return False
        refusal = parser.parse(line, values, _EPOCH + timedelta(days=parser.day_of(time))).refusal
        return (refusal.reason if refusal is not None else None) in _READ_ALL_THE_SAME

    _refuse(path, form, source.encoding, is_record)


def refuse_skipped_side_record(path: Path, table_name: str, table: SideTable, zone: str) -> None:
    """Raise if a skipped line of a side table's file is a record.

    Args:
        path: of the file.
        table_name: what the table is called.
        table: how its lines are read.
        zone: of the source.

    Raises:
        DeliveryError: names the line.
    """
    form = table.csv
    if form is None or not _may_lose_records(form) or not table.columns:
        return
    parser = SideParser(table_name, table, form.with_added(form.columns or ()), zone=zone, pseudonym=str)
    _refuse(path, form, table.encoding, lambda line: parser.parse(line, _ANY_DAY).refusal is None)


def _may_lose_records(form: CsvFormat) -> bool:
    """Return whether lines are skipped above records whose header would not miss one; of one column, all are alike."""
    return form.skip_lines > 0 and not form.has_header and len(form.columns or ()) > 1


def _refuse(path: Path, form: CsvFormat, encoding: str, is_record: Callable[[str], bool]) -> None:
    columns = form.columns or ()
    completer = LineCompleter(form, columns, "file")
    with open_bytes(path) as content:
        lines = [*islice(bounded_lines(content), form.skip_lines)]
    for number, line in enumerate(lines, start=1):
        text = decode(line, encoding, is_first=number == 1)
        is_whole = len(split_line(text, form) or ()) == len(columns)
        if is_whole and is_record(completer.complete(text, number)):
            raise DeliveryError(
                f"{path}: line {number} reads as a record, and skip_lines: {form.skip_lines} would leave it out; "
                f"deliver the file with what stands above its records, or mend skip_lines"
            )
