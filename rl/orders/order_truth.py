"""What ways to order earn on the true demand of the simulated shop that made a log, which no log holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.kernel.calendar import day_number
from conf.paths import simulated_shop
from rl.data.logged_episodes import IntArray
from rl.errors import ShopError
from rl.ope.intervals.intervals import Interval
from rl.orders.order_judging import TODAY, LedOrders, earned_interval
from rl.orders.order_replay import OrderSpan
from rl.shops.inventory.inventory_settings import SHOP_FILE
from rl.shops.inventory.writer import STOCK_FILE


def true_demand(home: Path, source: str, span: OrderSpan) -> IntArray:
    """Return the true demand of a span, 0 where a day isn't known, `(n_products, n_days)`.

    Raises:
        ShopError: the shop isn't at hand, or lacks a product's day.
    """
    folder = simulated_shop(home, source)
    path = folder / STOCK_FILE
    if not (folder / SHOP_FILE.name).exists() or not path.exists():
        raise ShopError(f"no {STOCK_FILE} in {folder}: the shop that made this log isn't known")
    try:
        table = pq.read_table(path, columns=["article", "day", "demand"])
    except (OSError, pa.ArrowInvalid) as error:
        raise ShopError(f"{path}: can't be read: {error}") from error
    history = span.history
    first = day_number(history.first_day + timedelta(days=span.days.start or 0))
    place = {name: row for row, name in enumerate(history.products)}
    product = np.array([place.get(name, -1) for name in table["article"].to_pylist()], dtype=np.int64)
    day = table["day"].cast(pa.int32()).to_numpy().astype(np.int64) - first
    inside = (product >= 0) & (day >= 0) & (day < span.shape[1])
    found = np.full(span.shape, -1, dtype=np.int64)
    found[product[inside], day[inside]] = table["demand"].to_numpy()[inside]
    if history.declared is not None:
        # Nobody asks for what the shop has no more; that it left the range stands in no log of sales.
        found = np.where(np.isin(np.arange(len(found)), product)[:, None], np.maximum(found, 0), found)
    if (lacking := int(np.count_nonzero(span.is_known & (found < 0)))) > 0:
        raise ShopError(f"{path}: lacks {lacking} product-days of the log, so it is another shop's")
    return np.where(span.is_known, found, 0)


def true_earnings(led: LedOrders, demand: IntArray, *, level: float) -> tuple[LedOrders, dict[str, Interval]]:
    """Return all of them led through the true demand, and what each earns per product and week, in money.

    Raises:
        EvaluationError: too few products or weeks for an interval.
    """
    span, policies = led.span, dict(led.policies)
    draws = {TODAY: [span.led_as_logged(demand)], **{name: [span.led(one, demand)] for name, one in policies.items()}}
    found = LedOrders(span, draws, policies)
    return found, {name: earned_interval(found, name, level=level) for name in draws}
