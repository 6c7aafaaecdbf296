"""How shoppers react: the state of their minds within a session, and the probabilities that follow from it.

The simulation draws from these functions, and the exact values of the tabular shop sum over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.recommendation.measures import HOUR
from rl.shops.recommendation.shop import Shop

# Follow-ups of a decision: a click comes within 8 seconds and a cart within 15 more, so that both are known at the next
# decision, at least 25 seconds later. A purchase can't come before half a minute.
CLICK_SECONDS = (1.5, 8.0)
CART_SECONDS = (3.0, 15.0)
LOOKING_SECONDS_MIN = 25.0
PURCHASE_SECONDS_MIN = 30.0
PURCHASE_SECONDS_MAX = 20 * 3600.0


@dataclass
class Minds:
    """What a session has done to n shoppers so far.

    Attributes:
        boredom: level per category, `(n, n_categories)`.
        is_shown: items already shown, `(n, n_items)`.
        warmth: clicks, capped, `(n,)`.
        misses: shown items in a row without a click, capped, `(n,)`.
    """

    boredom: IntArray
    is_shown: BoolArray
    warmth: IntArray
    misses: IntArray

    @classmethod
    def fresh(cls, n: int, shop: Shop) -> Minds:
        """Return minds at the start of a session, to which nothing persists from the last one."""
        return cls(
            np.zeros((n, shop.n_categories), dtype=np.int64),
            np.zeros((n, shop.n_items), dtype=bool),
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.int64),
        )

    def take(self, rows: IntArray | BoolArray) -> Minds:
        """Return the minds of some rows."""
        return Minds(self.boredom[rows], self.is_shown[rows], self.warmth[rows], self.misses[rows])


def click_probability(shop: Shop, taste: FloatArray, minds: Minds, item: IntArray) -> FloatArray:
    """Return the probability of a click on each row's item, `(n,)`; taste is `(n, n_categories)`."""
    dynamics, row, category = shop.settings.dynamics, np.arange(len(item)), shop.catalogue.category[item]
    log_odds = dynamics.click_base + taste[row, category] + shop.catalogue.appeal[item]
    log_odds = log_odds - dynamics.click_boredom * minds.boredom[row, category]
    return logistic(log_odds - dynamics.click_repeat * minds.is_shown[row, item])


def cart_probability(shop: Shop, minds: Minds, item: IntArray) -> FloatArray:
    """Return the probability of a cart after a click on each row's item, `(n,)`, with the warmth before that click."""
    dynamics = shop.settings.dynamics
    return logistic(dynamics.cart_base + shop.catalogue.cart_appeal[item] + dynamics.cart_warmth * minds.warmth)


def leave_probability(shop: Shop, boredom_with_shown: IntArray, misses_after: IntArray) -> FloatArray:
    """Return the probability to leave after an item, from the boredom with its category when it was shown, `(n,)`."""
    dynamics = shop.settings.dynamics
    linear = dynamics.leave_base + dynamics.leave_boredom * boredom_with_shown + dynamics.leave_miss * misses_after
    return np.minimum(linear, dynamics.leave_cap).astype(np.float64)


def minds_after(shop: Shop, minds: Minds, item: IntArray, is_clicked: BoolArray) -> Minds:
    """Return the minds after each row's item was shown, clicked or not; the given ones stay as they are."""
    dynamics, row, category = shop.settings.dynamics, np.arange(len(item)), shop.catalogue.category[item]
    boredom = np.maximum(minds.boredom - dynamics.boredom_recovery, 0)
    boredom[row, category] = np.minimum(minds.boredom[row, category] + dynamics.boredom_step, dynamics.boredom_cap)
    is_shown = minds.is_shown.copy()
    is_shown[row, item] = True
    warmth = np.minimum(minds.warmth + is_clicked, dynamics.warmth_cap)
    misses = np.where(is_clicked, 0, np.minimum(minds.misses + 1, dynamics.miss_cap))
    return Minds(boredom, is_shown, warmth, misses)


def timely_purchase_share(shop: Shop) -> float:
    """Return the share of purchases within the attribution window of their decision."""
    dynamics, window_seconds = shop.settings.dynamics, shop.measures.window / HOUR * 3600
    if window_seconds >= PURCHASE_SECONDS_MAX:
        return 1.0
    if window_seconds <= PURCHASE_SECONDS_MIN:
        return 0.0
    median = dynamics.purchase_delay_minutes * 60
    z = math.log((window_seconds - PURCHASE_SECONDS_MIN) / median) / dynamics.purchase_delay_sigma
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def points_after_click(shop: Shop, minds: Minds, item: IntArray) -> FloatArray:
    """Return the expected points of a decision whose item was clicked, `(n,)`."""
    dynamics, measures = shop.settings.dynamics, shop.measures
    cart = cart_probability(shop, minds, item)
    buy = cart * dynamics.buy_after_cart_probability + (1 - cart) * dynamics.buy_after_click_probability
    purchase_points = measures.weight("purchase") * timely_purchase_share(shop)
    return np.asarray(measures.weight("click") + measures.weight("cart") * cart + purchase_points * buy)


def logistic(log_odds: FloatArray) -> FloatArray:
    """Return the probabilities that the log-odds stand for."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))
