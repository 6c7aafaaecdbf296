"""What a pipeline would show of played shoppers at their next decision: by the kernel, from what deliveries told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.calendar import Calendar, calendar_of, day_number
from conf.kernel.decisions import decisions
from conf.kernel.stream import NO_ID, NO_NUMBER, STREAM_COLUMNS, Stream, stream_of, total_order
from conf.kernel.transitions import Rules, observations
from rl.data.logged_episodes import IntArray
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.log_events import Columns, NaturalKeys, log_events
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.told_attributes import told_attributes
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from rl.shops.promotion.week_responses import NEVER, WeekResponses

_NO_OPT_OUTS = np.zeros((0, 2), dtype=np.int64)


@dataclass
class LogMemory:
    """What the deliveries have told of the shoppers of a batch so far.

    Attributes:
        rules: of the pipeline that reads them.
        zone: of its business days.
        events: of the latest weeks, the oldest first; what no feature can reach is forgotten.
        opt_outs: shopper and moment of each opt-out, `(n, 2)` a week.
    """

    rules: Rules
    zone: str
    events: list[Columns] = field(default_factory=list)
    opt_outs: list[IntArray] = field(default_factory=list)

    def branched(self) -> LogMemory:
        """Return a memory that goes on by itself."""
        return LogMemory(self.rules, self.zone, list(self.events), list(self.opt_outs))

    def take_in(self, weeks: LockstepWeeks, played: WeekResponses) -> None:
        """Remember what the deliveries tell of a week that was played."""
        self.events.append(log_events(weeks, played, NaturalKeys.of(weeks.shop)))
        del self.events[: -self._n_weeks]
        out = np.flatnonzero(played.opt_out_time != NEVER)
        self.opt_outs.append(np.stack([played.row[out], played.opt_out_time[out]], axis=1))

    def observe(self, weeks: LockstepWeeks) -> Columns:
        """Return the features that the rules name, of the shoppers who are there, at the decision that is next.

        The decision stands in the stream as it will in the log, so that whatever a feature sees of it, it sees here.
        Events of one type at one instant (the lines of a cart) stand in no certain order, which lists of the latest
        items or categories of a running episode would show.

        Returns:
            By name, `(n,)` or `(n, length)`, shoppers in the order of `present`.
        """
        asked = _asked(weeks)
        calendar = self._calendar(weeks.shop)
        stream = _stream([*self.events, asked])
        visits = self.rules.clock.visits(stream, self.rules.session, calendar)
        decided = decisions(stream, self.rules.decision)
        is_asked = stream.link == _ASKED
        points = self.rules.clock.points(
            stream,
            visits,
            decided,
            calendar=calendar,
            span=np.unique(visits.day[visits.number[is_asked]]),
            watermark_us=calendar.end_us,
        )
        told = told_attributes(weeks.shop, weeks.population, np.concatenate([_NO_OPT_OUTS, *self.opt_outs]))
        found = observations(stream, decided, points, self.rules, attributes=told)
        own = np.zeros(len(points), dtype=np.bool_)
        own[points.is_decision] = is_asked[decided.rows[points.decision[points.is_decision]]]
        return {name: values[own] for name, values in found.items()}

    @cached_property
    def _n_weeks(self) -> int:
        """How many past weeks features can reach: their windows, or the running block, one more for late lines."""
        longest = max([self.rules.history_days, *[window.days for window in self.rules.windows.values()]])
        block = getattr(self.rules.clock, "weeks", 1)
        return int(max(-(-longest // DAYS_A_WEEK), block)) + 1

    def _calendar(self, shop: Shop) -> Calendar:
        first = day_number(shop.settings.first_monday)
        return calendar_of(self.zone, first - DAYS_A_WEEK, first + len(shop.calendar.day_starts))


_ASKED = -1
"""Code of the decisions that are about to be made: links of made ones are above 0."""


def _asked(weeks: LockstepWeeks) -> Columns:
    """Return the decisions that are about to be made, as events that name no action yet."""
    row, settings = weeks.present(), weeks.shop.settings
    rank = np.full(len(row), EVENT_TYPE_RANK["impression"], dtype=np.int64)
    day = np.full(len(row), day_number(settings.first_monday) + weeks.week * DAYS_A_WEEK, dtype=np.int64)
    found = dict.fromkeys(STREAM_COLUMNS, np.full(len(row), NO_ID))
    found |= dict.fromkeys(("price", "amount", "cost", "discount", "position"), np.full(len(row), NO_NUMBER))
    time = np.full(len(row), weeks.shop.calendar.decision_time(weeks.week), dtype=np.int64)
    found |= {"unit": row, "time_us": time, "rank": rank, "type": rank, "day": day, "delivery_day": day}
    return found | {"link": np.full(len(row), _ASKED), "consent": np.ones(len(row), dtype=np.int64)}


def _stream(parts: list[Columns]) -> Stream:
    columns = {name: np.concatenate([part[name] for part in parts]) for name in STREAM_COLUMNS}
    order = total_order(
        unit=columns["unit"],
        time_us=columns["time_us"],
        rank=columns["rank"],
        event=np.arange(len(columns["unit"])),
    )
    return stream_of({name: values[order] for name, values in columns.items()})
