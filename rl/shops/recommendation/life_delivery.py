"""What a shop that lives day by day delivers of the day it lived last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rl.shops.recommendation.canonical_lines import availability_lines, item_lines
from rl.shops.recommendation.delivery_dirt import LineKind
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.writer import deliver_lines, write_lines

_DIRT = 14


def deliver_last_day(life: ShopLife, logs: Path) -> Path:
    """Write the day's events, dirt included, and what is sold tomorrow, to a folder named by its date; return it.

    What is sold on the first day is delivered with that day too.
    """
    folder, day = logs / str(life.shop.calendar.date(life.day - 1)), life.day - 1
    deliver_lived_day(life, folder, sold=[day, day + 1] if day == 0 else [day + 1])
    return folder


def deliver_lived_day(life: ShopLife, folder: Path, *, sold: Sequence[int]) -> Counter[LineKind]:
    """Write the events of the day lived last, dirt included, and what is sold on some days; return lines by kind."""
    shop, day = life.shop, life.day - 1
    lines, again = life.delivered()
    rng = np.random.default_rng([shop.settings.seed, _DIRT, day])
    is_last = life.day >= shop.settings.n_days
    kinds, tomorrow = deliver_lines(shop, folder, lines, again, day=day, is_last=is_last, rng=rng)
    life.deliver_again(tomorrow)
    write_lines(folder / "items.jsonl", item_lines(shop, day))
    write_lines(folder / "availability.jsonl", [line for one in sold for line in availability_lines(shop, one)])
    return kinds
