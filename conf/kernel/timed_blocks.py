"""Blocks of a calendar as episodes: what a unit decides in one, ended by time alone, so that no row is terminal."""

from __future__ import annotations

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, IntArray, changes
from conf.kernel.calendar import Calendar
from conf.kernel.episode_ends import ends
from conf.kernel.points import CLOSING, DECISION, NO_DECISION, NO_END, Points
from conf.kernel.points_in_order import Merged, is_last_of, number_within
from conf.kernel.sessions import Sessions
from conf.kernel.stream import Stream


def timed_blocks(stream: Stream, block: IntArray, first_day: IntArray) -> Sessions:
    """Return the blocks as what sessions are to other clocks: all ended by time.

    Args:
        stream: the events.
        block: number of each event's block, `(n,)`.
        first_day: business day on which each event's block starts, `(n,)`.
    """
    is_start = changes(stream.unit, block)
    starts = np.append(np.flatnonzero(is_start), len(stream))
    return Sessions(
        number=np.cumsum(is_start) - 1,
        starts=starts,
        is_cut=np.ones(len(starts) - 1, dtype=np.bool_),
        day=first_day[starts[:-1]],
    )


def chosen_decisions(sessions: Sessions, rows: IntArray, span: IntArray) -> IntArray:
    """Return which decisions lie in blocks that start in the span: places among their rows, `(n_chosen,)`.

    Args:
        sessions: the blocks.
        rows: of all decisions, in the stream's order.
        span: business days, `(n_days,)`.
    """
    asked = np.isin(sessions.day, span)
    return np.flatnonzero(asked[sessions.number[rows]])


def last_of_blocks(sessions: Sessions, rows: IntArray, chosen: IntArray) -> IntArray:
    """Return which of the chosen decisions is the last of its block: places among all rows, `(n_blocks,)`."""
    found: IntArray = chosen[is_last_of(sessions.number[rows[chosen]])]
    return found


def block_points(
    stream: Stream,
    sessions: Sessions,
    rows: IntArray,
    chosen: IntArray,
    closings: tuple[IntArray, IntArray],
    *,
    calendar: Calendar,
    max_steps: int,
) -> Points:
    """Return a point at each chosen decision, and one where each of their blocks closes, in the stream's order.

    Args:
        stream: the blocks whole.
        sessions: the blocks.
        rows: of all decisions.
        chosen: places among them, of whole blocks.
        closings: when blocks close, UTC microseconds, and the row behind the last one before, `(n_blocks,)` each.
        calendar: of the business zone.
        max_steps: the most decisions of an episode; a block with more goes on in a further one.
    """
    own = rows[chosen]
    block = sessions.number[own]
    is_first, is_last = changes(block), is_last_of(block)
    step = number_within(is_first) % max_steps
    decision_ends = ends(is_last=is_last, is_closed=np.zeros_like(is_last), is_bounded=step == max_steps - 1)
    unit, (closing, row_end) = stream.unit[own], closings
    places = np.arange(len(own), dtype=np.int64) + np.cumsum(is_first) - 1
    merged = Merged(places, places[is_last] + 1)
    time_us = merged.of(stream.time_us[own], closing)
    local_us = calendar.local_us(time_us)
    episode = np.cumsum(step == 0) - 1
    return Points(
        unit=merged.of(unit, unit[is_last]),
        time_us=time_us,
        local_us=local_us,
        as_of_day=local_us // MICROS_PER_DAY,
        first_row=merged.of(sessions.starts[block], sessions.starts[block[is_last]]),
        row_end=merged.of(own, row_end),
        kind=merged.of(DECISION, CLOSING),
        decision=merged.of(chosen, NO_DECISION),
        episode=merged.of(episode, episode[is_last]),
        step=merged.of(step, step[is_last] + 1),
        end=merged.of(decision_ends, NO_END),
    )
