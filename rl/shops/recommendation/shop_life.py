"""A shop that lives day by day, whoever decides what its shoppers are shown.

`simulate` plays all days at once under the shop's own rule. Here each decision is asked of somebody else, and what a
day leaves for later ones (visits that just ended, purchases still to come, lines still to be delivered) is kept in one
file between days, so that a life can go on after it was interrupted. The chance of a day follows from seed and day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conf.publication import write_atomically
from rl.data.logged_episodes import IntArray
from rl.errors import ShopError
from rl.shops.recommendation.business_calendar import DAY
from rl.shops.recommendation.canonical_lines import CURRENCY, WITH_QUANTITY, event_records, iso_times
from rl.shops.recommendation.delivery_dirt import DeliveredLine, LineKind
from rl.shops.recommendation.lockstep_sessions import LockstepSessions, Responses, SessionStarts
from rl.shops.recommendation.session_memory import NEVER, PURCHASE, REFUND, event_key
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shopper_population import Population, draw_population, draw_visit_times
from rl.shops.recommendation.simulate import FOLLOW_UPS, Simulation
from rl.shops.recommendation.visit_admission import DelayedEvents, admit

Record = dict[str, object]

_POPULATION, _VISITS = 11, 12
_FOLLOW_UP_NAMES = {rank: name.removesuffix("_time") for rank, name in FOLLOW_UPS}


@dataclass(frozen=True)
class Question:
    """A decision that somebody is asked for.

    Attributes:
        shopper: index of the shopper.
        time: of the decision, microseconds since the epoch.
        half_day: row of the shop's availability.
        seen: what the shopper did, and was shown, before; oldest first.
    """

    shopper: int
    time: int
    half_day: int
    seen: Sequence[Record]


@dataclass(frozen=True)
class Shown:
    """What a shopper is shown.

    Attributes:
        item: index in the catalogue.
        decision_id: which the shop's later events name.
        event: the decision as an event, as it is told to whoever decides next in the session.
        line: the decision as a line of the shop's own log; None where whoever decided logs it.
    """

    item: int
    decision_id: str
    event: Record
    line: Record | None = None


Decider = Callable[[Sequence[Question]], Sequence[Shown]]
"""Answers questions, one decision of many running sessions at a time, in their order."""


@dataclass(frozen=True)
class _Told:
    """An event as the shop's log tells it, with the day of its delivery."""

    delivery: int
    line: DeliveredLine


@dataclass
class ShopLife:
    """The life of a shop so far.

    Attributes:
        shop: whose settings say how many days there can be.
        population: its shoppers.
        day: the next business day to live.
    """

    shop: Shop
    population: Population
    day: int = 0
    _last_visit_end: IntArray = field(init=False)
    _delayed: DelayedEvents = field(default_factory=DelayedEvents)
    _told: list[_Told] = field(default_factory=list)
    _again: list[DeliveredLine] = field(default_factory=list)
    _seen: dict[int, list[tuple[int, Record]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last_visit_end = np.full(self.shop.settings.n_shoppers, np.iinfo(np.int64).min // 2)

    @classmethod
    def born(cls, shop: Shop) -> ShopLife:
        """Return the life of a shop before its first day."""
        return cls(shop, draw_population(shop, np.random.default_rng([shop.settings.seed, _POPULATION])))

    @classmethod
    def after(cls, simulation: Simulation, shop: Shop) -> ShopLife:
        """Return the life that goes on after days that were simulated at once.

        Args:
            simulation: of the days so far.
            shop: the same, with further days.
        """
        events = simulation.events
        life = cls(shop, simulation.population, simulation.shop.settings.n_days)
        is_delayed = (events.rank == PURCHASE) | (events.rank == REFUND)
        np.maximum.at(life._last_visit_end, events.shopper[~is_delayed], events.time[~is_delayed])
        keys = event_key(events.time, events.rank)
        life._delayed.add(events.shopper[is_delayed], keys[is_delayed], events.item[is_delayed])
        for record, time, is_late in zip(event_records(simulation), events.time.tolist(), events.is_late, strict=True):
            life._tell(record, time, is_late=bool(is_late))
        life._told = [one for one in life._told if one.delivery >= life.day]
        return life

    def live(self, decide: Decider) -> None:
        """Live the next day: everyone's first visit, then everyone's second, and so on.

        Raises:
            ShopError: the shop has no further day.
        """
        if self.day >= self.shop.settings.n_days:
            raise ShopError(f"the shop has {self.shop.settings.n_days} days, and lived them all")
        rng = np.random.default_rng([self.shop.settings.seed, _VISITS, self.day])
        start = self.shop.calendar.half_day_start(2 * self.day)
        self._delayed.forget_before(start)
        self._forget_seen_before(start - DAY)
        for time in draw_visit_times(self.shop, self.population, day=self.day, rng=rng):
            starts = self._admitted(time)
            if len(starts):
                self._visit(starts, decide, rng)
        self.day += 1

    @property
    def n_to_come(self) -> int:
        """Number of lines that later days deliver."""
        return len(self._told)

    def delivered(self) -> tuple[list[DeliveredLine], list[DeliveredLine]]:
        """Return the lines of the day lived last, and those of the day before that are delivered once more.

        Lines of purchases to come stay until their day.
        """
        last = self.day - 1
        due = [one.line for one in self._told if one.delivery <= last]
        self._told = [one for one in self._told if one.delivery > last]
        again, self._again = self._again, []
        return due, again

    def deliver_again(self, lines: Sequence[DeliveredLine]) -> None:
        """Keep lines that are delivered once more with the next day's."""
        self._again = list(lines)

    def save(self, path: Path) -> None:
        """Write what the days so far leave for later ones, replacing the file atomically."""
        content = {
            "day": self.day,
            "last_visit_end": self._last_visit_end.tolist(),
            "delayed": [getattr(self._delayed, name).tolist() for name in ("shopper", "key", "item")],
            "told": [[one.delivery, *_row(one.line)] for one in self._told],
            "again": [_row(line) for line in self._again],
            "seen": [[shopper, time, event] for shopper, found in self._seen.items() for time, event in found],
        }
        write_atomically(path, json.dumps(content))

    @classmethod
    def resumed(cls, shop: Shop, path: Path, population: Population | None = None) -> ShopLife:
        """Return the life that the file tells of; that of a newborn shop where there is no file.

        Args:
            shop: that lives.
            path: of the file.
            population: its shoppers, where they aren't those that the shop was born with.

        Raises:
            ShopError: the file isn't of such a shop.
        """
        life = cls.born(shop) if population is None else cls(shop, population)
        if not path.exists():
            return life
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            life.day = int(content["day"])
            life._last_visit_end = np.array(content["last_visit_end"], dtype=np.int64)
            life._delayed = DelayedEvents(*(np.array(values, dtype=np.int64) for values in content["delayed"]))
            life._told = [_Told(int(delivery), _line(*row)) for delivery, *row in content["told"]]
            life._again = [_line(*row) for row in content["again"]]
            for shopper, time, event in content["seen"]:
                life._seen.setdefault(int(shopper), []).append((int(time), event))
        except (KeyError, TypeError, ValueError) as error:
            raise ShopError(f"{path}: not what a shop's days leave ({error}); remove it to begin anew") from error
        if len(life._last_visit_end) != shop.settings.n_shoppers:
            n_told = len(life._last_visit_end)
            raise ShopError(f"{path}: of another shop, of {n_told} shoppers; remove it to begin anew")
        return life

    def _admitted(self, time: IntArray) -> SessionStarts:
        shopper = np.flatnonzero(time >= 0)
        key, item = self._delayed.of(shopper, self.shop.settings.n_shoppers)
        is_admitted, chain_start = admit(
            self.shop, time=time[shopper], last_visit_end=self._last_visit_end[shopper], delayed_key=key
        )
        in_session = key >= event_key(chain_start, 0)[:, None]
        starts = SessionStarts(
            shopper,
            self.population.taste[shopper],
            time[shopper],
            {},
            np.where(in_session, key, NEVER),
            np.where(in_session, item, -1),
        )
        return starts.take(np.flatnonzero(is_admitted))

    def _visit(self, starts: SessionStarts, decide: Decider, rng: np.random.Generator) -> None:
        sessions = LockstepSessions(self.shop, starts, rng)
        while sessions.session.size:
            questions = list(self._questions(sessions))
            shown = list(decide(questions))
            if len(shown) != len(questions):
                raise ShopError(f"{len(questions)} decisions were asked for, {len(shown)} came")
            responses = sessions.respond(np.array([one.item for one in shown], dtype=np.int64))
            self._remember(starts, responses, questions, shown, rng)

    def _questions(self, sessions: LockstepSessions) -> Iterator[Question]:
        half_days = self.shop.calendar.half_day(sessions.time).tolist()
        shoppers = sessions.starts.shopper[sessions.session].tolist()
        for shopper, time, half_day in zip(shoppers, sessions.time.tolist(), half_days, strict=True):
            seen = [event for at, event in sorted(self._seen.get(shopper, ()), key=_moment) if at < time]
            yield Question(shopper, time, half_day, seen)

    def _remember(
        self,
        starts: SessionStarts,
        responses: Responses,
        questions: Sequence[Question],
        shown: Sequence[Shown],
        rng: np.random.Generator,
    ) -> None:
        shopper, late_rate = starts.shopper[responses.session], self.shop.settings.dirt.late_rate
        quantity = 1 + (rng.random(len(shown)) < 0.12).astype(np.int64)
        for question, one in zip(questions, shown, strict=True):
            self._seen.setdefault(question.shopper, []).append((question.time, one.event))
            if one.line is not None:
                self._tell(one.line, question.time, is_late=bool(rng.random() < late_rate))
        np.maximum.at(self._last_visit_end, shopper, responses.time)
        for rank, name in FOLLOW_UPS:
            times = getattr(responses, name)
            rows = np.flatnonzero(times != NEVER)
            for row in rows.tolist():
                told = self._follow_up(rank, shown[row], int(times[row]))
                self._seen.setdefault(int(shopper[row]), []).append((int(times[row]), told))
                line = told | {"user_id": shopper_id(int(shopper[row])), "currency": CURRENCY}
                if rank in WITH_QUANTITY:
                    line["quantity"] = int(quantity[row])
                self._tell(line, int(times[row]), is_late=bool(rng.random() < late_rate))
            if rank in (PURCHASE, REFUND):
                self._delayed.add(shopper[rows], event_key(times[rows], rank), responses.item[rows])
            else:
                np.maximum.at(self._last_visit_end, shopper[rows], times[rows])

    def _follow_up(self, rank: int, shown: Shown, time: int) -> Record:
        catalogue, name = self.shop.catalogue, _FOLLOW_UP_NAMES[rank]
        return {
            "event_id": f"{shown.decision_id}-{name}",
            "event_time": iso_times(np.array([time], dtype=np.int64))[0],
            "event_type": name,
            "item_id": catalogue.item_ids[shown.item],
            "category_id": catalogue.category_ids[catalogue.category[shown.item]],
            "decision_id": shown.decision_id,
            "price": float(catalogue.price_cents[shown.item]) / 100,
        }

    def _tell(self, record: Record, time: int, *, is_late: bool) -> None:
        day = int(self.shop.calendar.day(np.array([time], dtype=np.int64))[0]) + is_late
        self._told.append(_Told(day, DeliveredLine("late" if is_late else "on_time", json.dumps(record), time)))

    def _forget_seen_before(self, time: int) -> None:
        for shopper in list(self._seen):
            kept = [one for one in self._seen[shopper] if one[0] >= time]
            if kept:
                self._seen[shopper] = kept
            else:
                del self._seen[shopper]


def shopper_id(shopper: int) -> str:
    """Return the shopper's id in the shop's logs."""
    return f"shopper-{shopper:05d}"


def _moment(seen: tuple[int, Record]) -> int:
    return seen[0]


def _row(line: DeliveredLine) -> list[object]:
    return [line.kind, line.text, line.time]


def _line(kind: LineKind, text: str, time: int) -> DeliveredLine:
    return DeliveredLine(kind, text, int(time))
