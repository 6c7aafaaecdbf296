"""Which lines of a log are looked at: some of files spread over all of them, so that a look takes seconds."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.commands.file_pieces import FilePieces, SampledLine
from jobs.landing.delivered_files import DeliveredFile

MOST_FILES = 10
"""Files of which lines are looked at: the first, the last, and others between them."""

_LINES_A_FILE = 100
_PACKED = (".gz", ".zst", ".zip", ".parquet")


def spread(files: Sequence[DeliveredFile], n_lines: int) -> list[DeliveredFile]:
    """Return the files to look at, in their order: all of few; of many the first, the last and some between them.

    Args:
        files: of a feed or a table.
        n_lines: at most so many, of all files together: beyond what a look takes, more files are looked at.
    """
    most = max(MOST_FILES, n_lines // _LINES_A_FILE)
    if len(files) <= most:
        return list(files)
    places = dict.fromkeys(round(n * (len(files) - 1) / (most - 1)) for n in range(most))
    return [files[place] for place in places]


def shares(available: Sequence[int], n_lines: int) -> list[int]:
    """Return how many lines of each file are looked at: half of all are the first file's, since lines belong together.

    What a file lacks the others give.

    Args:
        available: lines of each file, as far as they were read.
        n_lines: at most so many, of all files together.

    >>> shares([1000], 1000), shares([1000, 1000], 1000), shares([1000, 10, 1000], 1000), shares([100, 1000], 1000)
    ([1000], [500, 500], [740, 10, 250], [100, 900])
    """
    if not available:
        return []
    n_others = len(available) - 1
    quota = max(1, n_lines // 2 // n_others) if n_others > 0 else 0
    found = [0, *[min(quota, n) for n in available[1:]]]
    left = n_lines - sum(found)
    for place, n in enumerate(available):
        more = min(left, n - found[place])
        found[place], left = found[place] + more, left - more
    return found


def sample_pieces(
    pieces: Sequence[tuple[DeliveredFile, FilePieces]], n_lines: int
) -> list[tuple[DeliveredFile, list[SampledLine], bool]]:
    """Return the lines of files that are looked at, and whether they are all of the file's.

    Args:
        pieces: files with what was read of their beginnings, middles and ends.
        n_lines: at most so many, of all files together.
    """
    quotas = shares([min(len(found), n_lines) for _, found in pieces], n_lines)
    return [
        (file, found.taken(n), n == len(found))
        for (file, found), n in zip(pieces, quotas, strict=True)
        if n or not len(found)
    ]


def looked_at(
    n_lines: int, files: Sequence[str], n_files: int, n_about: int | None, *, is_all: bool, has_ends: bool = False
) -> str:
    """Return what a report says of the lines that were looked at.

    Args:
        n_lines: that were looked at.
        files: names of theirs.
        n_files: all of the feed or table.
        n_about: lines of all files, as their sizes tell; None where they don't.
        is_all: whether no line was left out.
        has_ends: whether some are from middles and ends of files.
    """
    shown = f"{', '.join(files[:3])}{', ...' if len(files) > 3 else ''}"
    if is_all:
        return f"{n_lines} lines of {shown}"
    of_files = f"{len(files)} of {n_files} files" if n_files > len(files) else f"{n_files} file(s)"
    about = f"about {n_about:,}" if n_about is not None else "more"
    where = "beginning, middle and end" if has_ends else "beginning"
    return f"{n_lines} lines of {about}, from the {where} of {of_files}: {shown}"


def n_lines_about(files: Sequence[DeliveredFile], samples: Sequence[tuple[DeliveredFile, int, int]]) -> int | None:
    """Return about how many lines files of text have, by their sizes; None where one is packed.

    Args:
        files: all of a feed or table.
        samples: files with lines that were looked at, and the bytes of these.
    """
    if any(file.path.suffix in _PACKED for file in files):
        return None
    n_lines, n_bytes = sum(one for _, one, _ in samples), sum(one for _, _, one in samples)
    if not n_lines or not n_bytes:
        return None
    about = sum(file.path.stat().st_size for file in files) * n_lines / n_bytes
    rough: int = 10 ** max(0, len(str(round(about))) - 2)
    return round(about / rough) * rough
