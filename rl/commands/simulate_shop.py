"""`simulate-shop`: days of a simulated shop's logs, as a shop would deliver them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog

from conf.paths import simulated_shop
from conf.settings import Settings
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.writer import LOGS_FOLDER, write_shop_logs
from rl.shops.settings_file import changed_settings

DEFAULT_SHOP = "simulated_shop"


def run(
    *,
    settings: Settings,
    out: Path | None,
    last_date: date | None,
    n_days: int | None,
    n_shoppers: int | None,
    seed: int | None,
) -> dict[str, Any]:
    """Write `shop.json` and `logs/<date>/` to the folder; return the folder, its days and its lines by kind."""
    given = {"n_days": n_days, "n_shoppers": n_shoppers, "seed": seed}
    shop = changed_settings(ShopSettings(), **{name: value for name, value in given.items() if value is not None})
    if last_date is not None:
        shop = changed_settings(shop, first_date=last_date - timedelta(days=shop.n_days - 1))
    folder = out if out is not None else simulated_shop(settings.home, DEFAULT_SHOP)
    delivered = write_shop_logs(folder, shop)
    structlog.get_logger().info(
        "simulated", logs=str(folder / LOGS_FOLDER), first_date=str(shop.first_date), last_date=str(shop.last_date)
    )
    return {
        "logs": str(folder / LOGS_FOLDER),
        "first_date": str(shop.first_date),
        "last_date": str(shop.last_date),
        "delivered": delivered,
    }
