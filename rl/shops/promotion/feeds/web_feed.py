"""The web shop's events as nested records: products seen on visits, and carts before purchases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.shops.promotion.feeds.feed_lines import FeedLine, Record, forms_of_ids, shopper_ids
from rl.shops.promotion.lockstep_weeks import MOST_VISITS
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.week_calendar import MICROSECONDS
from rl.shops.promotion.week_responses import NEVER, WeekResponses

_VISITS_STREAM = 5
MOST_VIEWS = 3
_DRAWS_A_VISIT = 2 + MOST_VIEWS

# All of a visit lies in the minutes before its last moment, so that it stays within its week.
_SECONDS_BETWEEN_VIEWS = 40
_CART_SECONDS, _FIRST_VIEW_SECONDS = 60, 120


def web_lines(simulation: Simulation, *, other_forms: float, rng: np.random.Generator) -> Iterator[FeedLine]:
    """Yield the events of all weeks; ids of shoppers are numbers, floats or text.

    Args:
        simulation: the shop's weeks.
        other_forms: share of ids that aren't whole numbers.
        rng: decides the forms.
    """
    for week in simulation.weeks:
        parts = [*_visits(simulation, week), *_purchases(simulation, week)]
        calendar = simulation.shop.calendar
        times = np.array([time for time, _, _ in parts], dtype=np.int64)
        days = calendar.day(times).tolist() if parts else []
        rows = np.array([row for _, row, _ in parts], dtype=np.int64)
        ids = forms_of_ids(shopper_ids(simulation.population.number[rows]), other_forms, rng, is_text=False)
        for number, ((time, _, record), day, one) in enumerate(zip(parts, days, ids, strict=True)):
            named: Record = {"id": f"w-{week.week:03d}-{number:07d}", "ts": time // 1000}
            visitor = {"customer": one, "device": "mobile" if number % 3 else "desktop"}
            yield FeedLine("on_time", named | {"event": record.pop("event"), "visitor": visitor} | record, time, day)


def _visits(simulation: Simulation, week: WeekResponses) -> Iterator[tuple[int, int, Record]]:
    """Yield time, shopper and record of each product seen on visits without a purchase."""
    population, shop = simulation.population, simulation.shop
    draws = simulation.chance.uniforms(
        _VISITS_STREAM, week.week, first=0, n_rows=len(population), n_draws=MOST_VISITS * _DRAWS_A_VISIT
    )[week.row].reshape(len(week.row), MOST_VISITS, _DRAWS_A_VISIT)
    row, visit = np.nonzero(np.arange(MOST_VISITS) < week.visits[:, None])
    chosen = draws[row, visit]
    ends = shop.calendar.moment(week.week, chosen[:, 0])
    n_views = 1 + np.floor(chosen[:, 1] * MOST_VIEWS).astype(np.int64)
    items = _seen_items(simulation, population.favorite[week.row[row]], chosen[:, 2:])
    for place, (end, n) in enumerate(zip(ends.tolist(), n_views.tolist(), strict=True)):
        for view in range(n):
            time = end - (n - 1 - view) * _SECONDS_BETWEEN_VIEWS * MICROSECONDS
            yield time, int(week.row[row[place]]), _view(simulation, int(items[place, view]))


def _purchases(simulation: Simulation, week: WeekResponses) -> Iterator[tuple[int, int, Record]]:
    """Yield the products seen and the cart filled right before each purchase."""
    for place, basket in enumerate(week.orders):
        bought = np.flatnonzero(week.order_time[:, place] != NEVER)
        for index in bought.tolist():
            time, row = int(week.order_time[index, place]), int(week.row[index])
            lines = [line for line in range(basket.item.shape[1]) if basket.quantity[index, line]]
            for line in lines:
                seen = time - (_FIRST_VIEW_SECONDS + 10 * line) * MICROSECONDS
                yield seen, row, _view(simulation, int(basket.item[index, line]))
            pieces = [(int(basket.item[index, line]), int(basket.quantity[index, line])) for line in lines]
            yield time - _CART_SECONDS * MICROSECONDS, row, _cart(simulation, pieces)


def _seen_items(simulation: Simulation, favorite: IntArray, uniforms: FloatArray) -> IntArray:
    """Return items seen: every other of the favorite category, `(n, MOST_VIEWS)`."""
    settings = simulation.shop.settings
    anything = np.floor(uniforms * settings.n_items).astype(np.int64)
    n_liked = ((settings.n_items - 1 - favorite) // settings.n_categories + 1)[:, None]
    liked = favorite[:, None] + settings.n_categories * np.floor(uniforms * n_liked).astype(np.int64)
    return np.where(np.arange(uniforms.shape[1]) % 2, anything, liked)


def _view(simulation: Simulation, item: int) -> Record:
    return {"event": "product_view", "product": _product(simulation, item)}


def _cart(simulation: Simulation, pieces: list[tuple[int, int]]) -> Record:
    lines = [_product(simulation, item) | {"qty": quantity} for item, quantity in pieces]
    return {"event": "add_to_cart", "cart": {"lines": lines}}


def _product(simulation: Simulation, item: int) -> Record:
    catalogue = simulation.shop.catalogue
    return {
        "sku": catalogue.item_ids[item],
        "category": catalogue.category_ids[catalogue.category[item]],
        "price": int(catalogue.price_cents[item]) / 100,
    }
