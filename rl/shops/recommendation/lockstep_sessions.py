"""The core of the shop: many sessions played in lockstep, one decision of each at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.recommendation.measures import HOUR, MICROSECONDS
from rl.shops.recommendation.session_memory import (
    CART,
    CLICK,
    IMPRESSION,
    NEVER,
    PURCHASE,
    Columns,
    SessionMemory,
    event_key,
)
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shopper_reactions import (
    CART_SECONDS,
    CLICK_SECONDS,
    LOOKING_SECONDS_MIN,
    PURCHASE_SECONDS_MAX,
    PURCHASE_SECONDS_MIN,
    Minds,
    cart_probability,
    click_probability,
    leave_probability,
    minds_after,
)

Probabilities = Callable[[Columns, BoolArray], FloatArray]

REFUND_DELAY_MEDIAN_HOURS = 20.0
REFUND_DELAY_HOURS = (1.0, 60.0)
PROBABILITY_TOLERANCE = 1e-6


@dataclass
class SessionStarts:
    """Sessions about to start, `(n,)` each.

    Attributes:
        shopper: index of the shopper.
        taste: log-odds by category, `(n, n_categories)`.
        time: first decision, microseconds since the epoch.
        history: features of delay `delivery`, which hold throughout the session.
        carried_key: keys of purchases and refunds of earlier visits that belong to this session or may come to,
            `(n, n_carried)`, `NEVER` where there is none.
        carried_item: their items.
    """

    shopper: IntArray
    taste: FloatArray
    time: IntArray
    history: Columns
    carried_key: IntArray
    carried_item: IntArray

    def __len__(self) -> int:
        return len(self.shopper)

    def take(self, rows: IntArray) -> SessionStarts:
        """Return some of the starts."""
        history = {name: values[rows] for name, values in self.history.items()}
        return SessionStarts(
            self.shopper[rows],
            self.taste[rows],
            self.time[rows],
            history,
            self.carried_key[rows],
            self.carried_item[rows],
        )


@dataclass
class Responses:
    """What one decision of each running session led to, `(n,)` each; times `NEVER` where nothing came."""

    session: IntArray
    step: IntArray
    time: IntArray
    half_day: IntArray
    item: IntArray
    click_time: IntArray
    cart_time: IntArray
    purchase_time: IntArray
    refund_time: IntArray
    has_left: BoolArray
    points: FloatArray


@dataclass
class LockstepSessions:
    """Running sessions; those whose shopper has left drop out.

    Attributes:
        session: index into the starts of each running session, `(n,)`.
        step: decisions made so far, the same for all.
        time: of the next decision, `(n,)`.
    """

    shop: Shop
    starts: SessionStarts
    rng: np.random.Generator
    session: IntArray = field(init=False)
    step: int = field(init=False, default=0)
    time: IntArray = field(init=False)
    minds: Minds = field(init=False)
    memory: SessionMemory = field(init=False)

    def __post_init__(self) -> None:
        self.session = np.arange(len(self.starts))
        self.time = self.starts.time.copy()
        self.minds = Minds.fresh(len(self.starts), self.shop)
        self.memory = SessionMemory.opened(self.shop, self.starts.carried_key, self.starts.carried_item)

    def observe(self) -> Columns:
        """Return the exact features of each running session's next decision; lists are `(n, length)`."""
        self.memory.take_in_before(self.shop, self.time)
        history = {name: values[self.session] for name, values in self.starts.history.items()}
        return self.memory.columns(self.shop, self.time) | history

    def mask(self) -> BoolArray:
        """Return the items in stock at each running session's next decision, `(n, n_items)`."""
        return self.shop.availability[self.shop.calendar.half_day(self.time)]

    def respond(self, item: IntArray) -> Responses:
        """Show the items, `(n,)`, and return how shoppers react; sessions of those who leave are dropped."""
        shop, rng = self.shop, self.rng
        row = np.arange(len(item))
        self.memory.take_in_before(shop, self.time)
        draws = rng.random((len(item), 8))
        is_clicked = draws[:, 0] < click_probability(shop, self.starts.taste[self.session], self.minds, item)
        responses = self._follow_ups(item, is_clicked, draws)
        boredom = self.minds.boredom[row, shop.catalogue.category[item]]
        self.minds = minds_after(shop, self.minds, item, is_clicked)
        responses.has_left = draws[:, 1] < leave_probability(shop, boredom, self.minds.misses)
        responses.has_left |= self.step + 1 >= shop.settings.dynamics.max_steps
        self._go_on(responses, looking=draws[:, 2])
        return responses

    def _follow_ups(self, item: IntArray, is_clicked: BoolArray, draws: FloatArray) -> Responses:
        shop, dynamics, n = self.shop, self.shop.settings.dynamics, len(item)
        is_carted = is_clicked & (draws[:, 3] < cart_probability(shop, self.minds, item))
        buys = np.where(is_carted, dynamics.buy_after_cart_probability, dynamics.buy_after_click_probability)
        is_bought = is_clicked & (draws[:, 4] < buys)
        is_refunded = is_bought & (draws[:, 5] < dynamics.refund_rate)
        click_time = self.time + _seconds(CLICK_SECONDS[0] + draws[:, 6] * np.diff(CLICK_SECONDS))
        cart_time = click_time + _seconds(CART_SECONDS[0] + draws[:, 7] * np.diff(CART_SECONDS))
        purchase_time = self.time + self._purchase_delay(n)
        refund_time = purchase_time + self._refund_delay(n)
        responses = Responses(
            session=self.session,
            step=np.full(n, self.step),
            time=self.time,
            half_day=shop.calendar.half_day(self.time),
            item=item,
            click_time=np.where(is_clicked, click_time, NEVER),
            cart_time=np.where(is_carted, cart_time, NEVER),
            purchase_time=np.where(is_bought, purchase_time, NEVER),
            refund_time=np.where(is_refunded, refund_time, NEVER),
            has_left=np.zeros(n, dtype=bool),
            points=np.zeros(n),
        )
        responses.points = points_earned(shop, responses)
        return responses

    def _purchase_delay(self, n: int) -> IntArray:
        dynamics = self.shop.settings.dynamics
        log_median = np.log(dynamics.purchase_delay_minutes * 60)
        seconds = PURCHASE_SECONDS_MIN + self.rng.lognormal(log_median, dynamics.purchase_delay_sigma, n)
        return _seconds(np.minimum(seconds, PURCHASE_SECONDS_MAX + self.rng.random(n)))

    def _refund_delay(self, n: int) -> IntArray:
        hours = self.rng.lognormal(np.log(REFUND_DELAY_MEDIAN_HOURS), 0.8, n)
        return np.asarray((np.clip(hours, *REFUND_DELAY_HOURS) * HOUR).astype(np.int64) + self.rng.integers(0, HOUR, n))

    def _go_on(self, responses: Responses, looking: FloatArray) -> None:
        """Move the sessions of those who stay to their next decision: events are taken in or awaited, time passes."""
        dynamics, memory, n = self.shop.settings.dynamics, self.memory, len(responses.item)
        memory.take_in(self.shop, np.arange(n), key=event_key(responses.time, IMPRESSION), item=responses.item)
        slots = (
            (0, CLICK, responses.click_time),
            (1, CART, responses.cart_time),
            (2 + self.step, PURCHASE, responses.purchase_time),
        )
        for slot, rank, time in slots:
            rows = np.flatnonzero(time != NEVER)
            memory.await_event(slot, rows, event_key(time[rows], rank), responses.item[rows])
        stays = np.flatnonzero(~responses.has_left)
        seconds = LOOKING_SECONDS_MIN - dynamics.looking_seconds_mean * np.log1p(-looking)
        next_time = responses.time + _seconds(np.minimum(seconds, dynamics.looking_seconds_max))
        self.session, self.time = self.session[stays], next_time[stays]
        self.minds, self.memory = self.minds.take(stays), memory.take(stays)
        self.step += 1


def points_earned(shop: Shop, responses: Responses) -> FloatArray:
    """Return each decision's points, `(n,)`: its follow-ups in the attribution window by the scenario's weights."""
    points = np.zeros(len(responses.item))
    for name in ("click", "cart", "purchase", "refund"):
        time = getattr(responses, f"{name}_time")
        # NEVER is further away than any window.
        points += shop.measures.weight(name) * (time - responses.time <= shop.measures.window)
    return points


def draw_actions(probabilities: FloatArray, mask: BoolArray, rng: np.random.Generator) -> IntArray:
    """Return one action of each row, `(n,)`, drawn by its probabilities.

    Raises:
        ShopError: rows that don't sum to 1, negative or NaN entries, or probability outside the mask.
    """
    if probabilities.shape != mask.shape:
        raise ShopError(f"the policy returned shape {probabilities.shape}, expected {mask.shape}")
    is_bad = ~(np.abs(probabilities.sum(axis=1) - 1) <= PROBABILITY_TOLERANCE)
    is_bad |= (probabilities < 0).any(axis=1) | (probabilities * ~mask > 0).any(axis=1)
    if is_bad.any():
        raise ShopError(
            f"the policy returned {int(is_bad.sum())} rows of {len(is_bad)} that are no distribution over the "
            f"available actions; expected sums of 1, nothing negative, and zeros outside the mask"
        )
    cumulative = np.cumsum(probabilities, axis=1)
    # A hair below 1, lest rounding the product up to the total point past the last action.
    draw = rng.random((len(mask), 1)) * (1 - 2.0**-40)
    drawn = (draw * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return np.asarray(drawn, dtype=np.int64)


def concatenate_responses(parts: list[Responses]) -> Responses:
    """Return the responses of several decisions, one after the other."""
    return Responses(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Responses)))


def _seconds(seconds: FloatArray) -> IntArray:
    return np.asarray((seconds * MICROSECONDS).astype(np.int64))
