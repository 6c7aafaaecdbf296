"""Events become sessions: ended by a gap, going over midnight, of bounded length.

Three rules, in this order, on each unit's events in the total order:

1. A *chain* ends where the next event comes more than the gap later.
2. A chain is cut at the first event of business day d if its first event lies two business days before d or earlier.
   So what a session of day D looks like depends on no event before day D - 2.
3. What is left is cut at each full longest duration after its start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes, latest_rows
from conf.kernel.stream import Stream

DAYS_BEFORE = 2
"""A chain is cut at the second midnight: sessions of a day are decided by events of so many days before it."""


@dataclass(frozen=True)
class SessionRule:
    """What ends a session: the longest silence inside it, and its longest duration, both in microseconds."""

    gap_us: int
    longest_us: int


@dataclass(frozen=True)
class Sessions:
    """Which session each row belongs to; sessions are numbered from 0 in the stream's order.

    Attributes:
        number: the row's session, `(n,)`.
        starts: first row of each session, and the number of rows behind them, `(n_sessions + 1,)`.
        is_cut: True where the session ended at the longest duration or a second midnight: the gap had not passed,
            `(n_sessions,)`.
        day: the business day that each counts for, on which it started, `(n_sessions,)`.
    """

    number: IntArray
    starts: IntArray
    is_cut: BoolArray
    day: IntArray

    def __len__(self) -> int:
        return len(self.is_cut)


def sessions(stream: Stream, rule: SessionRule) -> Sessions:
    """Return the sessions of the stream's rows.

    Where the stream starts at day D - 2, sessions of day D and later are what they would be from the whole log.
    """
    is_chain_start = _starts_chain(stream, rule)
    is_piece_start = is_chain_start | _is_after_second_midnight(stream, is_chain_start)
    is_start = is_piece_start | _starts_part(stream, is_piece_start, rule)
    starts = np.append(np.flatnonzero(is_start), len(stream))
    # A session is cut where the next one starts without a gap; a unit's last session never is.
    follows_at_once = np.append(~is_chain_start[starts[1:-1]], False) if len(stream) else np.zeros(0, dtype=np.bool_)
    return Sessions(number=np.cumsum(is_start) - 1, starts=starts, is_cut=follows_at_once, day=stream.day[starts[:-1]])


def closing_times(stream: Stream, sessions: Sessions, gap_us: int) -> IntArray:
    """Return when each session closed: a gap after its last event, or, where it was cut, when the next one starts.

    Shaped `(n_sessions,)`, UTC microseconds.
    """
    last, behind = sessions.starts[1:] - 1, np.minimum(sessions.starts[1:], len(stream) - 1)
    return np.where(sessions.is_cut, stream.time_us[behind], stream.time_us[last] + gap_us)


def has_closed(sessions: Sessions, closing_us: IntArray, watermark_us: int) -> BoolArray:
    """Return True where nothing can join a session any more: it was cut, or the watermark has passed its closing."""
    return sessions.is_cut | (closing_us < watermark_us)


def _starts_chain(stream: Stream, rule: SessionRule) -> BoolArray:
    """Return True at each unit's first event, and where the silence before an event is longer than the gap."""
    is_start = changes(stream.unit)
    is_start[1:] |= stream.time_us[1:] - stream.time_us[:-1] > rule.gap_us
    return is_start


def _is_after_second_midnight(stream: Stream, is_chain_start: BoolArray) -> BoolArray:
    """Return True at the first event of each business day that is the chain's third or a later one."""
    chain_day = stream.day[latest_rows(is_chain_start)]
    return changes(stream.day) & (stream.day >= chain_day + DAYS_BEFORE)


def _starts_part(stream: Stream, is_piece_start: BoolArray, rule: SessionRule) -> BoolArray:
    """Return True at the first event of each full longest duration after the start of what the other rules leave."""
    since_start = stream.time_us - stream.time_us[latest_rows(is_piece_start)]
    return changes(since_start // rule.longest_us)
