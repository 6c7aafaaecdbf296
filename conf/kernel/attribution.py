"""Which decision earned an event, what each decision earned, and where events go that none earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import BoolArray, IntArray, latest_rows
from conf.kernel.decisions import Decisions
from conf.kernel.points import NO_DECISION
from conf.kernel.stream import NO_ID, Stream, is_of_type

OUTCOMES: tuple[str, ...] = (
    "attributed",
    "outside_attribution_window",
    "unknown_decision",
    "no_earlier_decision",
)
ATTRIBUTED, OUTSIDE_WINDOW, UNKNOWN_DECISION, NO_EARLIER_DECISION = range(len(OUTCOMES))


@dataclass(frozen=True)
class AttributionRule:
    """Which decision an event belongs to.

    Attributes:
        link: `decision_id`, the decision that the event names; `last_touch`, the unit's latest earlier decision on the
            same item or category.
        key: of last touches: whether they go by item or by category.
        window_us: how long after a decision its events come at most, microseconds.
        look_back_days: how many business days before the event a decision still counts as there.
        counted: canonical types of the events that rewards or metrics count.
    """

    link: Literal["decision_id", "last_touch"]
    key: Literal["item", "category"]
    window_us: int
    look_back_days: int
    counted: tuple[str, ...]


@dataclass(frozen=True)
class Attributed:
    """What became of the events that are counted, each column `(n_counted,)` int64, in the stream's order.

    Attributes:
        row: the event's row.
        decision: which of the stream's decisions earned it, NO_DECISION where none did.
        outcome: a place in OUTCOMES.
    """

    row: IntArray
    decision: IntArray
    outcome: IntArray


def attribute(stream: Stream, decisions: Decisions, rule: AttributionRule) -> Attributed:
    """Return the counted events, each with its decision or the reason why it has none.

    The decision is the latest earlier one of the unit with the same link, so that each event has at most one.
    """
    rows = np.flatnonzero(is_of_type(stream, *rule.counted))
    touch = _latest_touch(stream, decisions, rows, links(stream, decisions, rule))
    touched = decisions.rows[touch] if len(decisions) else np.zeros_like(rows)
    is_known = (touch != NO_DECISION) & (stream.day[touched] >= stream.day[rows] - rule.look_back_days)
    is_in_time = stream.time_us[rows] - stream.time_us[touched] <= rule.window_us
    names_decision = (stream.link[rows] != NO_ID) & (rule.link == "decision_id")
    without = np.where(names_decision, UNKNOWN_DECISION, NO_EARLIER_DECISION)
    outcome = np.where(is_known, np.where(is_in_time, ATTRIBUTED, OUTSIDE_WINDOW), without)
    return Attributed(rows, np.where(outcome == ATTRIBUTED, touch, NO_DECISION), outcome)


def links(stream: Stream, decisions: Decisions, rule: AttributionRule) -> IntArray:
    """Return what ties events to decisions, equal on both, 0 where a row names nothing, `(n,)`."""
    if rule.link == "decision_id":
        own = np.where(stream.link != NO_ID, stream.link, stream.own_link)
        return np.where(decisions.is_decision, own, stream.link)
    touched = stream.item if rule.key == "item" else stream.category
    return np.where(decisions.is_decision, decisions.action, touched)


def counts_earned(stream: Stream, decisions: Decisions, attributed: Attributed) -> IntArray:
    """Return how many events of each canonical type each decision earned, `(n_decisions, n_types)`."""
    n_types = len(EVENT_TYPE_RANK)
    earned = attributed.outcome == ATTRIBUTED
    cells = attributed.decision[earned] * n_types + stream.type[attributed.row[earned]]
    return np.bincount(cells, minlength=len(decisions) * n_types).reshape(len(decisions), n_types)


def _latest_touch(stream: Stream, decisions: Decisions, rows: IntArray, link: IntArray) -> IntArray:
    """Return the latest decision before each of the rows with its unit and link, NO_DECISION without one."""
    n_decisions = len(decisions)
    row = np.concatenate([decisions.rows, rows])
    is_touch = np.arange(len(row)) < n_decisions
    # By link, then in the stream's order, in which an event that is a decision itself stands before its own touch.
    order = np.lexsort((is_touch, row, link[row]))
    latest = latest_rows(is_touch[order])
    touch = np.where(latest >= 0, order[latest], NO_DECISION)
    found = np.empty(len(row), dtype=np.int64)
    found[order] = np.where(_is_same(touch, order, row, stream, link), touch, NO_DECISION)
    return found[n_decisions:]


def _is_same(touch: IntArray, place: IntArray, row: IntArray, stream: Stream, link: IntArray) -> BoolArray:
    """Return True where the touch is of the row's unit and link, and the link names something."""
    touched, own = row[touch], row[place]
    is_same_unit = stream.unit[touched] == stream.unit[own]
    same: BoolArray = (touch != NO_DECISION) & is_same_unit & (link[touched] == link[own]) & (link[own] != NO_ID)
    return same
