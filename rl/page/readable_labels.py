"""Rows of segments that a person can act on: what a name is known for, and not a digest of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

_DIGEST = re.compile(r"\bid [0-9a-f]{8}…|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{16,}\b", re.IGNORECASE)
"""An id without a known name, as `rl.data.shopper_segments.named` writes it, or a name that is itself a digest."""


class Labeled(Protocol):
    """A row that has a label."""

    @property
    def label(self) -> str:
        """What the row is called."""


Row = TypeVar("Row", bound=Labeled)


def readable(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows, in their order, whose labels hold no digest; who cuts them says how many it left out."""
    return tuple(row for row in rows if not _DIGEST.search(row.label))


def left_out_sentence(n: int) -> str:
    """Return how many segments a page leaves out, and why; empty for none."""
    if not n:
        return ""
    told, theirs = ("1 segment is", "its name") if n == 1 else (f"{n:,} segments are", "their names")
    return (
        f"{told} left out: the log knows {theirs} as a digest alone, so that nobody could act on it. A table of "
        "categories, or of products with theirs, brings names."
    )
