"""A replay in files, for logs larger than the memory that training may take."""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from rl.data.logged_episodes import BoolArray, LoggedEpisodes
from rl.errors import TrainingError
from rl.learning.replay.replay_columns import (
    CLOSING,
    NEXT_SET,
    RECORD_LENGTH,
    SET,
    RecordArray,
    ReplayColumns,
    columns_of,
)
from rl.learning.replay.ruled_rows import Ruling

_FEATURES, _CLOSINGS, _RECORDS = "features.f32", "closings.f32", "records.i32"


def write_store(
    folder: Path, parts: Iterable[LoggedEpisodes], *, memory_bytes: int, ruling: Ruling | None = None
) -> ReplayColumns:
    """Write the parts to files and return them as memory-mapped columns; one part is in memory at a time.

    Args:
        folder: made anew; whoever asked for the columns removes it when they are done with.
        parts: whole episodes, all with one encoder and one vocabulary.
        memory_bytes: that may be held of the files at a time, about.
        ruling: the shop's rules; None for none.

    Raises:
        TrainingError: no transitions.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sets: dict[bytes, int] = {}
    n_rows = n_closings = n_features = n_actions = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in (_FEATURES, _CLOSINGS, _RECORDS)}
        for part in parts:
            if not part.n_transitions:
                continue
            columns = columns_of(part, ruling)
            n_features, n_actions = columns.features.shape[1], columns.n_actions
            columns.features.tofile(files[_FEATURES])
            columns.closings.tofile(files[_CLOSINGS])
            _joined(columns, sets, n_closings).tofile(files[_RECORDS])
            n_rows += columns.n_transitions
            n_closings += len(columns.closings)
    if not n_rows:
        raise TrainingError("no transitions to learn from: expected at least one that the scenario's rules leave")
    return ReplayColumns(
        features=_mapped(folder / _FEATURES, np.float32, (n_rows, n_features)),
        closings=_mapped(folder / _CLOSINGS, np.float32, (n_closings, n_features)),
        records=_mapped(folder / _RECORDS, np.int32, (n_rows, RECORD_LENGTH)),
        availability=_as_rows(sets, n_actions),
        memory_bytes=memory_bytes,
    )


def _joined(columns: ReplayColumns, sets: dict[bytes, int], n_closings: int) -> RecordArray:
    """Return the part's records, with places among the sets and closings of all parts."""
    place = np.array([sets.setdefault(row.tobytes(), len(sets)) for row in columns.availability], dtype=np.int32)
    records = columns.records
    for column in (SET, NEXT_SET):
        records[:, column] = place[records[:, column]]
    records[:, CLOSING] += np.where(records[:, CLOSING] >= 0, n_closings, 0).astype(np.int32)
    return records


def _as_rows(sets: dict[bytes, int], n_actions: int) -> BoolArray:
    return np.frombuffer(b"".join(sets), dtype=bool).reshape(-1, n_actions)


def _mapped(path: Path, dtype: type, shape: tuple[int, ...]) -> Any:
    """Return the file mapped for random reads; writing to it would count all of it as memory in use."""
    array = np.memmap(path, dtype=dtype, mode="r", shape=shape)
    array._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]  # numpy leaves it untyped
    return array
