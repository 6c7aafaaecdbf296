"""A shop so small that the log shows the whole state of its shoppers: exact tables, optimum and myopic policy."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.promotion.catalogue import CENT, TWO_PIECES_PROBABILITY, discount_cents
from rl.shops.promotion.decision_process import DecisionProcess
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import Shop, build_shop
from rl.shops.promotion.shopper_reactions import ShopperStates
from rl.shops.promotion.visible_history import NEVER_SEEN, Columns

MILLION = 1_000_000
NO_ORDER, PLAIN_ORDER, REDEEMED_ORDER = range(3)
"""What the latest order was."""


@dataclass(frozen=True)
class ObservedStates:
    """The states that a log can show, `(n_states,)` each.

    Attributes:
        kind: the register's segment, which is the kind.
        since: whole weeks since the latest order, or since joining where there was none; at most the farthest level.
        latest: whether the latest order was plain, redeemed an offer, or there was none.
        offered: bit k is set where an offer was sent k + 1 weeks ago.
        has_opted_out: 1 where nothing may be sent any more.
    """

    kind: IntArray
    since: IntArray
    latest: IntArray
    offered: IntArray
    has_opted_out: IntArray


@dataclass
class TabularShop:
    """Exact tables of a shop whose states the log shows.

    Policies are tables over observed states, `(n_states, n_actions)`, with rows that sum to 1.

    Raises:
        ShopError: a shop whose states these tables don't hold.
    """

    settings: PromotionSettings
    shop: Shop = field(init=False)
    states: ObservedStates = field(init=False)

    def __post_init__(self) -> None:
        if violations := _violations(self.settings):
            raise ShopError("not a tabular shop: " + "; ".join(violations))
        self.shop = build_shop(self.settings)
        self.states = ObservedStates(*np.indices(self._levels).reshape(len(self._levels), -1))

    @property
    def n_states(self) -> int:
        """Number of observed states."""
        return int(np.prod(self._levels))

    def process(self, gamma: float) -> DecisionProcess:
        """Return the exact decision process, money in currency; what an offer costs is what sending it commits to."""
        costs = np.array([0, *[offer.committed_millionths for offer in self.settings.offers]]) / MILLION
        mask = np.ones((self.n_states, self.shop.n_actions), dtype=np.bool_)
        mask[:, 1:] = self.states.has_opted_out[:, None] == 0
        start = np.zeros(self.n_states)
        first = self._index(*[np.zeros(len(self.settings.kinds), dtype=np.int64) for _ in range(4)])
        shares = np.array([kind.share for kind in self.settings.kinds])
        start[first] = shares / shares.sum()
        actions = range(self.shop.n_actions)
        return DecisionProcess(
            rewards=np.stack([self._rewards(action) for action in actions], axis=1),
            costs=np.tile(costs, (self.n_states, 1)),
            transitions=tuple(self._transitions(action) for action in actions),
            mask=mask,
            start=start,
            gamma=gamma,
        )

    def observed_state(self, observation: Columns) -> IntArray:
        """Return the observed state of each row of observation columns, `(n,)`."""
        ordered = observation["weeks_since_order"] != NEVER_SEEN
        since = np.where(ordered, observation["weeks_since_order"], observation["tenure_weeks"])
        recent = observation["recent_offers"][:, : self.settings.dynamics.fatigue_weeks] > 0
        return self._index(
            np.minimum(since, self.settings.dynamics.farthest),
            np.where(ordered, PLAIN_ORDER + observation["last_order_redeemed"], NO_ORDER),
            recent @ (1 << np.arange(recent.shape[1])),
            1 - observation["is_reachable"],
            kind=observation["segment"],
        )

    def policy(self, table: FloatArray) -> Probabilities:
        """Return the table as a policy over observation columns."""

        def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
            return np.asarray(table[self.observed_state(observation)] * mask)

        return probabilities

    def table_of(self, probabilities: Probabilities, observation: Columns, mask: BoolArray) -> FloatArray:
        """Return what a policy does in each observed state: its mean over the rows in it, nothing sent in the others.

        Args:
            probabilities: the policy.
            observation: rows in which states were met, as a log or a simulation has them.
            mask: allowed actions of the rows.
        """
        state, table = self.observed_state(observation), np.zeros((self.n_states, self.shop.n_actions))
        np.add.at(table, state, probabilities(observation, mask))
        n_rows = np.bincount(state, minlength=self.n_states)
        table[n_rows == 0, 0] = 1.0
        return np.asarray(table / np.maximum(n_rows, 1)[:, None])

    @property
    def _levels(self) -> tuple[int, ...]:
        dynamics = self.settings.dynamics
        return (len(self.settings.kinds), dynamics.farthest + 1, 3, 2**dynamics.fatigue_weeks, 2)

    def _index(
        self,
        since: IntArray,
        latest: IntArray,
        offered: IntArray,
        has_opted_out: IntArray,
        kind: IntArray | None = None,
    ) -> IntArray:
        kinds = kind if kind is not None else np.arange(len(self.settings.kinds))
        return np.asarray(np.ravel_multi_index((kinds, since, latest, offered, has_opted_out), self._levels))

    def _shopper_states(self) -> ShopperStates:
        dynamics, states = self.settings.dynamics, self.states
        weights = dynamics.fatigue_decay ** np.arange(dynamics.fatigue_weeks)
        lasting = np.array([0, dynamics.stocked_weeks, dynamics.pulled_weeks])[states.latest]
        return ShopperStates(
            kind=states.kind,
            eagerness=np.zeros(self.n_states),
            distance=states.since,
            fatigue=((states.offered[:, None] >> np.arange(dynamics.fatigue_weeks) & 1) * weights).sum(axis=1),
            pantry=np.maximum(lasting - states.since, 0),
        )

    def _rewards(self, action: int) -> FloatArray:
        """Return the expected profit of the week in each state, in currency."""
        dynamics, reactions, states = self.settings.dynamics, self.shop.reactions, self._shopper_states()
        actions = np.full(self.n_states, action)
        buys = reactions.purchase_probability(states, actions)
        redeems = reactions.redemption_probability(states, actions)
        orders = buys * (1 + reactions.of_kind("second_order_probability", states.kind))
        amount, cost, discount = self._basket_means(action)
        kept, lost = 1 - dynamics.refund_probability, 1 - dynamics.refund_probability * dynamics.resale_probability
        contact = self.settings.offers[action - 1].contact_cost_millionths / MILLION if action else 0.0
        return np.asarray(orders * (kept * amount - lost * cost) - redeems * kept * discount - contact)

    def _transitions(self, action: int) -> csr_matrix:
        """Return the probabilities of the next state, sparse `(n_states, n_states)`."""
        reactions, states, here = self.shop.reactions, self._shopper_states(), self.states
        actions, rows = np.full(self.n_states, action), np.arange(self.n_states)
        buys = reactions.purchase_probability(states, actions)
        redeems = reactions.redemption_probability(states, actions)
        opts_out = reactions.opt_out_probability(states, actions)
        offered = (here.offered << 1 | int(action > 0)) & (2**self.settings.dynamics.fatigue_weeks - 1)
        drifted, home = np.minimum(here.since + 1, self.settings.dynamics.farthest), np.zeros_like(here.since)
        outcomes = (
            (1 - buys, drifted, here.latest),
            (buys - redeems, home, np.full_like(home, PLAIN_ORDER)),
            (redeems, home, np.full_like(home, REDEEMED_ORDER)),
        )
        following, chances = [], []
        for probability, since, latest in outcomes:
            for share, is_out in ((1 - opts_out, here.has_opted_out), (opts_out, np.ones_like(home))):
                following.append(self._index(since, latest, offered, is_out, kind=here.kind))
                chances.append(probability * share)
        places = np.tile(rows, len(following)), np.concatenate(following)
        return csr_matrix((np.concatenate(chances), places), (self.n_states, self.n_states))

    def _basket_means(self, action: int) -> tuple[float, float, float]:
        """Return the mean price, cost and redeemed discount of an order, in currency, over all baskets of one line."""
        catalogue = self.shop.catalogue
        pieces = np.array([1, 2])
        chances = np.array([1 - TWO_PIECES_PROBABILITY, TWO_PIECES_PROBABILITY]) / len(catalogue.item_ids)
        prices = catalogue.price_cents[:, None] * pieces
        costs = catalogue.cost_millionths[:, None] * pieces
        offer = self.settings.offers[action - 1] if action else None
        percent = np.full_like(prices, offer.discount_percent if offer else 0)
        largest = np.full_like(prices, offer.largest_discount_cents if offer else 0)
        means = (prices * CENT, costs, discount_cents(prices, percent, largest) * CENT)
        amount, cost, discount = (float((money * chances).sum()) / MILLION for money in means)
        return amount, cost, discount


def _violations(settings: PromotionSettings) -> list[str]:
    """Return why the log wouldn't show the whole state."""
    dynamics, kinds = settings.dynamics, settings.kinds
    steady = ("drift_rate", 1.0), ("retention", 0.0), ("annoyance", 0.0), ("more_lines_probability", 0.0)
    found = [
        f"{name} of {kind.name} is {getattr(kind, name):g}, expected {value:g}"
        for kind in kinds
        for name, value in steady
        if getattr(kind, name) != value
    ]
    checks = {
        "spread is above 0": settings.spread > 0,
        "segments don't tell kinds: segment_accuracy is below 1": settings.segment_accuracy < 1,
        "shoppers join later: newcomer_share is above 0": settings.newcomer_share > 0,
        "items of several categories": settings.n_categories > 1,
        "supplies last beyond the farthest level": max(dynamics.stocked_weeks, dynamics.pulled_weeks)
        > dynamics.farthest,
        "shoppers may become inactive within the weeks": dynamics.inactive_weeks < settings.n_weeks,
    }
    return found + [name for name, is_violated in checks.items() if is_violated]
