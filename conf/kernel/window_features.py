"""Features that look back a number of days of their own: `spend_28d`, `days_since_offer_90d`.

As history features do, they see what deliveries before a decision's business day had brought: a row of sums is seen at
as-of days from its `visible_from` to its window's length after its day. Each is one function of sums a day and one
entry in SUMS, or one entry in SINCE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from conf.event_types import ENGAGEMENT_TYPES
from conf.kernel.arrays import BoolArray, IntArray, changes
from conf.kernel.decisions import DecisionRows
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream, is_of_type
from conf.kernel.unit_days import UnitDays, unit_days

NONE = -1
"""Stands for no such day within the window."""


@dataclass(frozen=True)
class Window:
    """What is looked for: a name of SUMS or SINCE, and over how many business days before the as-of day."""

    name: str
    days: int


@dataclass(frozen=True)
class _Rows:
    """The rows that windows are made of.

    Attributes:
        stream: the events.
        decisions: of the stream.
        nothing: id hash of the action that offers nothing.
    """

    stream: Stream
    decisions: DecisionRows
    nothing: int

    @property
    def is_bought(self) -> BoolArray:
        """True for purchases, `(n,)`."""
        return is_of_type(self.stream, "purchase")

    @property
    def is_visit(self) -> BoolArray:
        """True for what the shopper did, `(n,)`."""
        return is_of_type(self.stream, *ENGAGEMENT_TYPES)

    def money(self, column: IntArray) -> IntArray:
        """Return the purchases' money, 0 where none is told, `(n,)`."""
        return np.where(self.is_bought & (column != NO_NUMBER), column, 0)


def _is_offer(rows: _Rows) -> BoolArray:
    """Return True for decisions that chose another action than nothing, `(n,)`."""
    action = rows.decisions.action
    found: BoolArray = rows.decisions.is_decision & (action != rows.nothing) & (action != NO_ID)
    return found


def _redeemed(rows: _Rows) -> IntArray:
    return (rows.money(rows.stream.discount) > 0).astype(np.int64)


SUMS: Mapping[str, Callable[[_Rows], IntArray]] = {
    "n_purchases": lambda rows: rows.is_bought.astype(np.int64),
    "n_clicks": lambda rows: is_of_type(rows.stream, "click", "view").astype(np.int64),
    "spend": lambda rows: rows.money(rows.stream.amount),
    "discounts": lambda rows: rows.money(rows.stream.discount),
    "n_redeemed": _redeemed,
    "n_offers": lambda rows: _is_offer(rows).astype(np.int64),
}
"""What is summed over a window, by name: of each row, `(n,)`."""

SINCE: Mapping[str, Callable[[_Rows], BoolArray]] = {
    "days_since_visit": lambda rows: rows.is_visit,
    "days_since_purchase": lambda rows: rows.is_bought,
    "days_since_offer": _is_offer,
}
"""Since the last of which rows days are counted, by name, `(n,)`."""

N_VISIT_DAYS = "n_visit_days"

NAMES: tuple[str, ...] = (N_VISIT_DAYS, *SUMS, *SINCE)


def window_features(
    stream: Stream,
    decisions: DecisionRows,
    windows: Mapping[str, Window],
    unit: IntArray,
    as_of_day: IntArray,
    *,
    nothing: int,
) -> dict[str, IntArray]:
    """Return the features of units at days by name, `(n_asked,)` int64.

    Args:
        stream: the events, as far back as the longest window reaches.
        decisions: of the stream.
        windows: what each feature is, by its name.
        unit: whose feature, `(n_asked,)`.
        as_of_day: the business day before which everything must lie, `(n_asked,)`.
        nothing: id hash of the action that offers nothing.
    """
    rows = _Rows(stream, decisions, nothing)
    found: dict[str, IntArray] = {}
    for name, window in windows.items():
        if window.name in SINCE:
            daily = daily_sums(stream, SINCE[window.name](rows).astype(np.int64))
            found[name] = _days_since(daily, unit, as_of_day, window.days)
            continue
        if window.name == N_VISIT_DAYS:
            daily = _first_of_days(daily_sums(stream, rows.is_visit.astype(np.int64)))
        else:
            daily = daily_sums(stream, SUMS[window.name](rows))
        found[name] = sums_over(daily, unit, as_of_day, window.days)
    return found


@dataclass(frozen=True)
class DailySums:
    """Sums that aren't 0, by unit, day and the first day at which they are seen, in that order, each `(n,)`."""

    unit: IntArray
    day: IntArray
    visible_from: IntArray
    total: IntArray


def daily_sums(stream: Stream, values: IntArray) -> DailySums:
    """Return the sums of the rows' values, `(n,)`, by unit, day and the first day at which they are seen."""
    counted = np.flatnonzero(values)
    unit, day = stream.unit[counted], stream.day[counted]
    visible_from = np.maximum(day, stream.delivery_day[counted]) + 1
    order = np.lexsort((visible_from, day, unit))
    unit, day, visible_from = unit[order], day[order], visible_from[order]
    first = np.flatnonzero(changes(unit, day, visible_from)) if len(order) else order
    total = np.add.reduceat(values[counted][order], first) if len(first) else np.zeros(0, dtype=np.int64)
    return DailySums(unit[first], day[first], visible_from[first], total)


def _first_of_days(daily: DailySums) -> DailySums:
    """Return the rows that count each day once: by the row of it that is seen first."""
    return replace(daily, total=changes(daily.unit, daily.day).astype(np.int64))


def sums_over(daily: DailySums, unit: IntArray, as_of_day: IntArray, days: int) -> IntArray:
    """Return what is seen of the sums at each asked unit and day: what had appeared less what had gone."""
    gone = daily.day + days + 1
    is_seen = daily.visible_from < gone
    numbers = unit_days(daily.day, daily.visible_from, gone, as_of_day)
    asked = numbers.number(unit, as_of_day)

    def running(since: IntArray) -> IntArray:
        at = numbers.number(daily.unit[is_seen], since[is_seen])
        order = np.argsort(at, kind="stable")
        total = np.append(0, np.cumsum(daily.total[is_seen][order]))
        found: IntArray = total[np.searchsorted(at[order], asked, side="right")]
        return found

    return running(daily.visible_from) - running(gone)


def _days_since(daily: DailySums, unit: IntArray, as_of_day: IntArray, days: int) -> IntArray:
    """Return the days back to the last day that is seen at each asked unit and day, NONE where there is none."""
    numbers: UnitDays = unit_days(daily.day, daily.visible_from, as_of_day)
    appears = numbers.number(daily.unit, daily.visible_from)
    order = np.argsort(appears, kind="stable")
    latest = np.maximum.accumulate(numbers.number(daily.unit, daily.day)[order])
    place = np.searchsorted(appears[order], numbers.number(unit, as_of_day), side="right")
    # Before all others stands a day of nobody.
    of_unit, day = numbers.parts(np.append(-1, latest)[place])
    is_seen = (of_unit == unit) & (day >= as_of_day - days)
    return np.where(is_seen, as_of_day - day, NONE)
