"""The clock of products: a point at the first count of a product in each day or week, and one where a block ends.

A period starts at an hour of its business day, on the wall clock. So many periods are a block, counted from 1970, and a
product's decisions of a block are an episode. Time alone ends it, so that no row is terminal.

Where nothing is counted, rows of mornings stand for counts, and each period's events are its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes
from conf.kernel.calendar import Calendar
from conf.kernel.clocks.shopper_week import rows_before
from conf.kernel.decisions import DecisionRows, DecisionRule
from conf.kernel.mornings import Sales, mornings_after
from conf.kernel.points import Points
from conf.kernel.sessions import SessionRule, Sessions
from conf.kernel.stock_flows import NOBODY, counts_of, next_counts, stock_flows
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, is_of_type
from conf.kernel.timed_blocks import block_points, chosen_decisions, last_of_blocks, timed_blocks

_A_MONDAY = 4  # 1970-01-05, in days since the epoch
_EVER_US = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SkuDay:
    """A point at every product's first count of a period, and where the period of a block's last one ends.

    Attributes:
        days: of a period.
        weekday: on which weeks and blocks start, 0 Monday to 6 Sunday.
        hour: of its first business day, on the wall clock, at which a period starts.
        periods: of a block.
        max_steps: the most decisions of an episode.
        window_us: how long after a count its period's events come at most, microseconds.
        range_days: how many days after its last sale a product that nobody counts is in the range; 0 where counts say.
    """

    days: int
    weekday: int
    hour: int
    periods: int
    max_steps: int
    window_us: int
    range_days: int = 0

    @property
    def is_counted(self) -> bool:
        """Whether counts are events of the log."""
        return not self.range_days

    def mornings(
        self, sales: Sales, *, calendar: Calendar, span: IntArray, horizon_end_us: int, look_back_days: int
    ) -> tuple[IntArray, IntArray]:
        """Return units and business days of the mornings of a log without counts, by unit and day, `(n_mornings,)`.

        Those of days before the span are among them, as far back as a refund within it may reach.

        Args:
            sales: lines of the log.
            calendar: of the business zone.
            span: business days on which the asked blocks start, `(n_days,)`.
            horizon_end_us: when the last business day ends that is known.
            look_back_days: how many business days before an event a decision still counts as there.
        """
        last = int(calendar.day(np.array([horizon_end_us - 1], dtype=np.int64))[0])
        first = int(span.min()) - look_back_days - 1 if len(span) else last + 1
        unit, day = mornings_after(sales, range_days=self.range_days, last_day=last)
        asked = day >= first
        return unit[asked], day[asked]

    def mornings_us(self, day: IntArray, calendar: Calendar) -> IntArray:
        """Return when the mornings of business days are, UTC microseconds, `(n,)`."""
        return self.starts_us(self._period_of_day(day), calendar)

    def decide(self, stream: Stream, rule: DecisionRule, calendar: Calendar) -> DecisionRows:
        """Return the decisions: the first count of each product and period; what is ordered until the next is chosen.

        Counts without pieces are none. Further counts of a period tell of its decision again.
        """
        counts = np.flatnonzero(is_of_type(stream, rule.event_type) & (stream.quantity != NO_NUMBER))
        is_first = changes(stream.unit[counts], self._period(stream.time_us[counts], stream.day[counts], calendar))
        is_decision, is_repeated = np.zeros(len(stream), dtype=np.bool_), np.zeros(len(stream), dtype=np.bool_)
        is_decision[counts[is_first]], is_repeated[counts[~is_first]] = True, True
        rows = counts[is_first]
        period = None if self.is_counted else self._period(stream.time_us, stream.day, calendar)
        ordered = stock_flows(stream, is_decision, self.window_us).ordered
        least = np.array(rule.quantities.least, dtype=np.int64)
        place = np.maximum(np.searchsorted(least, ordered, side="right") - 1, 0)
        action = np.zeros(len(stream), dtype=np.int64)
        action[rows] = np.array(rule.quantities.actions, dtype=np.int64)[place]
        shown = np.where(is_decision, stream.item, NO_ID)
        return DecisionRows(is_decision, is_repeated, action=action, shown_item=shown, rows=rows, period=period)

    def missed(
        self, stream: Stream, decided: DecisionRows, *, calendar: Calendar, watermark_us: int
    ) -> BoolArray | None:
        """Return the decisions whose period is followed by one without a count, `(n_decisions,)`; None without counts.

        A product without a count for longer than the window has left the range, unless it is ordered, received or sold
        on: then what its last count's period holds is what several came to.

        Args:
            stream: the events.
            decided: of the stream.
            calendar: of the business zone.
            watermark_us: until when (exclusive) the deliveries are complete: before a period's end nothing is missed.
        """
        if not self.is_counted:
            return None
        rows = decided.rows
        period = self._period(stream.time_us[rows], stream.day[rows], calendar)
        is_followed = next_counts(stream, rows, self.window_us) != NOBODY
        is_counted_next = (next_counts(stream, rows, _EVER_US) != NOBODY) & (
            np.append(period, NOBODY)[1:] == period + 1
        )
        is_known = calendar.start_of_day(self._first_day(period + 2)) <= watermark_us
        goes_on = self._goes_on(stream, decided.is_decision, self.starts_us(period + 1, calendar))
        missed: BoolArray = ~is_counted_next & (is_followed | (goes_on & is_known))
        return missed

    def _goes_on(self, stream: Stream, is_count: BoolArray, ends_us: IntArray) -> BoolArray:
        """Return the counts after which units still move when their periods have ended, `(n_counts,)`."""
        count = counts_of(stream, is_count, self.window_us)
        moves = np.flatnonzero((count != NOBODY) & is_of_type(stream, "order", "receipt", "purchase"))
        is_late = stream.time_us[moves] >= ends_us[count[moves]]
        found = np.zeros(len(ends_us), dtype=np.bool_)
        found[count[moves[is_late]]] = True
        return found

    def visits(self, stream: Stream, rule: SessionRule, calendar: Calendar) -> Sessions:  # noqa: ARG002
        """Return the blocks of periods as what sessions are to other clocks: all ended by time."""
        block = self._period(stream.time_us, stream.day, calendar) // self.periods
        return timed_blocks(stream, block, self._first_day(block * self.periods))

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
            stream: the blocks whole, and the first period of those after them.
            sessions: the blocks, of `visits`.
            decisions: of the stream, of `decide`.
            calendar: of the business zone.
            span: business days, `(n_days,)`.
            watermark_us: until when (exclusive) the deliveries are complete.
        """
        rows = decisions.rows
        chosen = chosen_decisions(sessions, rows, span)
        closings = self._closings(stream, rows, last_of_blocks(sessions, rows, chosen), calendar)
        return block_points(stream, sessions, rows, chosen, closings, calendar=calendar, max_steps=self.max_steps)

    def partition_days(self, days: IntArray) -> IntArray:
        """Return the first day of the block that business days end in, `(n,)`."""
        return self._first_day(self._period_of_day(days) // self.periods * self.periods)

    def starting_days(self, days: IntArray) -> IntArray:
        """Return the days on which blocks start that hold moments of the business days, ascending, `(n_blocks,)`."""
        # A day on which a period starts holds moments of the period before, too.
        return np.unique(self.partition_days(np.concatenate([days, days - 1])))

    def days_of(self, time_us: IntArray, calendar: Calendar) -> IntArray:
        """Return the first business day of the period that each moment is in, `(n,)`."""
        return self._first_day(self._period(time_us, calendar.day(time_us), calendar))

    def starts_us(self, period: IntArray, calendar: Calendar) -> IntArray:
        """Return when periods start, UTC microseconds."""
        return calendar.at_hour(self._first_day(period), self.hour)

    def _closings(
        self, stream: Stream, counts: IntArray, last: IntArray, calendar: Calendar
    ) -> tuple[IntArray, IntArray]:
        """Return when blocks close and the row behind the last one before, `(n_blocks,)` each.

        That is the next count, where there is one, or else the next period's start.

        Args:
            stream: the events.
            counts: rows of all decisions.
            last: place among them of each block's last one.
            calendar: of the business zone.
        """
        rows = counts[last]
        period = self._period(stream.time_us[rows], stream.day[rows], calendar)
        following = next_counts(stream, counts, self.window_us)[last]
        # One that comes after a period without a count sets the episode aside, whatever its closing.
        is_counted = following != NOBODY
        if not self.is_counted:
            # A product that left the range and came back closed when it left.
            is_counted &= self._period(stream.time_us[following], stream.day[following], calendar) == period + 1
        start = self.starts_us(period + 1, calendar)
        before = rows_before(stream, stream.unit[rows], start)
        return (
            np.where(is_counted, stream.time_us[following], start),
            np.where(is_counted, following, before),
        )

    def _period(self, time_us: IntArray, day: IntArray, calendar: Calendar) -> IntArray:
        """Return the number of the period of each moment, whose business day it is."""
        period = self._period_of_day(day)
        if not self.hour or not len(period):
            return period
        periods, place = np.unique(period, return_inverse=True)
        return period - (time_us < self.starts_us(periods, calendar)[place])

    def _period_of_day(self, day: IntArray) -> IntArray:
        return (day - _A_MONDAY - self.weekday) // self.days

    def _first_day(self, period: IntArray) -> IntArray:
        return period * self.days + _A_MONDAY + self.weekday
