"""What a week of decisions led to: orders, refunds, visits and opt-outs, with their times and exact money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.catalogue import CENT, Baskets
from rl.shops.promotion.shopper_reactions import ShopperStates

NEVER = np.int64(np.iinfo(np.int64).max)
N_ORDERS = 2


@dataclass(frozen=True)
class WeekResponses:
    """What one decision of each shopper who is there led to, `(n,)` unless said otherwise; money in millionths.

    Attributes:
        week: the week that was decided.
        row: whose decision it is, an index among the shoppers of the batch.
        mask: actions that were allowed, `(n, n_actions)`.
        action: what was sent; 0 nothing.
        chances: with which probability each action would have been sent, `(n, n_actions)`.
        orders: baskets of up to `N_ORDERS` purchases, those of one place in a list; without pieces where none.
        order_time: of each, `(n, N_ORDERS)`; NEVER where there is none.
        refund_time: when all of it came back, `(n, N_ORDERS)`; NEVER where it didn't.
        is_resold: whether what comes back can be sold again, `(n, N_ORDERS)`.
        is_redeemed: whether the offer was redeemed, by the first order.
        would_buy: whether the shopper would have bought in this week without an offer.
        purchase_probability: of a purchase in the week, with what was sent.
        usual_probability: the same, had nothing been sent.
        states: the true states that the week began with.
        visits: beside those that end in a purchase.
        opt_out_time: NEVER where the shopper didn't opt out.
        contact_cost: of what was sent.
        committed: that and the largest discount.
    """

    week: int
    row: IntArray
    mask: BoolArray
    action: IntArray
    chances: FloatArray
    orders: tuple[Baskets, ...]
    order_time: IntArray
    refund_time: IntArray
    is_resold: BoolArray
    is_redeemed: BoolArray
    would_buy: BoolArray
    purchase_probability: FloatArray
    usual_probability: FloatArray
    states: ShopperStates
    visits: IntArray
    opt_out_time: IntArray
    contact_cost: IntArray
    committed: IntArray

    @property
    def propensity(self) -> FloatArray:
        """The probability of what was sent."""
        found: FloatArray = self.chances[np.arange(len(self.action)), self.action]
        return found

    def summed(self, name: str) -> IntArray:
        """Return `amount` or `cost` of each order, `(n, N_ORDERS)`."""
        return np.stack([getattr(basket, name).sum(axis=1) for basket in self.orders], axis=1)

    @property
    def discount(self) -> IntArray:
        """What redeeming took off."""
        return np.asarray(CENT * self.orders[0].discount_cents.sum(axis=1))

    @property
    def margin(self) -> IntArray:
        """What was paid less what the goods cost, of all orders of the week, less what their refunds take back."""
        amount, cost = self.summed("amount"), self.summed("cost")
        returned = np.where(self.refund_time != NEVER, amount - np.where(self.is_resold, cost, 0), 0)
        return np.asarray((amount - cost - returned).sum(axis=1))

    @property
    def profit(self) -> IntArray:
        """The margin less what contacting cost; redeemed discounts are not in it, since nobody paid them."""
        return self.margin - self.contact_cost
