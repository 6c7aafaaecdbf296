"""Published transitions one date after the other, in the order that they have when all are read at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from rl.data.logged_episodes import BoolArray
from rl.data.splits import end_of_day
from rl.data.transition_columns import Transitions, transitions_from_table
from rl.data.transitions_reading import PublishedTransitions


def transitions_by_date(published: PublishedTransitions) -> Iterator[Transitions]:
    """Yield whole episodes, ascending by start, with one date's rows in memory at a time, and those that wait.

    A partition holds the sessions that began on its date. An episode of theirs that starts after midnight waits for
    those of the next date, among which it belongs.

    Raises:
        DatasetError: unreadable files, or an episode that doesn't go step by step from 0.
    """
    scenario, days = published.pipeline.scenario, tuple(published.pointers)
    waiting: pa.Table | None = None
    for day in days:
        table = published.table((day,))
        if waiting is not None:
            table = pa.concat_tables([waiting, table])
        is_early = _starts_before(table, end_of_day(day, published.pipeline.source.zone))
        if day == days[-1]:
            is_early[:] = True
        waiting = table.filter(pa.array(~is_early))
        if is_early.any():
            yield transitions_from_table(table.filter(pa.array(is_early)), scenario)


def _starts_before(table: pa.Table, moment: int) -> BoolArray:
    """Return True on the rows of episodes whose first decision is before the moment (microseconds), `(n,)`."""
    encoded = table.column("episode_id").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    episode = encoded.indices.to_numpy(zero_copy_only=False)
    starts = np.full(len(encoded.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(starts, episode, table.column("decision_time").cast(pa.int64()).to_numpy())
    return np.asarray(starts[episode] < moment)
