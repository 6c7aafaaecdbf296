"""What a log shows of shoppers when a week is decided: everything before that moment, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.shops.promotion.shopper_population import Population

Columns = dict[str, IntArray]

N_RECENT_OFFERS = 8
WEEKS_KEPT = 13
NEVER_SEEN = -1

_BY_WEEK = ("offers", "orders", "visits", "spend", "discount", "redeemed")
_SINCE = ("weeks_since_order", "weeks_since_visit", "weeks_since_offer")

OBSERVED_COLUMNS = {
    "week": "weeks since the shop's first decision",
    "tenure_weeks": "weeks since the shopper joined",
    "weeks_since_order": "whole weeks between the latest purchase and the decision: 0 in the week before it; -1 none",
    "weeks_since_visit": "the same of the latest visit",
    "weeks_since_offer": "weeks since the latest offer, less one: 0 where it was sent a week ago; -1 none",
    "orders": "purchases ever",
    "orders_7": "purchases in the last week",
    "orders_28": "purchases in the last 4 weeks",
    "orders_91": "purchases in the last 13 weeks",
    "visits_7": "visits in the last week",
    "visits_28": "visits in the last 4 weeks",
    "spend_7": "paid in the last week, millionths; refunds aren't taken off",
    "spend_28": "paid in the last 4 weeks",
    "spend_91": "paid in the last 13 weeks",
    "discount_91": "taken off in the last 13 weeks, millionths",
    "offers_28": "offers sent in the last 4 weeks",
    "offers_91": "offers sent in the last 13 weeks",
    "redeemed_91": "offers redeemed in the last 13 weeks",
    "last_order_redeemed": "1 where an offer was redeemed in the latest week with a purchase, else 0",
    "recent_offers": "action of each of the last 8 weeks, the latest first; 0 where none was sent, `(n, 8)`",
    "segment": "index of the register's segment",
    "region": "index of the register's region",
    "is_reachable": "1 where offers may be sent: not opted out, and active lately",
}
"""The observation, by column. A week reaches from its decision to the next, so that windows are whole weeks."""


@dataclass
class VisibleHistory:
    """Running sums of n shoppers, latest week first where there are several, `(n, WEEKS_KEPT)`.

    Attributes:
        offers, orders, visits, spend, discount, redeemed: of each of the last weeks; offers are actions.
        weeks_since_order, weeks_since_visit, weeks_since_offer: `(n,)`; -1 where there was none.
        n_orders: ever, `(n,)`.
        last_order_redeemed: `(n,)`.
    """

    offers: IntArray
    orders: IntArray
    visits: IntArray
    spend: IntArray
    discount: IntArray
    redeemed: IntArray
    weeks_since_order: IntArray
    weeks_since_visit: IntArray
    weeks_since_offer: IntArray
    n_orders: IntArray
    last_order_redeemed: IntArray

    @classmethod
    def empty(cls, n: int) -> VisibleHistory:
        """Return the history of n shoppers of whom nothing was seen."""
        weeks = {name: np.zeros((n, WEEKS_KEPT), dtype=np.int64) for name in _BY_WEEK}
        since = {name: np.full(n, NEVER_SEEN, dtype=np.int64) for name in _SINCE}
        zeros = {name: np.zeros(n, dtype=np.int64) for name in ("n_orders", "last_order_redeemed")}
        return cls(**weeks, **since, **zeros)

    def record(
        self,
        *,
        offers: IntArray,
        orders: IntArray,
        visits: IntArray,
        spend: IntArray,
        discount: IntArray,
        redeemed: IntArray,
    ) -> None:
        """Take in a week of all shoppers, `(n,)` each; zeros for those who weren't there yet."""
        given = {"offers": offers, "orders": orders, "visits": visits, "spend": spend}
        for name, latest in (given | {"discount": discount, "redeemed": redeemed}).items():
            kept = getattr(self, name)
            kept[:, 1:] = kept[:, :-1].copy()
            kept[:, 0] = latest
        self.weeks_since_order = _since(self.weeks_since_order, orders)
        self.weeks_since_visit = _since(self.weeks_since_visit, visits)
        self.weeks_since_offer = _since(self.weeks_since_offer, offers)
        self.n_orders = self.n_orders + orders
        self.last_order_redeemed = np.where(orders > 0, redeemed, self.last_order_redeemed)

    def columns(self, population: Population, rows: IntArray, *, week: int, is_reachable: IntArray) -> Columns:
        """Return the observation of some shoppers at the week's decision, as `OBSERVED_COLUMNS` says.

        Args:
            population: all shoppers of the history.
            rows: which of them, `(n_rows,)`.
            week: that is decided.
            is_reachable: of those rows.
        """
        n_rows = len(rows)
        offers = self.offers[rows]
        found = {
            "week": np.full(n_rows, week, dtype=np.int64),
            "tenure_weeks": week - population.joined_week[rows],
            "orders": self.n_orders[rows],
            "recent_offers": offers[:, :N_RECENT_OFFERS].copy(),
            "segment": population.segment[rows],
            "region": population.region[rows],
            "is_reachable": is_reachable,
            "offers_28": (offers[:, :4] > 0).sum(axis=1),
            "offers_91": (offers > 0).sum(axis=1),
        }
        for name in ("weeks_since_order", "weeks_since_visit", "weeks_since_offer", "last_order_redeemed"):
            found[name] = getattr(self, name)[rows]
        for name, n_weeks in (("7", 1), ("28", 4), ("91", 13)):
            found[f"orders_{name}"] = self.orders[rows, :n_weeks].sum(axis=1)
            found[f"spend_{name}"] = self.spend[rows, :n_weeks].sum(axis=1)
        for name, n_weeks in (("7", 1), ("28", 4)):
            found[f"visits_{name}"] = self.visits[rows, :n_weeks].sum(axis=1)
        for what in ("discount", "redeemed"):
            found[f"{what}_91"] = getattr(self, what)[rows].sum(axis=1)
        return {name: found[name] for name in OBSERVED_COLUMNS}


def _since(weeks: IntArray, happened: IntArray) -> IntArray:
    return np.where(happened > 0, 0, np.where(weeks == NEVER_SEEN, NEVER_SEEN, weeks + 1))
