"""`simulate-inventory`: days of logs of a simulated shop that orders stock, as such a shop would deliver them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog

from conf.paths import simulated_shop
from conf.settings import Settings
from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.writer import LOGS_FOLDER, write_inventory_logs
from rl.shops.settings_file import changed_settings

DEFAULT_SHOP = "simulated_inventory"


def run(
    *,
    settings: Settings,
    out: Path | None,
    last_date: date | None,
    n_days: int | None,
    n_products: int | None,
    seed: int | None,
    weekdays: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write settings, logs and their exact record to the folder; return its days and lines by feed.

    Args:
        settings: of the home.
        out: folder to write to; None for the shop's in the home.
        last_date: last business date; None for the shop's.
        n_days: of logs; None for the shop's, as all that follow.
        n_products: of the shop.
        seed: of what happens.
        weekdays: on which the buyer orders, by name.

    Raises:
        ShopError: the shop can't be so, or the folder can't be written.
    """
    given: dict[str, object] = {"n_days": n_days, "n_products": n_products, "seed": seed}
    given["order_weekdays"] = tuple(weekdays) if weekdays else None
    shop = changed_settings(InventorySettings(), **{name: value for name, value in given.items() if value is not None})
    if last_date is not None:
        shop = changed_settings(shop, first_day=last_date - timedelta(days=shop.n_days - 1))
    folder = out if out is not None else simulated_shop(settings.home, DEFAULT_SHOP)
    delivered = write_inventory_logs(folder, shop)
    last = shop.first_day + timedelta(days=shop.n_days - 1)
    logs = str(folder / LOGS_FOLDER)
    structlog.get_logger().info("simulated", logs=logs, first_date=str(shop.first_day), last_date=str(last))
    return {"logs": logs, "first_date": str(shop.first_day), "last_date": str(last), "delivered": delivered}
