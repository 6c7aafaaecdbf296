"""Delivered text files, unpacked and cut into records: usually lines, several where quotes hold line breaks."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from conf.specs.delivery import CsvFormat
from jobs.errors import DeliveryError
from jobs.parsing.record_cutting import FIRST_MARK, LONGEST_LINE, UNDECODABLE

_KEPT_BYTES = 1 << 10  # of a longer line
_BUFFER = 1 << 18

# A quote that isn't closed by then is taken for a stray one.
_MOST_LINES_OF_A_RECORD = 1_000


class OverlongLine(bytes):
    """The beginning of a line too long to hold, with the length and the SHA-256 (hex) of all of it."""

    n_bytes: int
    digest: str


class UnclosedLine(bytes):
    """A line that opens a quote which nothing closes."""


UTF16_CURE = "written in UTF-16; convert it before delivery: iconv -f UTF-16 -t UTF-8 FILE > NEW"
"""What to say of a file that `is_utf16`."""


def is_utf16(beginning: bytes) -> bool:
    """Return whether a file is written in UTF-16, by its mark or by a zero beside nearly every letter of its beginning.

    >>> is_utf16("a,b".encode("utf-16")), is_utf16("time,user".encode("utf-16-le")), is_utf16(b"time,user")
    (True, True, False)
    """
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    start = beginning[:_KEPT_BYTES]
    return len(start) > 3 and abs(start[::2].count(0) - start[1::2].count(0)) > 0.4 * len(start)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Return the uncompressed content of a file: gzip, zstd and zip are known by their names' ends.

    Raises:
        DeliveryError: a zip that holds more than one file, or none.
    """
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as packed:
            yield cast(BinaryIO, packed)
    elif path.suffix == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as packed:
            yield cast(BinaryIO, io.BufferedReader(packed, _BUFFER))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
            yield cast(BinaryIO, member)
    else:
        with path.open("rb") as plain:
            yield plain


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(members) != 1:
        names = ", ".join(one.filename for one in members[:5]) or "nothing"
        raise DeliveryError(f"{path}: expected one file in the zip, found {names}; deliver each file by itself")
    return members[0]


def bounded_lines(file: BinaryIO, longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end; of a line above `longest` bytes, an `OverlongLine`."""
    while line := file.readline(longest):
        yield line if len(line) < longest or line.endswith(b"\n") else overlong_line(line, file, longest)


def overlong_line(beginning: bytes, file: BinaryIO, longest: int) -> OverlongLine:
    """Return what is kept of a line too long to hold, read to its end; `beginning` is what was read of it so far."""
    line, state, part = OverlongLine(beginning[:_KEPT_BYTES]), hashlib.sha256(), beginning
    line.n_bytes = 0
    while part:
        state.update(part)
        line.n_bytes += len(part)
        part = b"" if part.endswith(b"\n") else file.readline(longest)
    line.digest = state.hexdigest()
    return line


def records(file: BinaryIO, form: CsvFormat | None) -> Iterator[tuple[int, int, bytes]]:
    """Yield the records of a file, its header among them, with the number and offset of the line they begin in.

    A record goes over several lines only where the format says so and a quote is open at the line's end. A quote that
    is open for too long makes its line an `UnclosedLine`; the lines after it are read as ever.
    """
    lines = islice(_placed_lines(file), form.skip_lines if form is not None else 0, None)
    if form is None or not form.quoted_line_breaks:
        yield from lines
        return
    quote = form.quote.encode()
    waiting: deque[tuple[int, int, bytes]] = deque()
    while (record := waiting.popleft() if waiting else next(lines, None)) is not None:
        taken = _rest_of_record(record, quote, waiting, lines)
        if taken is None:
            number, offset, line = record
            yield number, offset, UnclosedLine(line)
        else:
            yield record[0], record[1], taken


def _placed_lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    for number, line in enumerate(bounded_lines(file), start=1):
        yield number, offset, line
        offset += line.n_bytes if isinstance(line, OverlongLine) else len(line)


def _rest_of_record(
    first: tuple[int, int, bytes],
    quote: bytes,
    waiting: deque[tuple[int, int, bytes]],
    lines: Iterator[tuple[int, int, bytes]],
) -> bytes | None:
    """Return the whole record, its lines taken off those that wait; None, and nothing taken, where it never ends."""
    n_quotes, n_bytes, parts = first[2].count(quote), len(first[2]), [first[2]]
    if n_quotes % 2 == 0 or isinstance(first[2], OverlongLine):
        return first[2]
    for place in range(_MOST_LINES_OF_A_RECORD):
        if place == len(waiting):
            following = next(lines, None)
            if following is None:
                return None
            waiting.append(following)
        line = waiting[place][2]
        n_quotes, n_bytes = n_quotes + line.count(quote), n_bytes + len(line)
        if isinstance(line, OverlongLine) or n_bytes > LONGEST_LINE:
            return None
        parts.append(line)
        if n_quotes % 2 == 0:
            for _ in range(place + 1):
                waiting.popleft()
            return b"".join(parts)
    return None


def decode(line: bytes, encoding: str, *, is_first: bool) -> str:
    """Return a record as text without its line end; one with bytes that are no text is marked as such.

    A marked line begins with `UNDECODABLE`, and each such byte is a character of its own that no encoding gives: what
    stands beside it can still be read, and other bytes make another line.
    """
    if isinstance(line, OverlongLine):
        return f"{UNDECODABLE}a line of {line.n_bytes} bytes, sha256 {line.digest}"
    stripped = line.removesuffix(b"\n").removesuffix(b"\r")
    if is_first:
        stripped = stripped.removeprefix(codecs.BOM_UTF8)
    try:
        text = stripped.decode(encoding)
    except UnicodeDecodeError:
        return UNDECODABLE + stripped.decode(encoding, "mark_bytes")
    return f"{UNDECODABLE}{text}" if isinstance(line, UnclosedLine) else text


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    marked = "".join(chr(FIRST_MARK + byte) for byte in error.object[error.start : error.end])
    return marked, error.end


codecs.register_error("mark_bytes", _mark_bytes)
