"""The loop of the shop that orders stock: each morning's orders are the list that the night before published."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from conf.paths import Lake
from conf.publication import read_pointers, write_atomically
from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import LoopError
from rl.figures.loop import LoopFigures
from rl.loop.account import paired_figures
from rl.loop.day_loop import DayLoop
from rl.loop.state import LivedDay
from rl.shops.inventory.feeds.stock_lines import article
from rl.shops.inventory.inventory_settings import SHOP_FILE, InventorySettings
from rl.shops.inventory.stock_days import StockDays, earned_by_day, simulate_days
from rl.shops.inventory.writer import STOCK_FILE, deliver, deliver_day
from rl.shops.settings_file import changed_settings

ORDERS_FILE = "orders.json"
BUYER = -1
"""In place of units: the buyer orders by the shop's own rule."""


class OrderLoop(DayLoop):
    """Days of orders."""

    @property
    def shop_settings(self) -> InventorySettings:
        """The shop's settings: as many days as the loop has."""
        n_days = self.state.n_past + self.state.n_days
        orders = self.pipeline.scenario.orders
        weekdays = () if orders is None else orders.weekdays
        return changed_settings(InventorySettings(), seed=self.state.seed, n_days=n_days, order_weekdays=weekdays)

    def open_shop(self) -> None:
        """Write the shop's settings, the true demand by which nights judge, and all days before the first night.

        Demand is the same whatever is ordered, so that the record is that of the buyer's days.
        """
        if self.state.days:
            return
        staged = self.folder / "whole"
        shutil.rmtree(staged, ignore_errors=True)
        _, record = deliver(self._days, staged)
        for number in range(self.state.n_past):
            target = self.nights.logs / str(self.date_of(number))
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            (staged / target.name).rename(target)
        shutil.rmtree(staged)
        record.write(self.folder / STOCK_FILE)
        SHOP_FILE.save(self.shop_settings, self.folder)

    def date_of(self, number: int) -> date:
        """Return the date of a day of the loop."""
        return self.shop_settings.first_day + timedelta(days=number)

    def lived_before(self, number: int) -> bool:
        """Return whether the day's orders are kept, which they are once it was delivered."""
        return number >= self.state.n_past and str(number) in self._orders()

    def live(self, number: int) -> LivedDay:
        """Place the morning's orders, live the day, and deliver it."""
        day = self.date_of(number)
        if number < self.state.n_past:
            return LivedDay(date=day)
        orders, version, policy_version = self._listed(day)
        kept = self._orders() | {str(number): orders.tolist()}
        deliver_day(simulate_days(self.shop_settings, _given(kept)), number, self.nights.logs / str(day))
        lived = LivedDay(date=day, version=version, policy_version=policy_version)
        self.keep_day(lived)
        write_atomically(self.folder / ORDERS_FILE, json.dumps(kept))
        return lived

    def figures(self) -> LoopFigures:
        """Return what each day earned, beside what the buyer's orders would have earned on the same days."""
        lived, own = (self._earned(days) for days in (self._lived_days(), self._days))
        return paired_figures(self.pipeline, self.state, lived, own, of="a day", gain_of="a product and week")

    @cached_property
    def _days(self) -> StockDays:
        """The shop's days as they would be by the buyer's orders throughout."""
        return simulate_days(self.shop_settings)

    def _lived_days(self) -> StockDays:
        return simulate_days(self.shop_settings, _given(self._orders()))

    def _earned(self, days: StockDays) -> FloatArray:
        weights = {one.event: one.weight for one in self.pipeline.scenario.reward.terms if one.weight < 0}
        return earned_by_day(days, holding=-weights["stock"], order_line=-weights["order"])

    def _orders(self) -> dict[str, list[int]]:
        path = self.folder / ORDERS_FILE
        found: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def _listed(self, day: date) -> tuple[IntArray, int | None, str | None]:
        """Return what the day's published list orders of each product, and whose it is; the buyer orders the rest.

        On a day without orders there is no list, and nothing is ordered, whoever decides.

        Raises:
            LoopError: a champion was promoted, and published no list for the day.
        """
        n = self.shop_settings.n_products
        orders = np.full(n, BUYER)
        if not self.is_served:
            return orders, None, None
        if not self.shop_settings.order_days.has(day):
            return np.zeros_like(orders), self.listing_version, None
        folder = Lake(self.settings.lake, self.pipeline.source.name).order_lists(self.pipeline.scenario.name)
        pointer = read_pointers(folder).get(f"as_of={day}")
        if pointer is None:
            raise LoopError(f"there is a champion, and no list of orders for {day} in {folder}")
        rows: list[dict[str, Any]] = []
        for file in pointer.files:
            rows += pq.ParquetFile(folder / file).read().to_pylist()
        places = {str(article(product)): product for product in range(n)}
        for row in rows:
            orders[places[row["item_id"]]] = row["order_units"]
        return orders, self.listing_version, rows[0]["policy_version"]


def _given(kept: dict[str, list[int]]) -> dict[int, IntArray]:
    return {int(number): np.array(orders, dtype=np.int64) for number, orders in kept.items()}
