"""The clock of sessions: a point at every decision of a session, and one at its closing.

A session with more decisions than an episode may hold goes on in a further episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, BoolArray, IntArray, changes
from conf.kernel.calendar import Calendar
from conf.kernel.decisions import DecisionRows, DecisionRule, decisions
from conf.kernel.episode_ends import ends
from conf.kernel.points import CLOSING, DECISION, NO_DECISION, NO_END, Points
from conf.kernel.points_in_order import Merged, is_last_of, number_within
from conf.kernel.sessions import SessionRule, Sessions, closing_times, sessions
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

    def decide(self, stream: Stream, rule: DecisionRule, calendar: Calendar) -> DecisionRows:  # noqa: ARG002
        """Return the decisions: events of their own."""
        return decisions(stream, rule)

    def missed(
        self,
        stream: Stream,  # noqa: ARG002
        decided: DecisionRows,  # noqa: ARG002
        *,
        calendar: Calendar,  # noqa: ARG002
        watermark_us: int,  # noqa: ARG002
    ) -> BoolArray | None:
        """Return None: no decision is known to be missing."""
        return None

    def visits(self, stream: Stream, rule: SessionRule, calendar: Calendar) -> Sessions:  # noqa: ARG002
        """Return the sessions, in which decisions follow one another."""
        return sessions(stream, rule)

    def partition_days(self, days: IntArray) -> IntArray:
        """Return the day whose partition answers for each business day's events: itself."""
        return days

    def starting_days(self, days: IntArray) -> IntArray:
        """Return the days on which sessions may start that hold moments of the business days: the days themselves."""
        return np.unique(days)

    def points(
        self,
        stream: Stream,
        visits: Sessions,
        decisions: DecisionRows,
        *,
        calendar: Calendar,
        span: IntArray,
        watermark_us: int,
    ) -> Points:
        """Return the points of the sessions that start in the span and hold a decision, in the stream's order.

        Args:
            stream: the visits whole, and where one was cut, the one after it.
            visits: its sessions.
            decisions: of the stream.
            calendar: of the business zone.
            span: business days, `(n_days,)`.
            watermark_us: until when (exclusive) the deliveries are complete.
        """
        asked = np.isin(visits.day, span)
        chosen = np.flatnonzero(asked[visits.number[decisions.rows]])
        rows = decisions.rows[chosen]
        session = visits.number[rows]
        is_first, is_last = changes(session), is_last_of(session)
        number = number_within(is_first)
        closing = closing_times(stream, visits, self.gap_us)[session]
        is_closed = ~visits.is_cut[session] & (closing < watermark_us)
        step = number % self.max_steps
        decision_ends = ends(is_last=is_last, is_closed=is_closed, is_bounded=step == self.max_steps - 1)
        # Each decision is followed by the next one or by its session's closing.
        places = np.arange(len(rows), dtype=np.int64) + np.cumsum(is_first) - 1
        closings = places[is_last] + 1
        merged = Merged(places, closings)
        time_us = merged.of(stream.time_us[rows], closing[is_last])
        local_us = calendar.local_us(time_us)
        episode = np.cumsum(step == 0) - 1
        return Points(
            unit=merged.of(stream.unit[rows], stream.unit[rows][is_last]),
            time_us=time_us,
            local_us=local_us,
            as_of_day=local_us // MICROS_PER_DAY,
            first_row=merged.of(visits.starts[session], visits.starts[session[is_last]]),
            row_end=merged.of(rows, visits.starts[session[is_last] + 1]),
            kind=merged.of(DECISION, CLOSING),
            decision=merged.of(chosen, NO_DECISION),
            episode=merged.of(episode, episode[is_last]),
            step=merged.of(step, step[is_last] + 1),
            end=merged.of(decision_ends, NO_END),
        )
