"""Files of delimited text whose last line has no end: if they were cut off, its last value is half of what it was."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

_PACKED = (".gz", ".zst", ".zip")


def lacks_last_line_end(path: Path) -> bool:
    """Return whether a text file's last line has no end; False for a packed one, which would be read to its end."""
    if path.suffix in _PACKED or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, io.SEEK_END)
        return file.read(1) != b"\n"


def unended_lines(names: Sequence[str]) -> Iterator[str]:
    """Yield what a report says of such files, by their names: nothing where there are none."""
    if names:
        shown = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        yield f"  the last line has no end in {shown}: if a file was cut off there, its last value may be half of one"
