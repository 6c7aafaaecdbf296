"""The shop that orders stock delivers another day: its buyer goes on, and no day before is changed."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path

from conf.publication import write_atomically
from rl.shops.inventory.inventory_settings import SHOP_FILE
from rl.shops.inventory.stock_days import simulate_days
from rl.shops.inventory.writer import DELIVERED_FILE, STOCK_FILE, NextDay, deliver_next
from rl.shops.next_day import deliver_whole, n_delivered
from rl.shops.settings_file import changed_settings

_REFUND_DAYS = 8


def deliver_next_day(folder: Path) -> date:
    """Deliver the day after the shop's last one, by its own buyer, and return its date; earlier days stay as they are.

    Demand, promotions and forecasts of the days before are those that were drawn with the shop. The day's folder comes
    last: with it all is done, and what was interrupted is done anew by the next call.

    Raises:
        ShopError: no such shop, no day of it was delivered, or it has as many days as there can be.
    """
    settings = SHOP_FILE.load(folder)
    day = n_delivered(folder, settings.first_day)
    known = {"first_drawn_days": settings.drawn_days}
    ahead = changed_settings(settings, n_days=day + 1 + settings.notice_days + _REFUND_DAYS, **known)
    SHOP_FILE.save(changed_settings(settings, n_days=max(settings.n_days, day + 1), **known), folder)
    name = str(settings.first_day + timedelta(days=day))
    delivered = json.loads((folder / DELIVERED_FILE).read_text(encoding="utf-8"))
    days = simulate_days(ahead)

    def write(staged: Path) -> None:
        _keep(folder, deliver_next(days, day, staged, delivered))

    deliver_whole(folder, name, write)
    return date.fromisoformat(name)


def _keep(folder: Path, found: NextDay) -> None:
    draft = folder / f".{STOCK_FILE}.{os.getpid()}"
    found.record.write(draft)
    draft.replace(folder / STOCK_FILE)
    write_atomically(folder / DELIVERED_FILE, json.dumps(found.delivered, indent=2) + "\n")
