"""Sessions as they run: a step of each at every decision, with what followed it before the session ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.event_types import ENGAGEMENT_TYPES, EVENT_TYPE_RANK
from conf.kernel.arrays import MICROS_PER_DAY, IntArray, counts_before
from conf.kernel.calendar import calendar_of
from conf.kernel.decisions import DecisionRows
from conf.kernel.points import DECISION, NO_END, Points
from conf.kernel.session_features import session_features
from conf.kernel.sessions import SessionRule, Sessions, sessions
from conf.kernel.stream import STREAM_COLUMNS, Stream, is_of_type, stream_of, total_order
from rl.shopper_models.daily_activity import FloatArray


@dataclass(frozen=True)
class RunningSessions:
    """Sessions of shoppers, whole, by the kernel's rule.

    Attributes:
        shoppers: ids of shoppers, ascending; the stream's units index them.
        stream: their events.
        sessions: of the stream.
        step_types: canonical types of the events at which a session is looked at.
        zone: of business days.
    """

    shoppers: tuple[str, ...]
    stream: Stream
    sessions: Sessions
    step_types: tuple[str, ...]
    zone: str

    def steps_on(self, days: IntArray) -> SessionSteps:
        """Return the steps of the sessions that start on the business days, in the stream's order."""
        is_step = is_of_type(self.stream, *self.step_types)
        is_asked = np.isin(self.sessions.day, days)[self.sessions.number] if len(self.stream) else is_step
        return SessionSteps(self, np.flatnonzero(is_step & is_asked))

    def n_starting_after(self, day: int) -> int:
        """Return how many shoppers have a session that starts later than the business day."""
        first = self.sessions.starts[:-1][self.sessions.day > day]
        return len(np.unique(self.stream.unit[first]))


@dataclass(frozen=True)
class SessionSteps:
    """Steps of sessions.

    Attributes:
        of: all sessions.
        row: of each step's event in the stream, `(n,)`; what it tells isn't known at the step.
    """

    of: RunningSessions
    row: IntArray

    @property
    def shopper(self) -> IntArray:
        """Index of each step's shopper among the sessions' shoppers, `(n,)`."""
        return self.of.stream.unit[self.row]

    @property
    def day(self) -> IntArray:
        """Business day on which each step's session started, `(n,)`."""
        return self.of.sessions.day[self.of.sessions.number[self.row]]

    def features(self, names: tuple[str, ...]) -> dict[str, FloatArray]:
        """Return features of the running session before each step, `(n,)` each; NaN where there is none."""
        stream, none = self.of.stream, np.zeros(len(self.of.stream), dtype=np.int64)
        is_step = is_of_type(stream, *self.of.step_types)
        decided = DecisionRows(is_step, np.zeros_like(is_step), none, none, np.flatnonzero(is_step))
        found = session_features(stream, decided, self._points(), dict.fromkeys(names))
        return {name: np.where(values < 0, np.nan, values.astype(np.float64)) for name, values in found.items()}

    def is_bought(self) -> FloatArray:
        """Return 1 where a purchase follows the step before its session ends, else 0, `(n,)`."""
        before = counts_before(is_of_type(self.of.stream, "purchase"))
        end = self.of.sessions.starts[self.of.sessions.number[self.row] + 1]
        found: FloatArray = (before[end] - before[self.row] > 0).astype(np.float64)
        return found

    def _points(self) -> Points:
        stream, n = self.of.stream, np.zeros(len(self.row), dtype=np.int64)
        time_us = stream.time_us[self.row]
        days = stream.day[self.row]
        local_us = calendar_of(self.of.zone, int(days.min()), int(days.max())).local_us(time_us) if len(n) else n
        number = self.of.sessions.number[self.row]
        return Points(
            unit=stream.unit[self.row],
            time_us=time_us,
            local_us=local_us,
            as_of_day=local_us // MICROS_PER_DAY,
            first_row=self.of.sessions.starts[number],
            row_end=self.row,
            kind=n + DECISION,
            decision=n,
            episode=number,
            step=n,
            end=n + NO_END,
        )


def running_sessions(
    columns: Mapping[str, npt.NDArray[Any]], rule: SessionRule, *, step_types: tuple[str, ...], zone: str
) -> RunningSessions:
    """Return the sessions of events.

    Args:
        columns: of events, each `(n,)`: `user_id`, `event_type` and `event_id` text, `time_us` (UTC microseconds),
            `day` and `delivery_day` (days since the epoch). Events of nobody, and what the shop does but for steps,
            are left out.
        rule: what ends a session.
        step_types: canonical types of the events at which a session is looked at.
        zone: of business days.
    """
    kept = np.isin(columns["event_type"], [*ENGAGEMENT_TYPES, *step_types]) & (columns["user_id"] != "")
    shoppers, unit = np.unique(columns["user_id"][kept].astype(str), return_inverse=True)
    _, event = np.unique(columns["event_id"][kept].astype(str), return_inverse=True)
    names, place = np.unique(columns["event_type"][kept].astype(str), return_inverse=True)
    rank = np.array([EVENT_TYPE_RANK[str(name)] for name in names], dtype=np.int64)[place] if len(names) else place
    time_us = columns["time_us"][kept].astype(np.int64)
    order = total_order(unit=unit.astype(np.int64), time_us=time_us, rank=rank, event=event.astype(np.int64))
    told = {"unit": unit, "time_us": time_us, "rank": rank, "type": rank}
    told |= {name: columns[name][kept] for name in ("day", "delivery_day")}
    nothing = np.zeros(len(order), dtype=np.int64)
    stream = stream_of({**dict.fromkeys(STREAM_COLUMNS, nothing), **{name: one[order] for name, one in told.items()}})
    return RunningSessions(tuple(str(one) for one in shoppers), stream, sessions(stream, rule), step_types, zone)
