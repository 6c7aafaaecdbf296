"""The simulated shops that deliver another day, by the source that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from rl.shops.inventory import next_day as inventory
from rl.shops.promotion import next_day as promotion
from rl.shops.recommendation import next_day as recommendation

DELIVERING_SHOPS: Mapping[str, Callable[[Path], date]] = {
    "simulated_shop": recommendation.deliver_next_day,
    "simulated_promotion": promotion.deliver_next_day,
    "simulated_inventory": inventory.deliver_next_day,
    "simulated_sales": inventory.deliver_next_day,
}
"""Each delivers the day after its last one to the shop's folder, and returns that day's date."""
