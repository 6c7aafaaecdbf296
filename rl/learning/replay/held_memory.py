"""How much of memory-mapped columns is in memory: let go of now and then, which keeps it low but isn't a bound."""

from __future__ import annotations

import threading

from rl.learning.replay.replay_columns import ReplayColumns

# Linux maps this much around a page that is asked for, where it has it in its cache (fault_around_bytes).
_FAULT_BYTES = 1 << 16

# A row's features with the row below's, a closing, and a record.
_PLACES_PER_ROW = 3

# A batch is read in pieces of at most this share of what is allowed, so that several threads keep to it together.
_PIECE_SHARE = 1 / 8


class HeldMemory:
    """Counts what reading rows brings into memory, and lets go of all of it before it is too much.

    The system would let go of it too, but only when all its memory is full.
    """

    def __init__(self, columns: ReplayColumns, memory_bytes: int) -> None:
        self._columns = columns
        self._memory_bytes = memory_bytes
        self._bytes_per_row = _PLACES_PER_ROW * (_FAULT_BYTES + 2 * 4 * int(columns.features.shape[1]))
        self._n_bytes = 0
        self._lock = threading.Lock()

    @property
    def piece(self) -> int:
        """Number of rows to read at a time."""
        return max(1, int(_PIECE_SHARE * self._memory_bytes) // self._bytes_per_row)

    def rows_are_read(self, n_rows: int) -> None:
        """Count rows that are about to be read, and free memory first where it would be too much; thread-safe."""
        with self._lock:
            self._n_bytes += n_rows * self._bytes_per_row
            if self._n_bytes > self._memory_bytes:
                self._columns.release()
                self._n_bytes = n_rows * self._bytes_per_row
