"""The shop of weekly offers delivers another day: its weeks go on, and nobody new joins."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path

from conf.publication import write_atomically
from rl.shops.next_day import deliver_whole, n_delivered
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from rl.shops.promotion.writer import DECISIONS_FILE, DELIVERED_FILE, MONEY_FILE, NextDay, deliver_next, money_text
from rl.shops.settings_file import changed_settings


def deliver_next_day(folder: Path) -> date:
    """Deliver the day after the shop's last one, by its own plan, and return its date; earlier days stay as they are.

    Weeks that were played stay as they were and further ones follow, each Monday with its decisions; catalogue, plans
    and shoppers are the shop's own, so that every policy has the value that it had. The day's folder comes last: with
    it all is done, and what was interrupted is done anew by the next call.

    Raises:
        ShopError: no such shop, or no day of it was delivered.
    """
    settings = SHOP_FILE.load(folder)
    day = n_delivered(folder, settings.first_monday)
    longer = _reaching(settings, day)
    SHOP_FILE.save(longer, folder)
    name = str(settings.first_monday + timedelta(days=day))
    delivered = json.loads((folder / DELIVERED_FILE).read_text(encoding="utf-8"))
    simulation = simulate(longer)

    def write(staged: Path) -> None:
        _keep(folder, deliver_next(simulation, day, staged, delivered))

    deliver_whole(folder, name, write)
    return date.fromisoformat(name)


def _reaching(settings: PromotionSettings, day: int) -> PromotionSettings:
    """Return the settings with weeks enough for a day; newcomers join in those weeks that the shop was made for."""
    n_weeks = max(settings.n_weeks, day // DAYS_A_WEEK + 1)
    return changed_settings(settings, n_weeks=n_weeks, joining_weeks=settings.drawn_weeks)


def _keep(folder: Path, found: NextDay) -> None:
    draft = folder / f".{DECISIONS_FILE}.{os.getpid()}"
    found.money.write_decisions(draft)
    draft.replace(folder / DECISIONS_FILE)
    write_atomically(folder / MONEY_FILE, money_text(found.money))
    write_atomically(folder / DELIVERED_FILE, json.dumps(found.delivered, indent=2) + "\n")
