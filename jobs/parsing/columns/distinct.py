"""A function of a line's values is asked once for each distinct combination of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Answers(Generic[Answer]):
    """What a function said of each distinct combination, and which of them each line has, `(n,)`."""

    distinct: list[Answer]
    place: npt.NDArray[np.int64]

    def array(self, kind: pa.DataType, of: Callable[[Answer], object]) -> pa.Array:
        """Return what the function makes of each line's answer."""
        return pa.array([of(one) for one in self.distinct], kind).take(pa.array(self.place))

    def flags(self, of: Callable[[Answer], bool]) -> npt.NDArray[np.bool_]:
        """Return for which lines the function is true of the answer."""
        known = np.array([of(one) for one in self.distinct], dtype=np.bool_)
        found: npt.NDArray[np.bool_] = known[self.place]
        return found


def ask_distinct(columns: Sequence[pa.StringArray], ask: Callable[[tuple[str | None, ...]], Answer]) -> Answers[Answer]:
    """Return the answers for lines of which the columns hold the values, `(n,)` each; at least one column."""
    encoded = [column.dictionary_encode() for column in columns]
    codes = [np.asarray(pc.fill_null(one.indices.cast(pa.int64()), -1).to_numpy()) + 1 for one in encoded]
    words = [[None, *one.dictionary.to_pylist()] for one in encoded]
    if len(columns) == 1:
        return Answers([ask((word,)) for word in words[0]], codes[0])
    rows, place = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    combinations = [tuple(known[code] for known, code in zip(words, row, strict=True)) for row in rows.tolist()]
    return Answers([ask(one) for one in combinations], np.asarray(place).reshape(-1))
