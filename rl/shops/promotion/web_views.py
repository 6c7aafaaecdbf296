"""What shoppers look at in the web shop, and when: on visits without a purchase, and right before one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import MOST_VISITS
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.shopper_population import Population
from rl.shops.promotion.week_calendar import MICROSECONDS
from rl.shops.promotion.week_responses import WeekResponses

MOST_VIEWS = 3

_VISITS_STREAM = 5
_DRAWS_A_VISIT = 2 + MOST_VIEWS

# All of a visit lies in the minutes before its last moment, so that it stays within its week.
_BETWEEN_VIEWS = 40 * MICROSECONDS
CART_BEFORE = 60 * MICROSECONDS
"""How long before a purchase its cart is filled."""

_FIRST_VIEW_BEFORE, _NEXT_VIEW_BEFORE = 120 * MICROSECONDS, 10 * MICROSECONDS


@dataclass(frozen=True)
class SeenItems:
    """Products seen, `(n,)` each: visits of a shopper together, in their order.

    Attributes:
        row: place of the shopper among the week's responses.
        line: which of the most views that a shopper's week can have.
        time: microseconds since the epoch.
        item: index in the catalogue.
    """

    row: IntArray
    line: IntArray
    time: IntArray
    item: IntArray


def seen_on_visits(shop: Shop, chance: Chance, population: Population, week: WeekResponses, *, first: int) -> SeenItems:
    """Return each product seen on visits without a purchase.

    Args:
        shop: the shop.
        chance: whose numbers decide.
        population: the shoppers of the batch.
        week: what they did.
        first: index of the batch's first shopper.
    """
    draws = chance.uniforms(
        _VISITS_STREAM, week.week, first=first, n_rows=len(population), n_draws=MOST_VISITS * _DRAWS_A_VISIT
    )[week.row].reshape(len(week.row), MOST_VISITS, _DRAWS_A_VISIT)
    row, visit = np.nonzero(np.arange(MOST_VISITS) < week.visits[:, None])
    chosen = draws[row, visit]
    ends = shop.calendar.moment(week.week, chosen[:, 0])
    n_views = 1 + np.floor(chosen[:, 1] * MOST_VIEWS).astype(np.int64)
    items = _seen_items(shop, population.favorite[week.row[row]], chosen[:, 2:])
    place, view = np.nonzero(np.arange(MOST_VIEWS) < n_views[:, None])
    return SeenItems(
        row=row[place],
        line=visit[place] * MOST_VIEWS + view,
        time=ends[place] - (n_views[place] - 1 - view) * _BETWEEN_VIEWS,
        item=items[place, view],
    )


def view_before(line: int) -> int:
    """Return how long before a purchase the product of a basket's line is seen, microseconds."""
    return _FIRST_VIEW_BEFORE + _NEXT_VIEW_BEFORE * line


def _seen_items(shop: Shop, favorite: IntArray, uniforms: FloatArray) -> IntArray:
    """Return items seen: every other of the favorite category, `(n, MOST_VIEWS)`."""
    settings = shop.settings
    anything = np.floor(uniforms * settings.n_items).astype(np.int64)
    n_liked = ((settings.n_items - 1 - favorite) // settings.n_categories + 1)[:, None]
    liked = favorite[:, None] + settings.n_categories * np.floor(uniforms * n_liked).astype(np.int64)
    return np.where(np.arange(uniforms.shape[1]) % 2, anything, liked)
