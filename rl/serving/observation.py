"""Observations of decisions that are about to be made, by the kernel that makes those of the training data.

A request's events become a stream with one more row, the decision itself; what stands before it in the total order is
what the decision sees. Sessions are cut by the kernel's rule too, so a caller may send more than the running session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import MICROS_PER_DAY, IntArray, spread
from conf.kernel.calendar import Calendar, calendar_of
from conf.kernel.decisions import decisions
from conf.kernel.points import DECISION, NO_END, Points
from conf.kernel.sessions import sessions
from conf.kernel.stream import NO_ID, NO_NUMBER, STREAM_COLUMNS, Stream, stream_of
from conf.kernel.told import Told, known_categories
from conf.kernel.transitions import observations
from conf.kernel_rules import rules_of
from conf.observation_features import id_hash
from conf.specs.scenario import Pipeline
from rl.serving.histories import History, attributes_of, daily_counts_of

SIGHT_US = 4 * MICROS_PER_DAY
"""Earlier events can't be of the running session: it starts two business days before its last event at most."""

_DAYS_A_CALENDAR = 64


@dataclass(frozen=True)
class SeenEvent:
    """What a shopper did, or was shown, before a decision.

    Attributes:
        event_type: canonical type.
        time_us: UTC microseconds.
        event_id: settles the order of equal types at one instant; empty where the caller doesn't know it.
        item: natural key; None where there is none, as for category and action.
        category: natural key.
        action: natural key of what a logged decision chose.
        price: of one piece in millionths; None where there is none.
        decision_id: of a logged decision; the same decision told again on one day counts once.
        position: of a logged decision in its slate; None where there is none.
    """

    event_type: str
    time_us: int
    event_id: str = ""
    item: str | None = None
    category: str | None = None
    action: str | None = None
    price: int | None = None
    decision_id: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class Moment:
    """A decision that is about to be made.

    Attributes:
        time_us: UTC microseconds.
        event_id: under which it will be logged.
        events: what the caller saw of the shopper, in any order; later ones are left unseen.
        history: what is known of the shopper's earlier days, and was told of the shopper.
    """

    time_us: int
    event_id: str
    events: Sequence[SeenEvent]
    history: History


class ObservationMaker:
    """Makes the observations of a scenario on a source.

    Attributes:
        items: what was told of items' categories, by item, for events that name none; None where they have none then.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.items: Told | None = None
        self._rules = rules_of(pipeline)
        self._zone = pipeline.source.zone

    def observe(self, moments: Sequence[Moment]) -> dict[str, IntArray]:
        """Return the features at the moments by name, `(n_moments,)` or `(n_moments, length)`."""
        last_us = max((moment.time_us for moment in moments), default=0)
        first_us = min((moment.time_us for moment in moments), default=0)
        calendar = _calendar(self._zone, first_us, last_us)
        stream, row = self._stream(moments, calendar)
        decided = decisions(stream, self._rules.decision)
        in_session = sessions(stream, self._rules.session)
        points = _points(stream, row, in_session.starts[in_session.number[row]], calendar)
        histories = [moment.history for moment in moments]
        attributes = attributes_of(histories) if self._rules.attributes else None
        return observations(stream, decided, points, self._rules, daily_counts_of(histories), attributes)

    def business_day(self, time_us: int) -> int:
        """Return the business day of a moment, days since the epoch."""
        return int(_calendar(self._zone, time_us, time_us).day(np.array([time_us], dtype=np.int64))[0])

    def _stream(self, moments: Sequence[Moment], calendar: Calendar) -> tuple[Stream, IntArray]:
        """Return the events of all moments with the decisions among them, and the rows of these, `(n_moments,)`."""
        own_type = self._rules.decision.event_type
        units, kept, rows = list[int](), list[SeenEvent](), list[int]()
        for unit, moment in enumerate(moments):
            own = SeenEvent(own_type, moment.time_us, moment.event_id)
            seen = [
                event for event in moment.events if event.time_us > moment.time_us - SIGHT_US and _is_before(event, own)
            ]
            seen.sort(key=_place)
            kept += [*seen, own]
            units += [unit] * (len(seen) + 1)
            rows.append(len(kept) - 1)
        time_us = np.array([event.time_us for event in kept], dtype=np.int64)
        rank = np.array([EVENT_TYPE_RANK[event.event_type] for event in kept], dtype=np.int64)
        day, item = calendar.day(time_us), _ids([event.item for event in kept])
        category = _ids([event.category for event in kept])
        columns = {name: np.zeros(len(kept), dtype=np.int64) for name in STREAM_COLUMNS} | {
            "unit": np.array(units, dtype=np.int64),
            "time_us": time_us,
            "rank": rank,
            "type": rank,
            "day": day,
            "item": item,
            "category": category,
            "known_category": self._known_categories(item, category, time_us, day),
            "action": _ids([event.action for event in kept]),
            "price": _numbers([event.price for event in kept]),
            "position": _numbers([event.position for event in kept]),
            "link": _ids([event.decision_id for event in kept]),
            "consent": np.ones(len(kept), dtype=np.int64),
        }
        return stream_of(columns), np.array(rows, dtype=np.int64)

    def _known_categories(self, item: IntArray, category: IntArray, time_us: IntArray, day: IntArray) -> IntArray:
        """Return the events' categories, or else those of their items as told by then."""
        asked = np.unique(item[category == NO_ID])
        if self.items is None or not len(asked):
            return category
        return known_categories(_rows_of(self.items, asked), item, category, time_us, day)


def _rows_of(told: Told, keys: IntArray) -> Told:
    """Return the rows of some keys, each once, of rows that are ordered by key: few of many."""
    first, end = (np.searchsorted(told.key, keys, side=side) for side in ("left", "right"))
    rows = spread(first, end - first)
    return Told(**{name: column[rows] for name, column in vars(told).items()})


def _place(event: SeenEvent) -> tuple[int, int, str]:
    """Return where an event stands in the total order."""
    return event.time_us, EVENT_TYPE_RANK[event.event_type], event.event_id


def _is_before(event: SeenEvent, own: SeenEvent) -> bool:
    return _place(event) < _place(own)


def _points(stream: Stream, row: IntArray, first_row: IntArray, calendar: Calendar) -> Points:
    """Return a point at each of the rows, which sees its session up to before the row."""
    time_us = stream.time_us[row]
    local_us, nothing = calendar.local_us(time_us), np.zeros(len(row), dtype=np.int64)
    return Points(
        unit=stream.unit[row],
        time_us=time_us,
        local_us=local_us,
        as_of_day=local_us // MICROS_PER_DAY,
        first_row=first_row,
        row_end=row,
        kind=nothing + DECISION,
        decision=nothing,
        episode=nothing,
        step=nothing,
        end=nothing + NO_END,
    )


def _calendar(zone: str, first_us: int, last_us: int) -> Calendar:
    """Return a calendar of the moments and of what they can see; one of few, so that it is seldom made anew."""
    first = (first_us - SIGHT_US) // MICROS_PER_DAY // _DAYS_A_CALENDAR * _DAYS_A_CALENDAR
    last = (last_us // MICROS_PER_DAY // _DAYS_A_CALENDAR + 1) * _DAYS_A_CALENDAR
    return calendar_of(zone, first, last)


def _ids(keys: Sequence[str | None]) -> IntArray:
    return np.array([NO_ID if key is None else _hashed(key) for key in keys], dtype=np.int64)


def _numbers(given: Sequence[int | None]) -> IntArray:
    return np.array([NO_NUMBER if number is None else number for number in given], dtype=np.int64)


_hashed = lru_cache(maxsize=200_000)(id_hash)
