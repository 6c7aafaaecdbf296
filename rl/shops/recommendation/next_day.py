"""The shop of sessions delivers another day: its shoppers go on from where the last one left them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

from conf.publication import write_atomically
from rl.errors import ShopError
from rl.shops.next_day import deliver_whole
from rl.shops.recommendation.delivery_dirt import LineKind
from rl.shops.recommendation.life_delivery import deliver_lived_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.recommendation.simulate import simulate, simulated_population
from rl.shops.recommendation.writer import DELIVERED_FILE, summary_of
from rl.shops.settings_file import changed_settings

LIFE_FILE = "life.json"


def deliver_next_day(folder: Path) -> date:
    """Deliver the day after the shop's last one, by its own rule, and return its date; earlier days stay as they are.

    The catalogue, its stock of each date and the shoppers stay the shop's, so that every policy has the value that it
    had. Interrupted, it is finished by the next call.

    Raises:
        ShopError: no such shop, it has as many days as there can be, or its files don't fit together.
    """
    settings = SHOP_FILE.load(folder)
    # One more to end on: a day that isn't the last puts lines off to the next.
    shop = build_shop(changed_settings(settings, n_days=settings.n_days + 2))
    life = _life(folder, settings, shop)
    if life.day == settings.n_days:
        _live(folder, life)
    if life.day != settings.n_days + 1:
        raise ShopError(
            f"{folder / LIFE_FILE}: has lived {life.day} days, expected {settings.n_days} or one more; remove {folder} "
            "to begin anew"
        )
    SHOP_FILE.save(changed_settings(settings, n_days=life.day), folder)
    return shop.calendar.date(life.day - 1)


def _life(folder: Path, settings: ShopSettings, shop: Shop) -> ShopLife:
    if (folder / LIFE_FILE).exists():
        return ShopLife.resumed(shop, folder / LIFE_FILE, simulated_population(shop))
    return ShopLife.after(simulate(build_shop(settings), is_observed=False), shop)


def _live(folder: Path, life: ShopLife) -> None:
    """Live the day, deliver it, and keep what it leaves: the life last, since it says that all the rest is done."""
    day = life.day
    life.live(OwnDecisions(life.shop, day))
    name, kinds = str(life.shop.calendar.date(day)), list[Counter[LineKind]]()
    deliver_whole(folder, name, lambda staged: kinds.append(deliver_lived_day(life, staged, sold=[day])))
    told = json.loads((folder / DELIVERED_FILE).read_text(encoding="utf-8"))
    by_day = {one: Counter(found) for one, found in told["days"].items()} | {name: kinds[0]}
    content = json.dumps(summary_of(by_day, life.n_to_come), indent=2)
    write_atomically(folder / DELIVERED_FILE, content + "\n")
    life.save(folder / LIFE_FILE)
