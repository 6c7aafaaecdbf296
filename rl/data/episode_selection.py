"""A part of a log: some of its episodes, whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rl.data.logged_episodes import ROW_FIELDS, BoolArray, LoggedEpisodes


def take_episodes(episodes: LoggedEpisodes, kept: BoolArray) -> LoggedEpisodes:
    """Return the episodes for which `kept` is True."""
    rows = np.flatnonzero(kept[episodes.episode])
    return replace(
        episodes,
        **{name: getattr(episodes, name)[rows] for name in ROW_FIELDS},
        offsets=np.concatenate([[0], np.cumsum(episodes.lengths[kept])]).astype(np.int64),
        unit=episodes.unit[kept],
        start_time=episodes.start_time[kept],
        metrics={name: values[rows] for name, values in episodes.metrics.items()},
    )
