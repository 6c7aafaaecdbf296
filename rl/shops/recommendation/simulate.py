"""A shop's days under its behavior policy: every event, and every decision as a perfect reader of the log sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.recommendation.delivered_history import DeliveredHistory
from rl.shops.recommendation.lockstep_sessions import (
    LockstepSessions,
    Probabilities,
    Responses,
    SessionStarts,
    concatenate_responses,
    draw_actions,
)
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.session_memory import CART, CLICK, IMPRESSION, NEVER, PURCHASE, REFUND, Columns, event_key
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shopper_population import Population, draw_population, draw_visit_times
from rl.shops.recommendation.visit_admission import DelayedEvents, admit

_DAYS = 2
FOLLOW_UPS = ((CLICK, "click_time"), (CART, "cart_time"), (PURCHASE, "purchase_time"), (REFUND, "refund_time"))


@dataclass
class SimulatedEvents:
    """Events, `(n_events,)` each; `decision` is the row of the decision that caused the event (its own, if one)."""

    time: IntArray
    rank: IntArray
    shopper: IntArray
    item: IntArray
    quantity: IntArray
    decision: IntArray
    is_late: BoolArray


@dataclass
class PlayedSessions:
    """Sessions played to their end: the rows of a session in step order, sessions in the order of their starts.

    Attributes:
        starts: the sessions' starts.
        responses: every decision with what followed, `(n,)`; `session` is an index into `starts`.
        propensity: probability with which the item was chosen, `(n,)`.
        observation: exact features, `(n,)` and `(n, length)`; empty unless asked for.
    """

    starts: SessionStarts
    responses: Responses
    propensity: FloatArray
    observation: Columns


@dataclass
class Simulation:
    """Days of a shop.

    Attributes:
        shop: the shop.
        population: its shoppers.
        played: all sessions, in the order of visits day by day; rows of a session contiguous.
        events: all events, a decision's follow-ups after the decisions; beyond the last day too.
    """

    shop: Shop
    population: Population
    played: PlayedSessions
    events: SimulatedEvents


def play(
    shop: Shop, starts: SessionStarts, probabilities: Probabilities, *, rng: np.random.Generator, is_observed: bool
) -> PlayedSessions:
    """Play every session to its end under the policy over the shop's items, and return the sessions.

    Args:
        shop: the shop.
        starts: sessions about to start.
        probabilities: the policy over the catalogue's items; sees empty observations unless `is_observed`.
        rng: source of all chance.
        is_observed: whether features are computed, for the policy and for the record.
    """
    sessions = LockstepSessions(shop, starts, rng)
    responses: list[Responses] = []
    propensities: list[FloatArray] = []
    observations: list[Columns] = []
    while sessions.session.size:
        observation = sessions.observe() if is_observed else {}
        mask = sessions.mask()
        chances = probabilities(observation, mask)
        item = draw_actions(chances, mask, rng)
        propensities.append(chances[np.arange(len(item)), item])
        observations.append(observation)
        responses.append(sessions.respond(item))
    together = concatenate_responses(responses)
    order = np.lexsort((together.step, together.session))
    columns = {name: np.concatenate([part[name] for part in observations])[order] for name in observations[0]}
    return PlayedSessions(starts, _take(together, order), np.concatenate(propensities)[order], columns)


def simulated_population(shop: Shop) -> Population:
    """Return the shoppers of the days that `simulate` plays, however many these are."""
    return draw_population(shop, np.random.default_rng([shop.settings.seed, _DAYS]))


def simulate(shop: Shop, *, is_observed: bool = True) -> Simulation:
    """Simulate the shop's days from first to last under the behavior policy; equal settings give equal days.

    Raises:
        ShopError: not one visit took place.
    """
    rng = np.random.default_rng([shop.settings.seed, _DAYS])
    population = draw_population(shop, rng)
    days = _Days(shop, population, rng)
    visits = [played for day in range(shop.settings.n_days) for played in days.visits_of(day, is_observed=is_observed)]
    if not visits:
        raise ShopError(
            f"nobody came in {shop.settings.n_days} days of {shop.settings.n_shoppers} shoppers; "
            "expected more shoppers, days or visits per day"
        )
    return Simulation(shop, population, _joined(visits), _joined_events(days.events))


class _Days:
    """Visits day by day, with what they leave for later ones."""

    def __init__(self, shop: Shop, population: Population, rng: np.random.Generator) -> None:
        self.shop, self.population, self.rng = shop, population, rng
        self.history = DeliveredHistory.empty(shop)
        self.delayed = DelayedEvents()
        self.last_visit_end = np.full(shop.settings.n_shoppers, np.iinfo(np.int64).min // 2)
        self.behavior = logging_policy(shop)
        self.events: list[SimulatedEvents] = []
        self.n_decisions = 0

    def visits_of(self, day: int, *, is_observed: bool) -> Iterator[PlayedSessions]:
        """Play the day's visits and return them: everyone's first, then everyone's second, and so on."""
        self.delayed.forget_before(self.shop.calendar.half_day_start(2 * day))
        for time in draw_visit_times(self.shop, self.population, day=day, rng=self.rng):
            starts = self._admitted(day, time)
            if len(starts):
                played = play(self.shop, starts, self.behavior, rng=self.rng, is_observed=is_observed)
                self._remember(played)
                yield played

    def _admitted(self, day: int, time: IntArray) -> SessionStarts:
        shopper = np.flatnonzero(time >= 0)
        key, item = self.delayed.of(shopper, self.shop.settings.n_shoppers)
        is_admitted, chain_start = admit(
            self.shop, time=time[shopper], last_visit_end=self.last_visit_end[shopper], delayed_key=key
        )
        in_session = key >= event_key(chain_start, 0)[:, None]
        starts = SessionStarts(
            shopper,
            self.population.taste[shopper],
            time[shopper],
            self.history.columns(self.shop, shopper, day),
            np.where(in_session, key, NEVER),
            np.where(in_session, item, -1),
        )
        return starts.take(np.flatnonzero(is_admitted))

    def _remember(self, played: PlayedSessions) -> None:
        events = _events_of(played, self.n_decisions, late_rate=self.shop.settings.dirt.late_rate, rng=self.rng)
        self.n_decisions += len(played.propensity)
        self.events.append(events)
        self.history.record(
            self.shop,
            shopper=events.shopper,
            time=events.time,
            rank=events.rank,
            item=events.item,
            is_late=events.is_late,
        )
        is_delayed = (events.rank == PURCHASE) | (events.rank == REFUND)
        self.delayed.add(
            events.shopper[is_delayed], event_key(events.time, events.rank)[is_delayed], events.item[is_delayed]
        )
        np.maximum.at(self.last_visit_end, events.shopper[~is_delayed], events.time[~is_delayed])


def _events_of(
    played: PlayedSessions, first_decision: int, *, late_rate: float, rng: np.random.Generator
) -> SimulatedEvents:
    responses, shopper = played.responses, played.starts.shopper[played.responses.session]
    times = [responses.time, *(getattr(responses, name) for _, name in FOLLOW_UPS)]
    ranks = [IMPRESSION, *(rank for rank, _ in FOLLOW_UPS)]
    rows = [np.flatnonzero(time != NEVER) for time in times]
    decision = np.concatenate(rows)
    quantity = 1 + (rng.random(len(responses.item)) < 0.12).astype(np.int64)
    return SimulatedEvents(
        time=np.concatenate([time[row] for time, row in zip(times, rows, strict=True)]),
        rank=np.concatenate([np.full(len(row), rank) for rank, row in zip(ranks, rows, strict=True)]),
        shopper=shopper[decision],
        item=responses.item[decision],
        quantity=quantity[decision],
        decision=decision + first_decision,
        is_late=rng.random(len(decision)) < late_rate,
    )


def _joined(visits: list[PlayedSessions]) -> PlayedSessions:
    """Return all visits as one, with sessions numbered through."""
    first = np.cumsum([0, *(len(visit.starts) for visit in visits)])
    responses = concatenate_responses([visit.responses for visit in visits])
    lengths = [len(visit.propensity) for visit in visits]
    responses.session = responses.session + np.repeat(first[:-1], lengths)
    most = max(visit.starts.carried_key.shape[1] for visit in visits)
    history_names = visits[0].starts.history
    starts = SessionStarts(
        shopper=np.concatenate([visit.starts.shopper for visit in visits]),
        taste=np.concatenate([visit.starts.taste for visit in visits]),
        time=np.concatenate([visit.starts.time for visit in visits]),
        history={name: np.concatenate([visit.starts.history[name] for visit in visits]) for name in history_names},
        carried_key=np.concatenate([_padded(visit.starts.carried_key, most, NEVER) for visit in visits]),
        carried_item=np.concatenate([_padded(visit.starts.carried_item, most, np.int64(-1)) for visit in visits]),
    )
    columns = {name: np.concatenate([visit.observation[name] for visit in visits]) for name in visits[0].observation}
    return PlayedSessions(starts, responses, np.concatenate([visit.propensity for visit in visits]), columns)


def _joined_events(parts: list[SimulatedEvents]) -> SimulatedEvents:
    return SimulatedEvents(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in SimulatedEvents.__dataclass_fields__)
    )


def _padded(values: IntArray, width: int, fill: np.int64) -> IntArray:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)


def _take(responses: Responses, rows: IntArray) -> Responses:
    return Responses(*(getattr(responses, name)[rows] for name in Responses.__dataclass_fields__))
