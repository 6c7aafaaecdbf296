"""A night's dataset of orders from a simulated shop's days, without files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

from rl.data.logged_episodes import IntArray
from rl.orders.order_basis import OrderBasis
from rl.orders.order_history import OrderHistory
from rl.orders.order_replay import OrderSpan
from rl.orders.order_split import OrderDataset, split_days
from rl.shops.inventory.stock_days import StockDays
from tests.rl.orders.shop_history import PIPELINE, a_shop, history_of


@dataclass(frozen=True)
class _Dataset(OrderDataset):
    """One that was read from no files, and is named by hand."""

    @cached_property
    def digest(self) -> str:
        return "a digest"


def dataset_of(history: OrderHistory, **orders: Any) -> OrderDataset:
    """Return the dataset, with some keys of the scenario's `orders` changed."""
    nothing, scenario = cast(Any, None), PIPELINE.scenario
    assert scenario.orders is not None
    changed = scenario.model_copy(update={"orders": scenario.orders.model_copy(update=orders)})
    pipeline = PIPELINE.model_copy(update={"scenario": changed})
    return _Dataset(pipeline, history, split_days(pipeline, history.n_days), nothing, nothing)


@cache
def a_night(n_products: int = 12, seed: int = 2) -> tuple[StockDays, OrderBasis]:
    """A shop, and the basis of its night; the same object each time."""
    days = a_shop(n_products=n_products, seed=seed, catalogue_seed=seed)
    return days, OrderBasis.of(dataset_of(history_of(days)))


def true_demand_of(days: StockDays, span: OrderSpan) -> IntArray:
    """True demand of a span's known days, which no log holds."""
    first = span.days.start or 0
    return days.demand[:, first : first + span.shape[1]] * span.is_known
