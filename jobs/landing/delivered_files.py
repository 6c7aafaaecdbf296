"""Files that a shop delivered: found by the source's patterns, dated, read through once, and refused if unfit."""

from __future__ import annotations

import gzip
import hmac
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conf.file_dates import date_in
from conf.specs.delivery import CsvFormat
from conf.specs.file_patterns import matches
from conf.specs.json_paths import is_path, read_path
from conf.specs.side_table import SIDE_TABLES, SideTable
from conf.specs.source import Source
from conf.specs.strict_yaml import suggest
from conf.whole_deliveries import is_marker
from jobs.errors import DeliveryError
from jobs.landing.raw_deliveries import FileKind, feed_of, is_split
from jobs.landing.raw_lines import n_unnested_lines
from jobs.landing.skipped_records import refuse_skipped_record, refuse_skipped_side_record
from jobs.landing.title_lines import told_title
from jobs.parsing.event_parsing import shape_of
from jobs.parsing.line_blocks import count_lines
from jobs.parsing.record_cutting import split_line
from jobs.parsing.source_columns import mapped_columns
from jobs.parsing.text_files import UTF16_CURE, decode, is_utf16, open_bytes, records

_FIRST_LINES = 100
_CHUNK = 1 << 20

_SHOWN = 5
_LISTS_OF_SHOPPERS = ("consent", "shoppers")


@dataclass(frozen=True)
class DeliveredFile:
    """A file where the shop put it; `name` is its path relative to the folder that was named."""

    path: Path
    name: str
    kind: FileKind
    delivery_date: date | None


@dataclass(frozen=True)
class MeasuredFile:
    """A file that was read to its end: keyed hash of its bytes, lines with a record, column names if it has any.

    stamp: size and time of change before it was read.
    is_unended: its last line is delimited text without a line end.
    """

    file: DeliveredFile
    keyed_hash: str
    n_lines: int
    header: tuple[str, ...] | None
    stamp: tuple[int, int]
    is_unended: bool = False


def find_files(source: Source, logs: Path) -> list[DeliveredFile]:
    """Return every delivered file below a folder that the source's patterns match, or the one file that was named.

    A file named alone is known by its folder and its own name, since a folder often says the date or the policy.

    Raises:
        DeliveryError: nothing there, nothing that matches, or files without a delivery date in their path.
    """
    if not logs.exists():
        raise DeliveryError(f"{logs}: no such file or folder; name the delivered log or the folder that holds it")
    if logs.is_file():
        name = f"{logs.resolve().parent.name}/{logs.name}"
        found = _classify(source, logs, name) or [_file(source, logs, name, "events")]
    else:
        paths = sorted(logs.rglob("*"))
        _refuse_links(source, logs, paths)
        paths = [path for path in paths if path.is_file()]
        found = [file for path in paths for file in _classify(source, path, path.relative_to(logs).as_posix())]
        _refuse_other_case(source, logs)
    if not any(file.kind == "events" for file in found):
        patterns = ", ".join(glob for feed in source.feeds_alone().values() for glob in feed.delivery.files)
        raise DeliveryError(f"{logs}: no file that source {source.name} reads; expected {patterns}")
    _refuse_undated(source, logs, found)
    return found


def _refuse_undated(source: Source, logs: Path, found: Sequence[DeliveredFile]) -> None:
    """Raise if nothing says on which day a file was delivered.

    Raises:
        DeliveryError: names the files, and says how a side table gets a day.
    """
    undated = [file for file in found if file.delivery_date is None and _needs_date(source, file)]
    of_events = [file.name for file in undated if file.kind == "events"]
    problems = []
    if of_events:
        pattern = feed_of(source, of_events[0]).delivery.date_pattern
        problems.append(
            f"{len(of_events)} file(s) without a delivery date in their path ({', '.join(of_events[:3])}); "
            f"expected a match of date_pattern, {pattern}, such as 2026-01-31; how to write it for other names: "
            "docs/sources.md, The day of a file"
        )
    days = [file.delivery_date for file in found if file.delivery_date is not None]
    before = str(min(days) - timedelta(days=1)) if days else "2026-01-31"
    for kind in dict.fromkeys(file.kind for file in undated if file.kind != "events"):
        names = [file.name for file in undated if file.kind == kind]
        problems.append(
            f"{', '.join(names[:3])}: no day in the path, so nothing says from when {kind} are known; one table for "
            f"the whole log gets `{kind}: {{delivered: {before}}}` in conf/sources/{source.name}.yaml, the day before "
            f"its first delivery, and one that changes goes into the folders of its days, as {before}/{names[0]}"
        )
    if problems:
        raise DeliveryError("\n".join(f"{logs}: {problem}" for problem in problems))


def _needs_date(source: Source, file: DeliveredFile) -> bool:
    if file.kind == "events":
        return not is_split(feed_of(source, file.name))
    return not any(is_split(feed) for feed in source.feeds_alone().values())


def unread_files(source: Source, logs: Path) -> list[str]:
    """Return the delivered files that no pattern of the source matches, by relative path; those of the system aside."""
    if not logs.is_dir():
        return []
    names = sorted(path.relative_to(logs).as_posix() for path in logs.rglob("*") if path.is_file())
    return [
        name
        for name in names
        if not _classify(source, logs / name, name)
        and not name.rpartition("/")[2].startswith((".", "_"))
        and not is_marker(source, name)
    ]


def unread_lines(names: Sequence[str]) -> list[str]:
    """Return what a message says of files that no pattern matches: nothing where there are none."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    told = f"not read, since no pattern of the source matches: {', '.join(names[:_SHOWN])}{more}"
    return [told] if names else []


def _refuse_other_case(source: Source, logs: Path) -> None:
    """Raise if a file is left out for its capital letters alone.

    Raises:
        DeliveryError: names the files.
    """
    patterns = [glob for _, globs in _patterns(source) for glob in globs]
    found = [
        name
        for name in unread_files(source, logs)
        if any(matches(name.lower(), pattern.lower()) for pattern in patterns)
    ]
    if found:
        raise DeliveryError(
            f"{logs}: {len(found)} file(s) would be read but for upper and lower case ({', '.join(found[:5])}); "
            f"expected {', '.join(patterns)}; rename them, or add their pattern to source {source.name}"
        )


def _refuse_links(source: Source, logs: Path, paths: Sequence[Path]) -> None:
    """Raise if a delivered file lies outside the folder; a link to a file of the folder is a file like any other.

    Raises:
        DeliveryError: names links that lead out of the folder or nowhere, and links to folders, which aren't entered.
    """
    folder = logs.resolve()
    links = [path for path in paths if path.is_symlink()]
    unfit = [
        path
        for path in links
        if path.is_dir()
        or (
            _classify(source, path, path.relative_to(logs).as_posix())
            and not (path.is_file() and path.resolve().is_relative_to(folder))
        )
    ]
    if unfit:
        names = ", ".join(path.relative_to(logs).as_posix() for path in unfit[:5])
        raise DeliveryError(
            f"{logs}: {len(unfit)} link(s) that lead out of the delivery, to a folder or nowhere ({names}); deliver "
            "the files themselves"
        )


def measure(file: DeliveredFile, source: Source, key: bytes) -> MeasuredFile:
    """Read the file to its end and return what it holds.

    Raises:
        DeliveryError: not readable to its end (truncated gzip, corrupt Parquet), or with a header that doesn't fit.
    """
    with explaining_damage(file):
        before = stamp(file.path)
        keyed_hash = _keyed_hash(file.path, key)
        if file.kind != "events":
            table = source.side_tables.get(file.kind)
            header, found = _measure_side(file, table, source) if table else (None, _records_in(file, None))
        else:
            source = feed_of(source, file.name)
            is_parquet = source.format == "parquet"
            header, found = (_measure_parquet if is_parquet else _measure_text)(file, source)
            if source.unnest is not None:
                found = _Records(n_unnested_lines(file.path, source))
    return MeasuredFile(file, keyed_hash, found.n_lines, header, before, found.is_unended)


@contextmanager
def explaining_damage(file: DeliveredFile) -> Iterator[None]:
    """Make what reading a damaged file raises a DeliveryError of one line."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DeliveryError(
            f"{file.path}: not a whole gzip file ({error or 'it ends early'}); deliver it again"
        ) from error
    except (pa.ArrowException, OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise DeliveryError(f"{file.path}: can't be read: {' '.join(str(error).split())}; deliver it again") from error


def stamp(path: Path) -> tuple[int, int]:
    """Return the file's size and time of change, which differ where it was written to in between."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def refuse_empty(measured: Sequence[MeasuredFile]) -> None:
    """Raise if a delivery that has event files has no line in them.

    Raises:
        DeliveryError: names every delivery without a line.
    """
    lines: dict[date | None, int] = {}
    for one in measured:
        if one.file.kind == "events":
            lines[one.file.delivery_date] = lines.get(one.file.delivery_date, 0) + one.n_lines
    empty = [day for day, n_lines in lines.items() if n_lines == 0]
    if empty:
        names = [one.file.name for one in measured if one.file.kind == "events" and one.file.delivery_date in empty]
        raise DeliveryError(
            f"empty delivery: no line of data in {', '.join(names[:5])}; deliver the file again, or leave it out"
        )


def read_header(line: bytes, source: Source) -> tuple[str, ...]:
    """Return the column names in the first line of a delimited file."""
    own = cut_record(decode(line, source.encoding, is_first=True), source)
    return source.csv.with_added(own) if source.csv is not None else tuple(own)


def read_columns(file: DeliveredFile, source: Source) -> tuple[str, ...] | None:
    """Return the column names that the file itself gives, without reading the rest of it; None where it gives none.

    Raises:
        DeliveryError: they don't fit the source, or the file can't be read.
    """
    with explaining_damage(file):
        if source.format == "parquet":
            header = tuple(pq.read_schema(file.path).names)
        else:
            _refuse_utf16(file)
            refuse_skipped_record(file.path, file.name, source)
            if source.csv is None or not source.csv.has_header:
                return None
            with open_bytes(file.path) as content:
                first = next(records(content, source.csv), None)
            if first is None:
                raise _without_header(file, source)
            header = read_header(first[2], source)
    _refuse_unfit_header(file, header, source)
    return header


def read_side_columns(file: DeliveredFile, table: SideTable, source: Source) -> tuple[str, ...] | None:
    """Return the column names that a side table's file gives, without reading the rest of it; None where it gives none.

    Raises:
        DeliveryError: they don't fit the source, or the file can't be read.
    """
    with explaining_damage(file):
        if table.format == "parquet":
            columns = tuple(pq.read_schema(file.path).names)
            needed = [_first_key(name, columns, None) for name in table.raw_columns]
            _refuse_unfit_columns_of(file, columns, needed, source, None)
            return columns
        _refuse_utf16(file)
        refuse_skipped_side_record(file.path, file.kind, table, source.zone)
        if table.csv is None or not table.csv.has_header:
            return None
        with open_bytes(file.path) as content:
            first = next(records(content, table.csv), None)
    if first is None:
        raise _without_header(file, source)
    header = table.csv.with_added(split_line(decode(first[2], table.encoding, is_first=True), table.csv) or ())
    _refuse_unfit_columns_of(file, header, table.raw_columns, source, table.csv, encoding=table.encoding)
    return header


def cut_record(line: str, source: Source) -> list[str]:
    """Return the values of a delimited line; none where it can't be cut."""
    if source.csv is None:
        raise DeliveryError(f"source {source.name} is not delimited")
    return split_line(line, source.csv) or []


def _classify(source: Source, path: Path, name: str) -> list[DeliveredFile]:
    """Return the file as each kind that it is: one, or events and the tables that are read beside them."""
    kinds = [kind for kind, globs in _patterns(source) if any(matches(name, glob) for glob in globs)]
    beside = [kind for kind in kinds if kind != "events" and getattr(source, kind).beside_events]
    alone = [kind for kind in kinds if kind not in beside]
    return [_file(source, path, name, kind) for kind in [*beside, *alone[:1]]]


def _patterns(source: Source) -> list[tuple[FileKind, tuple[str, ...]]]:
    sides = {kind: getattr(source, kind) for kind in SIDE_TABLES}
    return [
        *[(kind, table.files) for kind, table in sides.items() if table is not None],
        ("events", tuple(glob for feed in source.feeds_alone().values() for glob in feed.delivery.files)),
    ]


def _file(source: Source, path: Path, name: str, kind: FileKind) -> DeliveredFile:
    feeds = [feed_of(source, name)] if kind == "events" else list(source.feeds_alone().values())
    pattern = next((feed.delivery.date_pattern for feed in feeds if not is_split(feed)), None)
    day = date_in(name, pattern) if pattern is not None else None
    if day is None and kind != "events":
        day = getattr(source, kind).delivered
    return DeliveredFile(path, name, kind, day)


def _keyed_hash(path: Path, key: bytes) -> str:
    state = hmac.new(key, digestmod="sha256")
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()[:32]


@dataclass(frozen=True)
class _Records:
    """How many records a file holds, and whether the last one is delimited text without a line end."""

    n_lines: int
    is_unended: bool = False


def _measure_parquet(file: DeliveredFile, source: Source) -> tuple[tuple[str, ...] | None, _Records]:
    with pq.ParquetFile(file.path) as content:
        header = tuple(content.schema_arrow.names)
        _refuse_unfit_header(file, header, source)
        return header, _Records(sum(batch.num_rows for batch in content.iter_batches()))


def _measure_text(file: DeliveredFile, source: Source) -> tuple[tuple[str, ...] | None, _Records]:
    is_delimited = source.csv is not None
    has_header = source.csv is not None and source.csv.has_header
    _refuse_utf16(file)
    refuse_skipped_record(file.path, file.name, source)
    with open_bytes(file.path) as content:
        first_lines = [line for _, _, line in islice(records(content, source.csv), _FIRST_LINES + has_header)]
    if has_header and not first_lines:
        raise _without_header(file, source)
    header = read_header(first_lines.pop(0), source) if has_header else None
    if header is not None:
        _refuse_unfit_header(file, header, source)
    if is_delimited and not has_header:
        _refuse_unfit_columns(file, first_lines, source)
    return header, _records_in(file, source.csv)


def _refuse_utf16(file: DeliveredFile) -> None:
    """Raise if a text file is written in UTF-16, whose lines no source can cut.

    Raises:
        DeliveryError: says how to convert it.
    """
    with open_bytes(file.path) as content:
        if is_utf16(content.read(_CHUNK)):
            raise DeliveryError(f"{file.path}: {UTF16_CURE}")


def _without_header(file: DeliveredFile, source: Source) -> DeliveryError:
    return DeliveryError(
        f"{file.path}: holds nothing, not even the line of column names that source {source.name} expects; deliver it "
        "again, or leave it out"
    )


def _records_in(file: DeliveredFile, form: CsvFormat | None) -> _Records:
    """Return what a text file holds; its line of column names is no record."""
    with open_bytes(file.path) as content:
        if form is not None and form.quoted_line_breaks:
            n_lines, is_ended = 0, True
            for n_lines, (_, _, record) in enumerate(records(content, form), start=1):  # noqa: B007
                is_ended = record.endswith(b"\n")
        else:
            n_lines, is_ended = count_lines(content)
            n_lines -= form.skip_lines if form is not None else 0
    n_lines = max(0, n_lines - (form is not None and form.has_header))
    # A JSON line that was cut off is no object, and is rejected as such.
    return _Records(n_lines, is_unended=form is not None and n_lines > 0 and not is_ended)


def _measure_side(file: DeliveredFile, table: SideTable, source: Source) -> tuple[tuple[str, ...] | None, _Records]:
    """Return the column names of a side table's file, where it has any, and how many records it holds."""
    header = read_side_columns(file, table, source)
    if table.format == "parquet":
        with pq.ParquetFile(file.path) as content:
            return header, _Records(sum(batch.num_rows for batch in content.iter_batches()))
    return header, _records_in(file, table.csv)


def _refuse_unfit_header(file: DeliveredFile, header: tuple[str, ...], source: Source) -> None:
    fill = source.csv.fill_down if source.csv is not None else None
    needed = [*mapped_columns(source), *((fill.by, *fill.columns) if fill is not None else ())]
    columns = [_first_key(name, header, source.csv) for name in needed]
    _refuse_unfit_columns_of(file, header, columns, source, source.csv, encoding=source.encoding)


def _refuse_unfit_columns_of(
    file: DeliveredFile,
    header: tuple[str, ...],
    columns: Sequence[str],
    source: Source,
    form: CsvFormat | None,
    *,
    encoding: str = "utf-8",
) -> None:
    names = list(dict.fromkeys(columns))
    are_values = form is not None and _may_be_values(file, header, names)
    known = [shape_of(name) if are_values else _shown_name(name) for name in header]
    problems = [f"column {name!r} is missing{suggest(name, known)}" for name in names if name not in header]
    problems += [f"column {name!r} stands {header.count(name)} times" for name in names if header.count(name) > 1]
    if problems:
        if are_values and form is not None:
            number = form.skip_lines + 1
            problems = [f"column {name!r} is missing" for name in names]
            problems.append(f"in line {number} values stand: does the file have what skip_lines and has_header say?")
        if form is not None and (title := told_title(file.path, form, encoding, names)) is not None:
            problems.append(title)
        found = f"{', '.join(known[:20])}{', ...' if len(known) > 20 else ''}"
        raise DeliveryError(
            f"{file.path}: the header doesn't fit source {source.name}: {'; '.join(problems)}; found: {found}"
        )


def _may_be_values(file: DeliveredFile, header: tuple[str, ...], names: Sequence[str]) -> bool:
    """Return whether a line taken for the header may be somebody's: it has no name that is asked for.

    A value of nearly every record begins with a digit, and no name does; of a list of shoppers, any line may be one.
    """
    if any(name in header for name in names):
        return False
    return file.kind in _LISTS_OF_SHOPPERS or any(cell[:1].isdigit() for cell in header)


def _shown_name(column: str) -> str:
    """Return a column's name; the shape alone of what may be a value, where a file has no header after all."""
    return shape_of(column) if not any(map(str.isalpha, column)) or "@" in column else column


def _first_key(column: str, header: tuple[str, ...], csv: CsvFormat | None) -> str:
    """Return the column of the file that a mapped one is, or lies in."""
    if csv is not None:
        return csv.list_of(column) or column
    if column in header or not is_path(column):
        return column
    path = read_path(column)
    return str((path.list_steps or path.steps)[0])


def _refuse_unfit_columns(file: DeliveredFile, first_lines: Sequence[bytes], source: Source) -> None:
    expected = source.csv.columns if source.csv and source.csv.columns else ()
    texts = [decode(line, source.encoding, is_first=number == 0) for number, line in enumerate(first_lines)]
    widths = [len(cut_record(text, source)) for text in texts]
    if widths and len(expected) not in widths:
        raise DeliveryError(
            f"{file.path}: expected {len(expected)} columns ({', '.join(expected)}), found {widths[0]} in the first "
            f"line; is this a log of source {source.name}?"
        )
