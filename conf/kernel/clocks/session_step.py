"""The clock of sessions: a point at every decision of a session, and one at its closing.

A session with more decisions than an episode may hold goes on in a further episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, BoolArray, IntArray, changes
from conf.kernel.calendar import Calendar
from conf.kernel.decisions import DecisionRows
from conf.kernel.episode_ends import ends
from conf.kernel.points import CLOSING, DECISION, NO_DECISION, NO_END, Points
from conf.kernel.sessions import Sessions, closing_times
from conf.kernel.stream import Stream


@dataclass(frozen=True)
class SessionStep:
    """A point at every decision and every closing.

    Attributes:
        gap_us: how long after its last event a session closes that was not cut, microseconds.
        max_steps: the most decisions of an episode.
    """

    gap_us: int
    max_steps: int

    def points(
        self,
        stream: Stream,
        sessions: Sessions,
        decisions: DecisionRows,
        *,
        calendar: Calendar,
        span: IntArray,
        watermark_us: int,
    ) -> Points:
        """Return the points of the sessions that start in the span and hold a decision, in the stream's order.

        Args:
            stream: the sessions whole, and where one was cut, the one after it.
            sessions: of the stream.
            decisions: of the stream.
            calendar: of the business zone.
            span: business days, `(n_days,)`.
            watermark_us: until when (exclusive) the deliveries are complete.
        """
        asked = np.isin(stream.day[sessions.starts[:-1]], span)
        chosen = np.flatnonzero(asked[sessions.number[decisions.rows]])
        rows = decisions.rows[chosen]
        session = sessions.number[rows]
        is_first, is_last = changes(session), _is_last(session)
        number = _number_within(is_first)
        closing = closing_times(stream, sessions, self.gap_us)[session]
        is_closed = ~sessions.is_cut[session] & (closing < watermark_us)
        step = number % self.max_steps
        decision_ends = ends(is_last=is_last, is_closed=is_closed, is_bounded=step == self.max_steps - 1)
        # Each decision is followed by the next one or by its session's closing.
        places = np.arange(len(rows), dtype=np.int64) + np.cumsum(is_first) - 1
        closings = places[is_last] + 1
        merged = _Merged(places, closings)
        time_us = merged.of(stream.time_us[rows], closing[is_last])
        local_us = calendar.local_us(time_us)
        episode = np.cumsum(step == 0) - 1
        return Points(
            unit=merged.of(stream.unit[rows], stream.unit[rows][is_last]),
            time_us=time_us,
            local_us=local_us,
            as_of_day=local_us // MICROS_PER_DAY,
            first_row=merged.of(sessions.starts[session], sessions.starts[session[is_last]]),
            row_end=merged.of(rows, sessions.starts[session[is_last] + 1]),
            kind=merged.of(DECISION, CLOSING),
            decision=merged.of(chosen, NO_DECISION),
            episode=merged.of(episode, episode[is_last]),
            step=merged.of(step, step[is_last] + 1),
            end=merged.of(decision_ends, NO_END),
        )


@dataclass(frozen=True)
class _Merged:
    """Values of decisions and of closings, each put at its place among the points."""

    decisions: IntArray
    closings: IntArray

    def of(self, at_decisions: IntArray | int, at_closings: IntArray | int) -> IntArray:
        """Return one column of the points."""
        column = np.empty(len(self.decisions) + len(self.closings), dtype=np.int64)
        column[self.decisions] = at_decisions
        column[self.closings] = at_closings
        return column


def _is_last(session: IntArray) -> BoolArray:
    return np.append(session[1:] != session[:-1], True) if len(session) else np.zeros(0, dtype=np.bool_)


def _number_within(is_first: BoolArray) -> IntArray:
    """Return how many rows stand before each one since the latest first row."""
    rows = np.arange(len(is_first), dtype=np.int64)
    firsts = np.flatnonzero(is_first)
    return rows - np.repeat(firsts, np.diff(np.append(firsts, len(is_first))))
