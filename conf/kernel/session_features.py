"""Features of delay `none`: what a session had seen before a decision, or before its closing.

Each feature is one function, and one entry in SESSION_SCALARS or SESSION_LISTS. A scalar is `(n_points,)` int64, a list
`(n_points, length)` id hashes, most recent first, 0 where there are no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from conf.event_types import ENGAGEMENT_TYPES
from conf.kernel.arrays import (
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    MICROS_PER_SECOND,
    BoolArray,
    IntArray,
    counts_before,
    latest_rows,
)
from conf.kernel.decisions import DecisionRows
from conf.kernel.points import Points
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, is_of_type

_POWERS_OF_TWO = 2 ** np.arange(63, dtype=np.int64)
_DIGITS_OF_A_NEGATIVE = 64


@dataclass(frozen=True)
class Seen:
    """What the features of points are made of: the rows from `first_row` to before `row_end` of each."""

    stream: Stream
    decisions: DecisionRows
    points: Points

    @property
    def has_rows(self) -> BoolArray:
        """True where anything came before the point, `(n_points,)`."""
        return self.points.row_end > self.points.first_row

    @property
    def is_engagement(self) -> BoolArray:
        """True for the rows that show the unit's interest, `(n,)`."""
        return is_of_type(self.stream, *ENGAGEMENT_TYPES)


def session_features(
    stream: Stream, decisions: DecisionRows, points: Points, lengths: Mapping[str, int | None]
) -> dict[str, IntArray]:
    """Return features of delay `none` at the points, by name; `lengths` bounds list features, None for scalars."""
    seen = Seen(stream, decisions, points)
    return {
        name: SESSION_SCALARS[name](seen) if length is None else SESSION_LISTS[name](seen, length)
        for name, length in lengths.items()
    }


def session_step(seen: Seen) -> IntArray:
    """Return the decisions earlier in the session."""
    return rows_before(seen, seen.decisions.is_decision)


def n_session_clicks(seen: Seen) -> IntArray:
    """Return the click and view events earlier in the session."""
    return rows_before(seen, is_of_type(seen.stream, "click", "view"))


def n_session_carts(seen: Seen) -> IntArray:
    """Return the cart and favorite events earlier in the session."""
    return rows_before(seen, is_of_type(seen.stream, "cart", "favorite"))


def n_session_purchases(seen: Seen) -> IntArray:
    """Return the purchase events earlier in the session."""
    return rows_before(seen, is_of_type(seen.stream, "purchase"))


def seconds_since_session_start(seen: Seen) -> IntArray:
    """Return whole seconds since the session's first event, 0 at it."""
    return np.where(seen.has_rows, _seconds_since(seen, seen.points.first_row), 0)


def seconds_since_previous_event(seen: Seen) -> IntArray:
    """Return whole seconds since the session's previous event, -1 where there is none."""
    return np.where(seen.has_rows, _seconds_since(seen, seen.points.row_end - 1), -1)


def n_decisions_since_engagement(seen: Seen) -> IntArray:
    """Return the decisions after the session's last engagement event, all of the session's where there is none."""
    rows = np.flatnonzero(seen.is_engagement)
    n_before = counts_before(seen.is_engagement)[seen.points.row_end]
    last = np.concatenate([[-1], rows])[n_before]
    decided = counts_before(seen.decisions.is_decision)
    since: IntArray = decided[seen.points.row_end] - decided[np.maximum(last, seen.points.first_row)]
    # Where decisions are implied, the engaged row is a decision itself, and comes before what follows it.
    is_own = (last >= seen.points.first_row) & np.append(seen.decisions.is_decision, False)[last]
    alone: IntArray = since - is_own
    return alone


def n_engaged_in_a_row(seen: Seen) -> IntArray:
    """Return how many last decisions were each followed by an engagement event before the next decision."""
    decided = counts_before(seen.decisions.is_decision)
    engaged = counts_before(seen.is_engagement)
    rows = np.flatnonzero(seen.decisions.is_decision)
    end, n_own = decided[seen.points.row_end], decided[seen.points.row_end] - decided[seen.points.first_row]
    if not len(rows):
        return np.zeros_like(n_own)
    # Whether the next decision came after an engagement, and how many before it in a row.
    answered = np.diff(engaged[rows]) > 0
    runs = np.append(0, np.arange(len(answered)) - latest_rows(~answered))
    last = np.maximum(end - 1, 0)
    is_answered = (n_own > 0) & (engaged[seen.points.row_end] > engaged[rows[last]])
    return np.where(is_answered, 1 + np.minimum(runs[last], n_own - 1), 0)


def last_price_band(seen: Seen) -> IntArray:
    """Return the binary digits of the session's last engaged price in millionths, -1 where there is none."""
    has_price = seen.is_engagement & (seen.stream.price != NO_NUMBER)
    digits = _recent(seen, has_price, _binary_digits(seen.stream.price), length=1)[:, 0]
    # Every number has a digit: 0 stands for none.
    return np.where(digits > 0, digits, -1)


def hour_of_day(seen: Seen) -> IntArray:
    """Return the hour of the business day, 0 to 23."""
    return seen.points.local_us % MICROS_PER_DAY // MICROS_PER_HOUR


def day_of_week(seen: Seen) -> IntArray:
    """Return 1 Monday to 7 Sunday, of the business day."""
    # 1970-01-01 was a Thursday.
    return (seen.points.as_of_day + 3) % 7 + 1


def recent_shown_items(seen: Seen, length: int) -> IntArray:
    """Return items of the session's earlier decisions, most recent first."""
    shown = seen.decisions.shown_item
    return _recent(seen, shown != NO_ID, shown, length)


def recent_shown_categories(seen: Seen, length: int) -> IntArray:
    """Return categories of the session's earlier decisions; a decision without one is passed over."""
    category = seen.stream.known_category
    return _recent(seen, seen.decisions.is_decision & (category != NO_ID), category, length)


def recent_engaged_items(seen: Seen, length: int) -> IntArray:
    """Return items of the session's earlier engagement events; an event without one is passed over."""
    item = seen.stream.item
    return _recent(seen, seen.is_engagement & (item != NO_ID), item, length)


def recent_engaged_categories(seen: Seen, length: int) -> IntArray:
    """Return categories of the session's earlier engagement events; an event without one is passed over."""
    category = seen.stream.known_category
    return _recent(seen, seen.is_engagement & (category != NO_ID), category, length)


SESSION_SCALARS: dict[str, Callable[[Seen], IntArray]] = {
    "session_step": session_step,
    "n_session_clicks": n_session_clicks,
    "n_session_carts": n_session_carts,
    "n_session_purchases": n_session_purchases,
    "seconds_since_session_start": seconds_since_session_start,
    "seconds_since_previous_event": seconds_since_previous_event,
    "n_decisions_since_engagement": n_decisions_since_engagement,
    "n_engaged_in_a_row": n_engaged_in_a_row,
    "last_price_band": last_price_band,
    "hour_of_day": hour_of_day,
    "day_of_week": day_of_week,
}

SESSION_LISTS: dict[str, Callable[[Seen, int], IntArray]] = {
    "recent_shown_items": recent_shown_items,
    "recent_shown_categories": recent_shown_categories,
    "recent_engaged_items": recent_engaged_items,
    "recent_engaged_categories": recent_engaged_categories,
}


def rows_before(seen: Seen, flag: BoolArray) -> IntArray:
    """Return how many of the rows that each point sees have the flag, `(n_points,)`."""
    before = counts_before(flag)
    found: IntArray = before[seen.points.row_end] - before[seen.points.first_row]
    return found


def _recent(seen: Seen, flag: BoolArray, values: IntArray, length: int) -> IntArray:
    """Return the values of the last flagged rows that each point sees, most recent first, `(n_points, length)`.

    0 stands where there are no more.
    """
    before = counts_before(flag)
    first, end = before[seen.points.first_row], before[seen.points.row_end]
    # Backwards, so that what a point has seen last stands in a row of the windows.
    backwards = np.concatenate([values[flag][::-1], np.zeros(length, dtype=np.int64)])
    windows = np.lib.stride_tricks.sliding_window_view(backwards, length)
    recent: IntArray = windows[before[-1] - end]
    recent[np.arange(length) >= (end - first)[:, None]] = NO_ID
    return recent


def _seconds_since(seen: Seen, row: IntArray) -> IntArray:
    """Return whole seconds from a row to each point, `(n_points,)`; of no use where the row is -1."""
    start = seen.stream.time_us[np.maximum(row, 0)]
    return (seen.points.time_us - start) // MICROS_PER_SECOND


def _binary_digits(number: IntArray) -> IntArray:
    """Return how many binary digits numbers have: 1 for 0, and 64 for negative ones, in two's complement."""
    digits = np.maximum(np.searchsorted(_POWERS_OF_TWO, number, side="right"), 1)
    return np.where(number < 0, _DIGITS_OF_A_NEGATIVE, digits)
