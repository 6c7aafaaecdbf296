"""The web shop's events as nested records: products seen on visits, and carts before purchases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rl.shops.promotion.feeds.feed_lines import FeedLine, Record, forms_of_ids, shopper_ids
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.web_views import CART_BEFORE, seen_on_visits, view_before
from rl.shops.promotion.week_responses import NEVER, WeekResponses


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
    seen = seen_on_visits(simulation.shop, simulation.chance, simulation.population, week, first=0)
    for time, row, item in zip(seen.time.tolist(), seen.row.tolist(), seen.item.tolist(), strict=True):
        yield time, int(week.row[row]), _view(simulation, item)


def _purchases(simulation: Simulation, week: WeekResponses) -> Iterator[tuple[int, int, Record]]:
    """Yield the products seen and the cart filled right before each purchase."""
    for place, basket in enumerate(week.orders):
        bought = np.flatnonzero(week.order_time[:, place] != NEVER)
        for index in bought.tolist():
            time, row = int(week.order_time[index, place]), int(week.row[index])
            lines = [line for line in range(basket.item.shape[1]) if basket.quantity[index, line]]
            for line in lines:
                yield time - view_before(line), row, _view(simulation, int(basket.item[index, line]))
            pieces = [(int(basket.item[index, line]), int(basket.quantity[index, line])) for line in lines]
            yield time - CART_BEFORE, row, _cart(simulation, pieces)


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
