"""Which decision earned an event, what each decision earned, and where events go that none earned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes, latest_rows
from conf.kernel.decisions import DecisionRows
from conf.kernel.points import NO_DECISION
from conf.kernel.stream import NO_ID, Stream, is_of_type

OUTCOMES: tuple[str, ...] = (
    "attributed",
    "outside_attribution_window",
    "unknown_decision",
    "no_earlier_decision",
    "late_refund",
    "refund_without_purchase",
    "recount",
)
ATTRIBUTED, OUTSIDE_WINDOW, UNKNOWN_DECISION, NO_EARLIER_DECISION, LATE_REFUND, REFUND_WITHOUT_PURCHASE, RECOUNT = (
    range(len(OUTCOMES))
)


@dataclass(frozen=True)
class AttributionRule:
    """Which decision an event belongs to.

    Attributes:
        link: `decision_id`, the decision that the event names; `last_touch`, the unit's latest earlier decision on the
            same item or category; `last_decision`, the unit's latest earlier decision, of the event's own period where
            decisions have periods; `itself`, the decision that the event is.
        key: of last touches: whether they go by item or by category; of decisions of products neither.
        window_us: how long after a decision its events come at most, microseconds.
        look_back_days: how many business days before the event a decision still counts as there.
        counted: canonical types of the events that rewards or metrics count.
        follows_purchases: refunds go where the purchases went that they take back, whatever the link.
        sets_recounts_aside: events that tell of a decision again are worth nothing to any.
    """

    link: Literal["decision_id", "last_touch", "last_decision", "itself"]
    key: Literal["item", "category", "quantity"]
    window_us: int
    look_back_days: int
    counted: tuple[str, ...]
    follows_purchases: bool = False
    sets_recounts_aside: bool = False

    @property
    def reach_days(self) -> int:
        """How many business days before an event can decide what becomes of it."""
        return self.look_back_days * (2 if self.follows_purchases else 1)


@dataclass(frozen=True)
class Touches:
    """Decisions that later events may be tied to, each column `(n_decisions,)` int64, in the stream's order.

    Attributes:
        unit: whose decision.
        time_us: its moment, UTC microseconds.
        day: its business day, days since the epoch.
        from_row: the first row of the stream that comes after it.
        link: what events tied to it name, 0 where nothing can.
        item: id hash of the item it showed, 0 none: of a slate's parts, which share a link, an event is tied to the one
            whose item it names.
    """

    unit: IntArray
    time_us: IntArray
    day: IntArray
    from_row: IntArray
    link: IntArray
    item: IntArray

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True)
class Attributed:
    """What became of the events that are counted, each column `(n_counted,)` int64, in the stream's order.

    Attributes:
        row: the event's row.
        decision: which of the touches earned it, NO_DECISION where none did.
        outcome: a place in OUTCOMES.
    """

    row: IntArray
    decision: IntArray
    outcome: IntArray


def attribute(stream: Stream, touches: Touches, link: IntArray, rule: AttributionRule) -> Attributed:
    """Return the counted events, each with its decision or the reason why it has none.

    The decision is the latest earlier one of the unit with the same link and item, or else with the same link, so that
    each event has at most one.

    Args:
        stream: the events.
        touches: the decisions, whatever clock they come from.
        link: what each row of the stream names among the touches' links, 0 nothing, `(n,)`.
        rule: which events, and how far back.
    """
    rows = np.flatnonzero(is_of_type(stream, *rule.counted))
    touch = latest_touch(touches, rows, stream.unit[rows], link[rows])
    if rule.link == "decision_id":
        touch = _of_slates(touches, stream, rows, link, touch, rule.look_back_days)
    has_touch = touch != NO_DECISION
    touched = touch[has_touch]
    is_known, is_in_time = np.zeros_like(has_touch), np.zeros_like(has_touch)
    is_known[has_touch] = touches.day[touched] >= stream.day[rows[has_touch]] - rule.look_back_days
    is_in_time[has_touch] = stream.time_us[rows[has_touch]] - touches.time_us[touched] <= rule.window_us
    names_decision = (stream.link[rows] != NO_ID) & (rule.link == "decision_id")
    without = np.where(names_decision, UNKNOWN_DECISION, NO_EARLIER_DECISION)
    outcome = np.where(is_known, np.where(is_in_time, ATTRIBUTED, OUTSIDE_WINDOW), without)
    return Attributed(rows, np.where(outcome == ATTRIBUTED, touch, NO_DECISION), outcome)


def touches_of(stream: Stream, decisions: DecisionRows, link: IntArray, rule: AttributionRule) -> Touches:
    """Return the decisions that are events of the stream, with their links `(n,)`."""
    rows = decisions.rows
    time_us, day, item = stream.time_us[rows], stream.day[rows], decisions.shown_item[rows]
    from_row = rows if rule.link == "itself" else rows + 1
    return Touches(stream.unit[rows], time_us, day, from_row=from_row, link=link[rows], item=item)


def links(stream: Stream, decisions: DecisionRows, rule: AttributionRule) -> IntArray:
    """Return what ties events to decisions, equal on both, 0 where a row names nothing, `(n,)`."""
    if rule.link == "itself":
        return np.where(decisions.is_decision, np.arange(1, len(stream) + 1), NO_ID)
    if rule.link == "last_decision":
        return np.ones(len(stream), dtype=np.int64) if decisions.period is None else _from_one(decisions.period)
    if rule.link == "decision_id":
        own = np.where(stream.link != NO_ID, stream.link, stream.own_link)
        return np.where(decisions.is_decision, own, stream.link)
    touched = stream.item if rule.key == "item" else stream.category
    return np.where(decisions.is_decision, decisions.action, touched)


def _from_one(numbers: IntArray) -> IntArray:
    return numbers - (int(numbers.min()) if len(numbers) else 0) + 1


def latest_touch(touches: Touches, rows: IntArray, unit: IntArray, link: IntArray) -> IntArray:
    """Return the latest touch before each of the rows with the row's unit and link, NO_DECISION without one."""
    n_touches = len(touches)
    place = np.concatenate([touches.from_row, rows])
    units, named = np.concatenate([touches.unit, unit]), np.concatenate([touches.link, link])
    is_touch = np.arange(len(place)) < n_touches
    # By link, then in the stream's order, in which a touch stands before the first row that comes after it.
    order = np.lexsort((~is_touch, place, named))
    latest = latest_rows(is_touch[order])
    touch = np.where(latest >= 0, order[latest], NO_DECISION)
    is_same_unit = units[touch] == units[order]
    is_tied = (touch != NO_DECISION) & is_same_unit & (named[touch] == named[order]) & (named[order] != NO_ID)
    found = np.empty(len(place), dtype=np.int64)
    found[order] = np.where(is_tied, touch, NO_DECISION)
    return found[n_touches:]


def _of_slates(
    touches: Touches, stream: Stream, rows: IntArray, link: IntArray, latest: IntArray, look_back_days: int
) -> IntArray:
    """Return the rows' latest touches, but where several share a link the latest of them that showed the row's item."""
    asked = np.flatnonzero((latest != NO_DECISION) & (stream.item[rows] != NO_ID))
    asked = asked[_is_shared(touches)[latest[asked]]] if len(asked) else asked
    if not len(asked):
        return latest
    row = rows[asked]
    both = _numbered(np.concatenate([touches.link, link[row]]), np.concatenate([touches.item, stream.item[row]]))
    by_item = replace(touches, link=both[: len(touches)])
    found = latest_touch(by_item, row, stream.unit[row], both[len(touches) :])
    # What is too long ago to be read for sure decides nothing.
    is_known = (found != NO_DECISION) & (touches.day[found] >= stream.day[row] - look_back_days)
    chosen = latest.copy()
    chosen[asked[is_known]] = found[is_known]
    return chosen


def _is_shared(touches: Touches) -> BoolArray:
    """Return True for touches whose unit has another one of the same link."""
    order = np.lexsort((touches.link, touches.unit))
    is_next = ~changes(touches.unit[order], touches.link[order])
    shared = np.zeros(len(touches), dtype=np.bool_)
    shared[order] = is_next | np.append(is_next[1:], False)
    return shared


def _numbered(*columns: IntArray) -> IntArray:
    """Return a number from 1 on for each row, equal where rows agree in every column."""
    order = np.lexsort(columns)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes(*(column[order] for column in columns)))
    return numbers
