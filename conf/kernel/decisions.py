"""Which events are decisions, what they chose and showed, and what ties later events to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray, changes
from conf.kernel.stream import NO_ID, Stream, is_of_type


@dataclass(frozen=True)
class Quantities:
    """How ordered units become actions, ascending.

    Attributes:
        least: units of each action, the first 0.
        keys: natural keys.
        actions: id hashes of these.
    """

    least: tuple[int, ...]
    keys: tuple[str, ...]
    actions: tuple[int, ...]


@dataclass(frozen=True)
class DecisionRule:
    """What counts as a decision.

    Attributes:
        event_type: canonical type of its event.
        key: what the action's natural key is: the event's `action` (or else its item), its category, or how many
            units were ordered.
        is_logged: True where decisions were logged, False where an event is read as if it had been one.
        quantities: how units become actions, of decisions of products.
    """

    event_type: str
    key: Literal["item", "category", "quantity"]
    is_logged: bool
    quantities: Quantities = field(default_factory=lambda: Quantities((), (), ()))


@dataclass(frozen=True)
class DecisionRows:
    """The decisions among a stream's rows.

    Attributes:
        is_decision: `(n,)`.
        is_repeated: True for the events that tell of an earlier row's decision once more, and so are none, `(n,)`.
        action: id hash of what each decision chose, 0 where it names nothing or is none, `(n,)`.
        shown_item: id hash of the item each decision showed, 0 none, `(n,)`.
        rows: the rows that are decisions, ascending, `(n_decisions,)`.
        period: of each row, `(n,)`, where a decision's events are those of its own period alone; None elsewhere.
    """

    is_decision: BoolArray
    is_repeated: BoolArray
    action: IntArray
    shown_item: IntArray
    rows: IntArray
    period: IntArray | None = None

    def __len__(self) -> int:
        return len(self.rows)


def decisions(stream: Stream, rule: DecisionRule) -> DecisionRows:
    """Return the decisions of the stream."""
    is_told = is_of_type(stream, rule.event_type)
    is_repeated = _tells_again(stream, is_told) if rule.is_logged else np.zeros_like(is_told)
    is_decision = is_told & ~is_repeated
    action = np.where(is_decision, _chosen(stream, rule), NO_ID)
    shows_action = rule.is_logged and rule.key == "item"
    shown = action if shows_action else np.where(is_decision, stream.item, NO_ID)
    return DecisionRows(is_decision, is_repeated, action=action, shown_item=shown, rows=np.flatnonzero(is_decision))


def _tells_again(stream: Stream, is_told: BoolArray) -> BoolArray:
    """Return True where an earlier row of the unit's business day has the same decision id, item and position, `(n,)`.

    A slate's parts share its id, and differ in item or position. Days beyond don't matter, so that what a day's
    decisions are depends on no other day.
    """
    rows = np.flatnonzero(is_told & (stream.link != NO_ID))
    shown = np.where(stream.action != NO_ID, stream.action, stream.item)
    keys = [column[rows] for column in (stream.unit, stream.day, stream.link, shown, stream.position)]
    # Stable: rows with equal keys stay in the stream's order.
    order = np.lexsort(keys)
    found = np.zeros(len(stream), dtype=np.bool_)
    if len(rows):
        found[rows[order]] = ~changes(*(key[order] for key in keys))
    return found


def _chosen(stream: Stream, rule: DecisionRule) -> IntArray:
    """Return what each row would choose as a decision, `(n,)`.

    A logged category decision may name its category in `action` alone; an `action` beside a category is finer than
    the category (an item), so the category comes first.
    """
    if rule.key == "item":
        return np.where(stream.action != NO_ID, stream.action, stream.item)
    if rule.is_logged:
        return np.where(stream.category != NO_ID, stream.category, stream.action)
    return stream.category
