"""A night of a shop whose scenario orders on Mondays alone, without files."""

from __future__ import annotations

from functools import cache
from typing import Any

from rl.inventory.order_policy import OrderPolicy
from rl.orders.order_basis import OrderBasis
from rl.shops.inventory.stock_days import StockDays
from tests.rl.orders.order_datasets import dataset_of
from tests.rl.orders.shop_history import a_shop, history_of

MONDAYS = ("monday",)


@cache
def a_weekly_night(weekdays: tuple[str, ...] = MONDAYS) -> tuple[StockDays, OrderBasis]:
    """A shop whose buyer orders on these days, and the basis of its night; the same object each time."""
    days = a_shop(n_products=12, seed=2, catalogue_seed=2, order_weekdays=weekdays)
    return days, OrderBasis.of(dataset_of(history_of(days)))


def a_weekly_policy(weekdays: tuple[str, ...] = MONDAYS, **given: Any) -> OrderPolicy:
    _, basis = a_weekly_night(weekdays)
    history = basis.dataset.history
    costs = basis.dataset.money.costs(history.products, history.lead_days)
    values: dict[str, Any] = {"name": "newsvendor-1", "method": "newsvendor", "dataset_digest": "d"}
    return OrderPolicy(
        costs=costs,
        forecaster=basis.forecaster,
        variance=basis.variance,
        weekdays=history.order_days.weekdays,
        **(values | given),
    )
