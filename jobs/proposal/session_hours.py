"""How long the sessions last that a look at a file shows, where some of them go on after midnight."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

_HOUR = 3_600_000_000
_MOST_HOURS = 24


def times_of_sessions(micros: Sequence[int | None], lengths: Sequence[int]) -> list[list[int]]:
    """Return the known times of each session, ascending; none of those whose times are all unknown.

    Args:
        micros: of the sessions' lines in order, microseconds since the epoch, UTC.
        lengths: how many lines each session has.
    """
    found, place = list[list[int]](), 0
    for length in lengths:
        found.append(sorted(one for one in micros[place : place + length] if one is not None))
        place += length
    return [times for times in found if times]


def hours_past(sessions: Sequence[Sequence[int]]) -> int:
    """Return the begun hours of the longest session, where one goes on after midnight (UTC); else 0.

    The zone isn't known yet: how long sessions last bounds what follows any zone's midnight. At most a day.

    Args:
        sessions: of each its times, ascending, microseconds since the epoch.
    """
    if not any(day_of(times[0]) != day_of(times[-1]) for times in sessions):
        return 0
    longest = max(times[-1] - times[0] for times in sessions)
    return min(_MOST_HOURS, longest // _HOUR + 1)


def day_of(micros: int) -> date:
    """Return the day (UTC) of a time."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).date()
