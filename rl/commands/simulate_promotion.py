"""`simulate-promotion`: weeks of logs of a simulated shop that sends offers, as such a shop would deliver them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import structlog

from conf.paths import simulated_shop
from conf.settings import Settings
from rl.errors import ShopError
from rl.shops.promotion.promotion_settings import MONDAY, PromotionSettings
from rl.shops.promotion.true_values import write_true_values
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from rl.shops.promotion.writer import LOGS_FOLDER, write_promotion_logs
from rl.shops.settings_file import changed_settings

DEFAULT_SHOP = "simulated_promotion"


def run(
    *,
    settings: Settings,
    out: Path | None,
    last_date: date | None,
    n_weeks: int | None,
    n_shoppers: int | None,
    seed: int | None,
) -> dict[str, Any]:
    """Write settings, logs, their exact record and true values to the folder; return its days and lines by feed.

    Raises:
        ShopError: the last date is no Sunday, or the folder can't be written.
    """
    given = {"n_weeks": n_weeks, "n_shoppers": n_shoppers, "seed": seed}
    shop = changed_settings(PromotionSettings(), **{name: value for name, value in given.items() if value is not None})
    if last_date is not None:
        shop = changed_settings(shop, first_monday=_first_monday(last_date, shop.n_weeks))
    folder = out if out is not None else simulated_shop(settings.home, DEFAULT_SHOP)
    delivered = write_promotion_logs(folder, shop)
    write_true_values(folder, shop)
    last = shop.first_monday + timedelta(days=shop.n_weeks * DAYS_A_WEEK - 1)
    logs = str(folder / LOGS_FOLDER)
    structlog.get_logger().info("simulated", logs=logs, first_date=str(shop.first_monday), last_date=str(last))
    return {"logs": logs, "first_date": str(shop.first_monday), "last_date": str(last), "delivered": delivered}


def _first_monday(last_date: date, n_weeks: int) -> date:
    first = last_date - timedelta(days=n_weeks * DAYS_A_WEEK - 1)
    if first.weekday() != MONDAY:
        sunday = last_date - timedelta(days=(last_date.weekday() + 1) % DAYS_A_WEEK)
        raise ShopError(f"{last_date} is no Sunday, and weeks end on Sundays; the latest before it is {sunday}")
    return first
