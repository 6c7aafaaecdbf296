"""The history that a simulated shop's days make, as a build would have read it from the deliveries."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from conf.specs.scenario import Pipeline, load_pipeline
from rl.data.logged_episodes import BoolArray, IntArray
from rl.orders.order_history import OrderHistory
from rl.shops.inventory.feeds.stock_lines import article
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt
from rl.shops.inventory.stock_days import StockDays, simulate_days

PIPELINE: Pipeline = load_pipeline("inventory", "simulated_inventory")


def a_shop(**given: object) -> StockDays:
    """A small shop without dirt; give what differs."""
    settings = InventorySettings(**{"n_products": 12, "n_days": 182, "dirt": StockDirt.none(), **given})  # type: ignore[arg-type]
    return simulate_days(settings)


def history_of(days: StockDays) -> OrderHistory:
    """All days but the last, on whose morning tomorrow's orders are placed."""
    settings, products = days.settings, days.products
    lead, n_days = settings.lead_days, settings.n_days - 1
    due = _due(days)
    stock = np.concatenate([days.opening[:, :, None] + due[:, :, :1], due[:, :, 1:lead]], axis=2)
    told = _told(days, settings.n_ahead)
    kept = slice(0, n_days)
    known = days.is_in_range[:, kept]
    unit_margin = np.array([products.price_on(day) - products.cost for day in range(n_days)]).T
    return OrderHistory(
        products=tuple(str(article(row)) for row in range(settings.n_products)),
        first_day=settings.first_day,
        is_known=known,
        units={
            "opening": days.opening[:, kept] * known,
            "ordered": days.ordered[:, kept] * known,
            "received": days.received[:, kept] * known,
            "sold": days.sold[:, kept] * known,
            "closing": days.closing[:, kept] * known,
        },
        ran_out=known & (np.minimum(days.opening + days.received - days.sold, days.closing)[:, kept] <= 0),
        margin=unit_margin * days.sold[:, kept],
        pipeline=stock[:, kept] * known[:, :, None],
        promoted=told[:, kept] & known[:, :, None],
        next_pipeline=stock[:, n_days] * known[:, -1:],
        next_promoted=told[:, n_days] & known[:, -1:],
        pack_size=products.pack,
        category=tuple(f"c{one}" for one in products.category.tolist()),
        order_days=settings.order_days,
    )


def last_day(days: StockDays) -> object:
    return days.settings.first_day + timedelta(days=days.settings.n_days - 1)


def _due(days: StockDays) -> IntArray:
    """Units on the way on each morning by promised day, overdue ones with those of the day itself."""
    n, n_days, lead = *days.ordered.shape, days.settings.lead_days
    due = np.zeros((n, n_days, lead + 1), dtype=np.int64)
    received: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for one in days.receipts:
        received.setdefault((one.product, one.order_day), []).append((one.day, one.units))
    for product, day in zip(*np.nonzero(days.ordered), strict=True):
        for morning in range(day + 1, min(day + 12, n_days)):
            come = sum(units for when, units in received.get((product, day), []) if when < morning)
            left = int(days.ordered[product, day]) - come
            due[product, morning, max(day + lead - morning, 0)] += max(left, 0)
    return due


def _told(days: StockDays, n_ahead: int) -> BoolArray:
    promoted = days.products.is_promoted
    return np.stack([promoted[:, ahead : ahead + days.settings.n_days] for ahead in range(n_ahead)], axis=2)
