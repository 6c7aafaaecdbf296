"""Lines from the beginning, the middle and the end of a file: evenings, refunds and bad hours stand late in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.landing.delivered_files import DeliveredFile
from jobs.landing.raw_lines import LineFile, LinePlace, LineReading, can_begin_anywhere, read_batches

SMALL = {".gz": 1 << 20, ".zst": 1 << 20, ".zip": 1 << 20, ".parquet": 1 << 20}
"""Bytes up to which packed files are read to their ends; of plain ones, `SMALL_TEXT`."""
SMALL_TEXT = 4 << 20

MOST_COUNTED = 256 << 20
"""Bytes up to which a file's lines are numbered to its end; of a larger one the beginning alone is looked at."""

_BLOCK = 1 << 20

N_EVEN = 200
"""Lines of each file by which the hours of its events are counted."""

SampledLine = tuple[int, str, str]
"""A line's number, from 1, its text and its hash."""


@dataclass(frozen=True)
class FilePieces:
    """Lines of a file that may be looked at, in its order.

    Attributes:
        head: from the beginning; all of the file's, where it has so few.
        middle, end: of a file that has more; empty where only its beginning was read.
        even: texts of lines evenly spread over the file, for its hours; empty where they can't be had in no time.
    """

    head: list[SampledLine]
    middle: list[SampledLine]
    end: list[SampledLine]
    even: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.head)

    def taken(self, n_lines: int) -> list[SampledLine]:
        """Return at most so many lines: half of them the first ones, a quarter each from the middle and the end."""
        if n_lines >= len(self.head) or not self.end:
            return self.head[:n_lines]
        each = n_lines // 4
        late = [*self.middle[:each], *self.end[len(self.end) - each :]]
        found = {line[:2]: line for line in late}
        for line in self.head:
            if len(found) == n_lines:
                break
            found.setdefault(line[:2], line)
        return sorted(found.values())


def read_pieces(file: DeliveredFile, reading: LineReading, n_lines: int) -> FilePieces:
    """Return lines of a file: up to one more than `n_lines` of its beginning, a quarter of that of middle and end each.

    Raises:
        DeliveryError: a zip that holds more than one file, or none.
    """
    line_file, each = LineFile(file.path, file.name), n_lines // 4
    n_bytes = file.path.stat().st_size
    if n_bytes <= SMALL.get(file.path.suffix, SMALL_TEXT):
        lines = list(_lines(line_file, reading))
        middle = max(0, (len(lines) - each) // 2)
        even = [line for _, line, _ in lines[:: max(1, len(lines) // N_EVEN)]][:N_EVEN]
        return FilePieces(lines[: n_lines + 1], lines[middle : middle + each], lines[len(lines) - each :], even)
    even = _even_lines(file, n_bytes, reading.encoding) if can_begin_anywhere(file.path, reading) else []
    head = list(islice(_lines(line_file, reading), n_lines + 1))
    if len(head) <= n_lines or n_bytes > MOST_COUNTED or not can_begin_anywhere(file.path, reading):
        return FilePieces(head, [], [], [] if reading.unnested else even)
    mean = sum(len(line.encode()) + 1 for _, line, _ in head) / len(head)
    starts = [n_bytes // 2, max(n_bytes // 2, n_bytes - round(2 * mean * (each + 1)))]
    places = _next_lines(file, starts)
    middle_lines, end_lines = (_lines(line_file, reading, place) for place in places)
    end = list(end_lines)
    even = [] if reading.unnested else even
    return FilePieces(head, list(islice(middle_lines, each)), end[max(0, len(end) - each) :], even)


def _even_lines(file: DeliveredFile, n_bytes: int, encoding: str) -> list[str]:
    """Return the line behind each of evenly spaced offsets."""
    found = []
    with file.path.open("rb") as content:
        for place in range(1, N_EVEN):
            content.seek(place * n_bytes // N_EVEN)
            content.readline(_BLOCK)  # the rest of the line before
            if line := content.readline(_BLOCK):
                found.append(line.decode(encoding, "replace").rstrip("\r\n"))
    return found


def _next_lines(file: DeliveredFile, starts: list[int]) -> list[LinePlace]:
    """Return the first line that begins behind each offset, ascending; behind the last one, the file's end."""
    found, number, offset = list[LinePlace](), 1, 0
    with file.path.open("rb") as content:
        for start in starts:
            while offset < start and (block := content.read(min(_BLOCK, start - offset))):
                number, offset = number + block.count(b"\n"), offset + len(block)
            while offset >= start and (part := content.readline(_BLOCK)):
                offset += len(part)
                if part.endswith(b"\n"):
                    number += 1
                    break
            found.append(LinePlace(number, offset))
    return found


def _lines(file: LineFile, reading: LineReading, begin: LinePlace | None = None) -> Iterator[SampledLine]:
    for batch in read_batches(file, reading, begin):
        yield from zip(batch.numbers.tolist(), batch.lines.to_pylist(), batch.hashes.to_pylist(), strict=True)
