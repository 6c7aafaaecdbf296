"""The loop of orders, with nights that publish a list at once: what is listed is ordered, the rest the buyer orders."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pytest

from conf.paths import Lake
from conf.specs.scenario import load_pipeline
from conf.tables import ORDER_LISTS
from rl.data.arrow_schema import arrow_schema
from rl.errors import LoopError
from rl.loop.day_loop import begun
from rl.loop.order_loop import OrderLoop
from rl.loop.state import RunNight
from rl.orders.order_list import OrderListOrigin, publish_order_list
from rl.orders.tomorrow import TomorrowOrders
from rl.page.loop_page import render_loop_page
from rl.shops.inventory.feeds.stock_lines import article
from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.stock_days import simulate_days
from tests.rl.serving.served_home import settings_at

PIPELINE = load_pipeline("inventory", "simulated_inventory")
N_PAST, N_DAYS, N_PRODUCTS = 28, 4, 5
FIRST = date(2025, 9, 1)
LISTED = {0: 11, 1: 0, 3: 24}
"""Units of the products on the list; the others aren't on it."""


@dataclass
class FakeNights:
    """Nights of which the first promotes version 1; each then publishes the next morning's orders."""

    lake: Lake
    logs: Path
    publishes: bool = True
    publishes_on: set[date] | None = None
    listed_by: dict[date, int] = field(default_factory=dict)
    ran: list[date] = field(default_factory=list)

    def run(self, day: date) -> RunNight:
        self.ran.append(day)
        morning = day + timedelta(days=1)
        if self.publishes and (self.publishes_on is None or morning in self.publishes_on):
            self._publish(morning)
        is_first = day == FIRST + timedelta(days=N_PAST - 1)
        verdict, listed_by = "promote" if is_first else "reject", self.listed_by.get(day)
        return RunNight(date=day, verdict=verdict, version=1, is_promoted=is_first, listed_by=listed_by)

    def _publish(self, day: date) -> None:
        columns = {
            "item_id": [str(article(product)) for product in LISTED],
            "category_id": [None] * len(LISTED),
            "order_units": list(LISTED.values()),
            **{name: [1] * len(LISTED) for name in ("pack_size", "on_hand", "on_the_way", "forecast", "target_level")},
            "reason": ["told"] * len(LISTED),
            "policy_version": ["base_stock-1"] * len(LISTED),
        }
        rows = pa.table(columns, schema=arrow_schema(ORDER_LISTS))
        origin = OrderListOrigin("inventory", day - timedelta(days=1), "s", "c", "k", {})
        publish_order_list(self.lake, rows, cast("TomorrowOrders", SimpleNamespace(day=day, room=None)), origin)


@pytest.fixture(autouse=True)
def small_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = InventorySettings(n_products=N_PRODUCTS, n_days=N_PAST + N_DAYS, newcomer_share=0, leaver_share=0)
    monkeypatch.setattr(OrderLoop, "shop_settings", property(lambda _: shop))


def _loop(home: Path, *, publishes: bool = True) -> OrderLoop:
    home.mkdir(exist_ok=True)
    settings = settings_at(home)
    logs = home / "shops" / "simulated_inventory" / "logs"
    nights = FakeNights(Lake(settings.lake, "simulated_inventory"), logs, publishes)
    state = begun(settings, PIPELINE, seed=1, n_past=N_PAST, n_days=N_DAYS)
    return OrderLoop(settings, PIPELINE, state, nights, tell=lambda _: None)  # type: ignore[arg-type]


def _ordered(logs: Path, day: date) -> dict[str, int]:
    """Units by article in the orders that the shop delivered of a day, whatever dirt is among them."""
    found: dict[str, int] = {}
    for path in (logs / str(day)).glob("supply*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("status") == "placed":
                for one in record.get("lines", []):
                    if isinstance(one.get("qty"), int) and "sku" in one:
                        found[str(one["sku"])] = one["qty"]
    return found


def test_what_is_listed_is_ordered_and_the_rest_is_the_buyers(tmp_path: Path) -> None:
    loop = _loop(tmp_path)
    state = loop.run()
    assert [day.version for day in state.days] == [None] * N_PAST + [1] * N_DAYS
    assert {day.policy_version for day in state.days[N_PAST:]} == {"base_stock-1"}
    days = loop._lived_days()
    for number in range(N_PAST, N_PAST + N_DAYS):
        assert {product: int(days.ordered[product, number]) for product in LISTED} == LISTED
        told = _ordered(loop.nights.logs, FIRST + timedelta(days=number))
        assert told[str(article(0))] == 11
        assert str(article(1)) not in told
    buyer = simulate_days(loop.shop_settings)
    first = N_PAST
    assert (days.ordered[[2, 4], first] == buyer.ordered[[2, 4], first]).all()
    assert len(list(loop.nights.logs.iterdir())) == N_PAST + N_DAYS


def test_a_day_is_of_the_version_that_made_its_list(tmp_path: Path) -> None:
    """Whatever was promoted last: it may have been taken back; where no list was due, the last one's maker decides."""
    loop = _loop(tmp_path)
    night = FIRST + timedelta(days=N_PAST - 1)
    loop.nights.listed_by = {night + timedelta(days=1): 7}  # type: ignore[attr-defined]  # of the fake
    assert [day.version for day in loop.run().days[N_PAST:]] == [1, 7, 7, 7]


def test_a_loop_that_was_interrupted_after_a_delivery_goes_on(tmp_path: Path) -> None:
    whole = _loop(tmp_path)
    whole.run()
    state = whole.state
    state.model_copy(update={"days": state.days[:-1], "nights": state.nights[:-1]}).save(whole.folder / "loop.json")
    delivered = {path: path.read_bytes() for path in whole.nights.logs.rglob("*.*") if path.is_file()}
    again = _loop(tmp_path)
    again.run()
    assert again.state == state
    assert all(path.read_bytes() == content for path, content in delivered.items())


def test_a_champion_without_a_list_stops_the_loop(tmp_path: Path) -> None:
    with pytest.raises(LoopError, match="no list of orders for 2025-09-29"):
        _loop(tmp_path, publishes=False).run()


def test_a_day_without_orders_orders_nothing_and_needs_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The days after Monday, September 29; before them the buyer orders on Mondays, too."""
    shop = InventorySettings(
        n_products=N_PRODUCTS,
        n_days=N_PAST + N_DAYS,
        newcomer_share=0,
        leaver_share=0,
        order_weekdays=("monday",),
    )
    monkeypatch.setattr(OrderLoop, "shop_settings", property(lambda _: shop))
    loop = _loop(tmp_path)
    loop.nights.publishes_on = {FIRST + timedelta(days=N_PAST)}  # type: ignore[attr-defined]  # of the fake
    state = loop.run()
    assert [day.policy_version for day in state.days[N_PAST:]] == ["base_stock-1", None, None, None]
    assert {day.version for day in state.days[N_PAST:]} == {1}
    ordered = loop._lived_days().ordered.sum(axis=0)
    assert ordered[N_PAST] >= sum(LISTED.values())
    assert not ordered[np.arange(len(ordered)) % 7 != 0].any() and ordered[::7].all()


def test_days_are_held_against_what_the_buyer_would_have_earned(tmp_path: Path) -> None:
    loop = _loop(tmp_path)
    loop.run()
    figures = loop.figures()
    assert len(figures.days) == N_DAYS
    assert all(day.champion is not None and day.behavior is not None for day in figures.days)
    gains = [day.champion.value - day.behavior.value for day in figures.days if day.champion and day.behavior]
    assert figures.final_gain is not None
    assert figures.final_gain.value == pytest.approx(sum(gains) / len(gains))
    assert "a day is worth, EUR" in render_loop_page(figures)
