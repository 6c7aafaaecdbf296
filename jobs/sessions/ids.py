"""The id of a session: a hash of its shopper and first event."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pyarrow as pa

from conf.kernel.arrays import IntArray
from jobs.events.event_columns import EventColumns


def session_ids(events: EventColumns, first_row: IntArray) -> pa.Array:
    """Return the ids of the sessions that start with the rows: 128 bits, hex, `(n,)`."""
    rows = pa.array(np.asarray(first_row, dtype=np.int64))
    keys = zip(
        events.table["user_id"].combine_chunks().take(rows).to_pylist(),
        events.stream.time_us[first_row].tolist(),
        events.table["event_id"].combine_chunks().take(rows).to_pylist(),
        strict=True,
    )
    return pa.array(
        [sha256(f"{user}|{time_us}|{event}".encode()).hexdigest()[:32] for user, time_us, event in keys], pa.string()
    )
