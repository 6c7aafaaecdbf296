"""A text file as blocks of whole lines, and the lines of a block as one column with their places."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.parsing.record_cutting import LONGEST_LINE
from jobs.parsing.text_files import OverlongLine, decode, overlong_line

BLOCK_BYTES = 1 << 21
_LINE_END, _RETURN = 10, 13


@dataclass(frozen=True)
class PlacedLines:
    """Lines that stand one after the other: number from 1 and offset in bytes, `(n,)` each, and text."""

    numbers: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lines: pa.StringArray

    def after(self, number: int) -> PlacedLines:
        """Return the lines behind the one of that number."""
        n_before = int(np.searchsorted(self.numbers, number, side="right"))
        return PlacedLines(self.numbers[n_before:], self.offsets[n_before:], self.lines.slice(n_before))


def line_blocks(
    file: BinaryIO, *, block_bytes: int = BLOCK_BYTES, longest: int = LONGEST_LINE
) -> Iterator[bytes | OverlongLine]:
    """Yield the file in pieces of whole lines; a line of more than `longest` bytes by itself, as an `OverlongLine`."""
    while block := file.read(block_bytes):
        if block.endswith(b"\n"):
            yield block
            continue
        start = block.rfind(b"\n") + 1
        line = block[start:] + file.readline(longest - (len(block) - start))
        if len(line) < longest or line.endswith(b"\n"):
            yield block[:start] + line
            continue
        if start:
            yield block[:start]
        yield overlong_line(line, file, longest)


def placed_lines(file: BinaryIO, encoding: str) -> Iterator[PlacedLines]:
    """Yield all lines of a file, decoded as `text_files.decode` does it."""
    number, offset = 1, 0
    for block in line_blocks(file):
        found = _lines_of(block, encoding, number, offset)
        yield found
        number += len(found.lines)
        offset += block.n_bytes if isinstance(block, OverlongLine) else len(block)


def count_lines(file: BinaryIO) -> tuple[int, bool]:
    """Return how many lines a file has, and whether the last of them has an end; what follows the last end is one.

    A last line that is too long to hold counts as ended: it is rejected anyway.
    """
    n_lines, is_ended = 0, True
    for block in line_blocks(file):
        is_overlong = isinstance(block, OverlongLine)
        n_lines += 1 if is_overlong else len(_ends(block))
        is_ended = is_overlong or block.endswith(b"\n")
    return n_lines, is_ended


def _ends(block: bytes) -> npt.NDArray[np.int64]:
    """Return where each line's end stands; that of a last line without one is the block's."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_END)
    return ends if block.endswith(b"\n") else np.append(ends, len(block))


def _lines_of(block: bytes | OverlongLine, encoding: str, number: int, offset: int) -> PlacedLines:
    if isinstance(block, OverlongLine):
        text = decode(block, encoding, is_first=number == 1)
        return PlacedLines(np.array([number]), np.array([offset]), pa.array([text], pa.string()))
    ends = _ends(block)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return PlacedLines(
        np.arange(number, number + len(ends)), offset + starts, _texts(block, starts, ends, encoding, number == 1)
    )


def _texts(
    block: bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], encoding: str, is_first: bool
) -> pa.StringArray:
    if codecs.lookup(encoding).name != "utf-8" or not _is_utf8(block):
        lines = (block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
        texts = [decode(line, encoding, is_first=is_first and place == 0) for place, line in enumerate(lines)]
        return pa.array(texts, pa.string())
    content = np.frombuffer(block, np.uint8)
    is_kept = np.ones(len(content), dtype=np.bool_)
    is_kept[ends[ends < len(content)]] = False
    has_return = (ends > starts) & (content[ends - 1] == _RETURN)
    is_kept[ends[has_return] - 1] = False
    lengths = ends - starts - has_return
    if is_first and block.startswith(codecs.BOM_UTF8):
        is_kept[: len(codecs.BOM_UTF8)] = False
        lengths[0] -= len(codecs.BOM_UTF8)
    places = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(places), pa.py_buffer(content[is_kept]))


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
