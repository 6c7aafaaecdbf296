"""Parts of a log, made of whole episodes: some taken out, or several joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rl.data.logged_episodes import ROW_FIELDS, BoolArray, IntArray, LoggedEpisodes
from rl.errors import DatasetError


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


def join_episodes(parts: Sequence[LoggedEpisodes]) -> LoggedEpisodes:
    """Return the episodes of all parts, one part after the other.

    Args:
        parts: of one dataset in one encoding, whose units and policy versions are numbered alike; at least one.

    Raises:
        DatasetError: no parts, or parts of other actions, policy versions or metrics than the first.
    """
    if not parts:
        raise DatasetError("there are no episodes to join")
    first = parts[0]
    if any(_frame(part) != _frame(first) for part in parts):
        raise DatasetError(f"episodes of {[_frame(part) for part in parts]} (actions, policy versions, metrics) differ")
    sets_before, availability, lumped = _sets(parts)
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ROW_FIELDS}
    for name in ("mask_index", "next_mask_index"):
        shifted = [getattr(part, name) + n for part, n in zip(parts, sets_before, strict=True)]
        joined[name] = np.concatenate(shifted)
    lengths = np.concatenate([part.lengths for part in parts])
    return replace(
        first,
        **joined,
        availability=availability,
        lumped=lumped,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        unit=np.concatenate([part.unit for part in parts]),
        start_time=np.concatenate([part.start_time for part in parts]),
        metrics={name: np.concatenate([part.metrics[name] for part in parts]) for name in first.metrics},
    )


def _sets(parts: Sequence[LoggedEpisodes]) -> tuple[list[int], BoolArray, IntArray | None]:
    """Return by how much each part's numbers of sets move, all sets, and what their last entries stand for."""
    first = parts[0]
    if all(_shares_sets(part, first) for part in parts):
        return [0] * len(parts), first.availability, first.lumped
    before = np.cumsum([0, *(len(part.availability) for part in parts[:-1])]).tolist()
    lumped = [part.lumped for part in parts if part.lumped is not None]
    return before, np.concatenate([part.availability for part in parts]), np.concatenate(lumped) if lumped else None


def _shares_sets(one: LoggedEpisodes, other: LoggedEpisodes) -> bool:
    is_equal = one.availability is other.availability or np.array_equal(one.availability, other.availability)
    return is_equal and (one.lumped is None or other.lumped is None or np.array_equal(one.lumped, other.lumped))


def _frame(part: LoggedEpisodes) -> tuple[int, tuple[str, ...], tuple[str, ...], bool]:
    return part.n_actions, part.policy_versions, tuple(part.metrics), part.lumped is not None
