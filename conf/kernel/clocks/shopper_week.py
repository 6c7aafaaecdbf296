"""The clock of weeks: a point at every decision of a shopper's weeks, and one where a block of weeks ends.

Weeks start on one weekday, at an hour of the wall clock. So many of them are a block, counted from 1970, and a
shopper's decisions of a block are an episode: a step of it needs no event before the block but what history holds. Time
alone ends it, so that no row is terminal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.calendar import Calendar
from conf.kernel.decisions import DecisionRows, DecisionRule, decisions
from conf.kernel.points import Points
from conf.kernel.sessions import SessionRule, Sessions
from conf.kernel.stream import Stream
from conf.kernel.timed_blocks import block_points, chosen_decisions, last_of_blocks, timed_blocks

DAYS_PER_WEEK = 7
_A_MONDAY = 4  # 1970-01-05, in days since the epoch


@dataclass(frozen=True)
class ShopperWeek:
    """A point at every decision, and at the end of the week of a block's last decision.

    Attributes:
        weekday: on which weeks start, 0 Monday to 6 Sunday.
        hour: of that business day, on the wall clock, at which the week starts.
        weeks: of a block.
        max_steps: the most decisions of an episode.
    """

    weekday: int
    hour: int
    weeks: int
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
        """Return the blocks of weeks as what sessions are to other clocks: all ended by time."""
        block = self.block(stream.time_us, stream.day, calendar)
        return timed_blocks(stream, block, self._first_day(block * self.weeks))

    def points(
        self,
        stream: Stream,
        sessions: Sessions,
        decisions: DecisionRows,
        *,
        calendar: Calendar,
        span: IntArray,
        watermark_us: int,  # noqa: ARG002  # an episode that time ends is open to nothing
    ) -> Points:
        """Return the points of the blocks that start in the span and hold a decision, in the stream's order.

        Args:
            stream: the blocks whole.
            sessions: the blocks, of `visits`.
            decisions: of the stream.
            calendar: of the business zone.
            span: business days, `(n_days,)`.
            watermark_us: until when (exclusive) the deliveries are complete.
        """
        rows = decisions.rows
        chosen = chosen_decisions(sessions, rows, span)
        closings = self._closings(stream, rows, last_of_blocks(sessions, rows, chosen), calendar)
        return block_points(stream, sessions, rows, chosen, closings, calendar=calendar, max_steps=self.max_steps)

    def _closings(
        self, stream: Stream, decided: IntArray, last: IntArray, calendar: Calendar
    ) -> tuple[IntArray, IntArray]:
        """Return when blocks close, at the end of their last decision's week, and the row behind the last one before.

        Args:
            stream: the events.
            decided: rows of all decisions.
            last: place among them of each block's last one.
            calendar: of the business zone.
        """
        rows = decided[last]
        closing = self.starts_us(self._week(stream.time_us[rows], stream.day[rows], calendar) + 1, calendar)
        return closing, rows_before(stream, stream.unit[rows], closing)

    def block(self, time_us: IntArray, day: IntArray, calendar: Calendar) -> IntArray:
        """Return the number of the block of each moment, whose business day it is, `(n,)`."""
        return self._week(time_us, day, calendar) // self.weeks

    def partition_days(self, days: IntArray) -> IntArray:
        """Return the first day of the block that business days end in, `(n,)`."""
        return self._first_day(self._week_of_day(days) // self.weeks * self.weeks)

    def starting_days(self, days: IntArray) -> IntArray:
        """Return the days on which blocks start that hold moments of the business days, ascending, `(n_blocks,)`."""
        # A day on which a week starts holds moments of the week before, too.
        return np.unique(self.partition_days(np.concatenate([days, days - 1])))

    def weeks_of(self, time_us: IntArray, calendar: Calendar) -> IntArray:
        """Return the number of the week of each moment, UTC microseconds, `(n,)`."""
        return self._week(time_us, calendar.day(time_us), calendar)

    def starts_us(self, week: IntArray, calendar: Calendar) -> IntArray:
        """Return when weeks start, UTC microseconds."""
        return calendar.at_hour(self._first_day(week), self.hour)

    def _week(self, time_us: IntArray, day: IntArray, calendar: Calendar) -> IntArray:
        """Return the number of the week of each moment, whose business day it is."""
        week = self._week_of_day(day)
        if not self.hour or not len(week):
            return week
        weeks, place = np.unique(week, return_inverse=True)
        return week - (time_us < self.starts_us(weeks, calendar)[place])

    def _week_of_day(self, day: IntArray) -> IntArray:
        return (day - _A_MONDAY - self.weekday) // DAYS_PER_WEEK

    def _first_day(self, week: IntArray) -> IntArray:
        return week * DAYS_PER_WEEK + _A_MONDAY + self.weekday


def rows_before(stream: Stream, unit: IntArray, time_us: IntArray) -> IntArray:
    """Return the row behind the last one of each unit before a moment; units ascend, `(n,)`."""
    n_rows = len(stream)
    units, moments = np.concatenate([stream.unit, unit]), np.concatenate([stream.time_us, time_us])
    is_row = np.arange(len(units)) < n_rows
    # At one moment the point stands before the rows: they come later.
    order = np.lexsort((is_row, moments, units))
    before = np.cumsum(is_row[order])
    found = np.empty(len(order), dtype=np.int64)
    found[order] = before
    return found[n_rows:]
