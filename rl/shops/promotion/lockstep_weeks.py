"""The core of the shop: many shoppers taken through their weeks in lockstep, one decision of each at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.catalogue import DRAWS_A_LINE, N_LINES, Baskets, discounted, draw_baskets
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.choice_checks import refuse_forbidden, refuse_unfit
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.shopper_population import Population, draw_population
from rl.shops.promotion.shopper_reactions import ShopperStates
from rl.shops.promotion.visible_history import NEVER_SEEN, Columns, VisibleHistory
from rl.shops.promotion.week_responses import N_ORDERS, NEVER, WeekResponses

Probabilities = Callable[[Columns, BoolArray], FloatArray]
"""A policy: the observation of n shoppers and which actions each may get, to the probability of each action."""

MOST_VISITS = 6

_DECIDE, _REACT, _BASKETS = 2, 3, 4
_BUYS, _NOTICES, _BUYS_AGAIN, _DRIFTS, _OPTS_OUT, _VISITS, _TIME_OUT = range(7)
_TIMES, _REFUNDS, _REFUND_DELAYS, _RESALES, _REFUND_TIMES = 8, 10, 12, 14, 16
_N_REACTIONS = 18


@dataclass
class LockstepWeeks:
    """Shoppers on their way through the weeks.

    Attributes:
        shop: the shop.
        chance: whose numbers decide; equal ones let policies be compared on the same shoppers and days.
        first: index of the first shopper of the batch.
        n_shoppers: how many there are in it.
        week: that is decided next.
        history: what a log shows of them.
        distance: levels away, `(n_shoppers,)`.
        has_opted_out: `(n_shoppers,)`.
    """

    shop: Shop
    chance: Chance
    first: int
    n_shoppers: int
    week: int = field(init=False, default=0)
    population: Population = field(init=False)
    history: VisibleHistory = field(init=False)
    distance: IntArray = field(init=False)
    has_opted_out: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.population = draw_population(self.shop.settings, self.chance, first=self.first, n_shoppers=self.n_shoppers)
        self.history = VisibleHistory.empty(self.n_shoppers)
        self.distance = np.zeros(self.n_shoppers, dtype=np.int64)
        self.has_opted_out = np.zeros(self.n_shoppers, dtype=np.bool_)

    def present(self) -> IntArray:
        """Return the shoppers who have joined by the week that is decided next."""
        return np.flatnonzero(self.population.joined_week <= self.week)

    def mask(self, rows: IntArray) -> BoolArray:
        """Return which actions each of the shoppers may get, `(n_rows, n_actions)`; nothing may always be sent."""
        mask = np.ones((len(rows), self.shop.n_actions), dtype=np.bool_)
        mask[:, 1:] = self._is_reachable(rows)[:, None]
        return mask

    def observe(self, rows: IntArray) -> Columns:
        """Return what the log shows of the shoppers at the next decision."""
        reachable = self._is_reachable(rows).astype(np.int64)
        return self.history.columns(self.population, rows, week=self.week, is_reachable=reachable)

    def states(self, rows: IntArray) -> ShopperStates:
        """Return the true states of the shoppers at the next decision."""
        dynamics, history = self.shop.settings.dynamics, self.history
        weights = dynamics.fatigue_decay ** np.arange(dynamics.fatigue_weeks)
        lasting = np.where(history.last_order_redeemed[rows], dynamics.pulled_weeks, dynamics.stocked_weeks)
        since = history.weeks_since_order[rows]
        return ShopperStates(
            kind=self.population.kind[rows],
            eagerness=self.population.eagerness[rows],
            distance=self.distance[rows],
            fatigue=((history.offers[rows, : dynamics.fatigue_weeks] > 0) * weights).sum(axis=1),
            pantry=np.where(since == NEVER_SEEN, 0, np.maximum(lasting - since, 0)),
        )

    def play(self, probabilities: Probabilities) -> WeekResponses:
        """Let the policy decide the next week, and return what came of it.

        Raises:
            ShopError: the policy returns no distributions over allowed actions.
        """
        rows = self.present()
        mask = self.mask(rows)
        chances = probabilities(self.observe(rows), mask)
        refuse_unfit(chances, mask)
        return self.respond(self.drawn(chances), chances)

    def drawn(self, chances: FloatArray) -> IntArray:
        """Return an action for each shopper who is there, `(n,)`, drawn by its chances."""
        draws = self._uniforms(_DECIDE, 1)[self.present(), 0]
        reached = np.cumsum(chances, axis=1)
        action = (draws[:, None] * reached[:, -1:] >= reached).sum(axis=1)
        # Rounding in the sum may leave a draw beyond the last action of positive probability.
        last = chances.shape[1] - 1 - np.argmax(chances[:, ::-1] > 0, axis=1)
        found: IntArray = np.minimum(action, last)
        return found

    def respond(self, action: IntArray, chances: FloatArray) -> WeekResponses:
        """Send the actions to the shoppers who are there and return how they react; the week is over then.

        Args:
            action: what each is sent, `(n,)`, in the order of `present`.
            chances: with which probability each action was drawn for each shopper, `(n, n_actions)`.

        Raises:
            ShopError: actions that aren't allowed, or chances that are no distributions.
        """
        shop, rows, week = self.shop, self.present(), self.week
        states, mask = self.states(rows), self.mask(rows)
        refuse_unfit(chances, mask)
        refuse_forbidden(action, mask)
        draws = self._uniforms(_REACT, _N_REACTIONS)[rows]
        reactions, nothing = shop.reactions, np.zeros_like(action)
        with_offer = reactions.purchase_probability(states, action)
        without = reactions.purchase_probability(states, nothing)
        buys, would_buy = draws[:, _BUYS] < with_offer, draws[:, _BUYS] < without
        notices = draws[:, _NOTICES] < reactions.of_kind("notice_probability", states.kind)
        again = buys & (draws[:, _BUYS_AGAIN] < reactions.of_kind("second_order_probability", states.kind))
        is_redeemed = buys & reactions.has_discount[action] & (notices | ~would_buy)
        has_order = np.stack([buys, again], axis=1)
        opts_out = draws[:, _OPTS_OUT] < reactions.opt_out_probability(states, action)
        contact_cost = np.array([0, *[offer.contact_cost_millionths for offer in shop.settings.offers]])
        committed = np.array([0, *[offer.committed_millionths for offer in shop.settings.offers]])
        order_time, refund_time = self._times(has_order, draws)
        responses = WeekResponses(
            week=week,
            row=rows,
            mask=mask,
            action=action,
            chances=chances,
            orders=self._orders(rows, has_order, action, is_redeemed),
            order_time=order_time,
            refund_time=refund_time,
            is_resold=draws[:, _RESALES : _RESALES + N_ORDERS] < shop.settings.dynamics.resale_probability,
            is_redeemed=is_redeemed,
            would_buy=would_buy,
            purchase_probability=with_offer,
            usual_probability=without,
            states=states,
            visits=_poisson(draws[:, _VISITS], reactions.mean_visits(states, action)),
            opt_out_time=np.where(opts_out, shop.calendar.moment(week, draws[:, _TIME_OUT]), NEVER),
            contact_cost=contact_cost[action],
            committed=committed[action],
        )
        drifts = draws[:, _DRIFTS] < reactions.drift_probability(states, action)
        self._go_on(responses, buys=buys, drifts=drifts)
        return responses

    def _orders(
        self, rows: IntArray, has_order: BoolArray, action: IntArray, is_redeemed: BoolArray
    ) -> tuple[Baskets, ...]:
        shop, population, width = self.shop, self.population, N_LINES * DRAWS_A_LINE
        draws = self._uniforms(_BASKETS, N_ORDERS * width)[rows]
        more_lines = shop.reactions.of_kind("more_lines_probability", population.kind[rows])
        found = []
        for place in range(N_ORDERS):
            basket = draw_baskets(
                shop.catalogue,
                draws[:, place * width : (place + 1) * width],
                favorite=population.favorite[rows],
                favorite_share=shop.settings.favorite_share,
                more_lines=more_lines,
            )
            there = has_order[:, place, None]
            kept = Baskets(
                np.where(there, basket.item, 0),
                basket.quantity * there,
                basket.list_cents * there,
                basket.cost * there,
                basket.discount_cents,
            )
            found.append(discounted(kept, shop.settings.offers, action, is_redeemed & (place == 0)))
        return tuple(found)

    def _times(self, has_order: BoolArray, draws: FloatArray) -> tuple[IntArray, IntArray]:
        dynamics, calendar = self.shop.settings.dynamics, self.shop.calendar
        # The first order of a week comes first; a voucher is redeemed by it.
        places = np.sort(draws[:, _TIMES : _TIMES + N_ORDERS], axis=1)
        places[:, 0] = np.where(has_order[:, 1], places[:, 0], draws[:, _TIMES])
        order_time = calendar.moment(self.week, places)
        is_refunded = has_order & (draws[:, _REFUNDS : _REFUNDS + N_ORDERS] < dynamics.refund_probability)
        delays = draws[:, _REFUND_DELAYS : _REFUND_DELAYS + N_ORDERS]
        days = 1 + np.floor(delays * dynamics.refund_days).astype(np.int64)
        refund_time = calendar.later_day(order_time, days, draws[:, _REFUND_TIMES : _REFUND_TIMES + N_ORDERS])
        return np.where(has_order, order_time, NEVER), np.where(is_refunded, refund_time, NEVER)

    def _go_on(self, responses: WeekResponses, *, buys: BoolArray, drifts: BoolArray) -> None:
        """Move all shoppers to the next week."""
        rows, farthest = responses.row, self.shop.settings.dynamics.farthest
        moved = np.minimum(self.distance[rows] + drifts, farthest)
        self.distance[rows] = np.where(buys, 0, moved)
        self.has_opted_out[rows] |= responses.opt_out_time != NEVER
        n_orders = (responses.order_time != NEVER).sum(axis=1)
        self.history.record(
            offers=self._spread(rows, responses.action),
            orders=self._spread(rows, n_orders),
            visits=self._spread(rows, responses.visits + n_orders),
            spend=self._spread(rows, responses.summed("amount").sum(axis=1)),
            discount=self._spread(rows, responses.discount),
            redeemed=self._spread(rows, responses.is_redeemed.astype(np.int64)),
        )
        self.week += 1

    def _is_reachable(self, rows: IntArray) -> BoolArray:
        history, limit = self.history, self.shop.settings.dynamics.inactive_weeks
        tenure = self.week - self.population.joined_week[rows]
        since = history.weeks_since_visit[rows]
        inactive = np.where(since == NEVER_SEEN, tenure, since) >= limit
        return ~self.has_opted_out[rows] & ~inactive

    def _spread(self, rows: IntArray, values: IntArray) -> IntArray:
        found = np.zeros(self.n_shoppers, dtype=np.int64)
        found[rows] = values
        return found

    def _uniforms(self, stream: int, n_draws: int) -> FloatArray:
        return self.chance.uniforms(stream, self.week, first=self.first, n_rows=self.n_shoppers, n_draws=n_draws)


def _poisson(uniforms: FloatArray, mean: FloatArray) -> IntArray:
    """Return Poisson counts by inversion, at most `MOST_VISITS`."""
    term = np.exp(-mean)
    reached, found = term.copy(), np.zeros(len(mean), dtype=np.int64)
    for count in range(1, MOST_VISITS + 1):
        found += uniforms >= reached
        term = term * mean / count
        reached += term
    return found
