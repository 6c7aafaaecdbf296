"""Another day of a shop that orders stock: the days before stay, units add up over the end of what was drawn."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from rl.errors import ShopError
from rl.shops.inventory import next_day
from rl.shops.inventory.feeds.stock_files import PRODUCT_FILE, product_lines
from rl.shops.inventory.inventory_settings import SHOP_FILE, InventorySettings, StockDirt
from rl.shops.inventory.next_day import deliver_next_day
from rl.shops.inventory.stock_days import StockDays, simulate_days
from rl.shops.inventory.writer import write_inventory_logs

SETTINGS = InventorySettings(n_days=30, n_products=12)
COLUMNS = ("is_in_range", "opening", "ordered", "received", "demand", "sold", "shrinkage")


def longer(n_more: int, settings: InventorySettings = SETTINGS) -> InventorySettings:
    return settings.model_copy(update={"n_days": settings.n_days + n_more, "first_drawn_days": settings.n_days})


def files_of(shop: Path) -> dict[str, bytes]:
    logs = shop / "logs"
    return {path.relative_to(logs).as_posix(): path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    write_inventory_logs(folder, SETTINGS)
    return folder


def units(days: StockDays, n_days: int) -> list[Any]:
    return [getattr(days, name)[:, :n_days].tolist() for name in COLUMNS]


WEEKLY = SETTINGS.model_copy(update={"order_weekdays": ("monday",)})


@pytest.mark.parametrize("settings", [SETTINGS, WEEKLY], ids=["daily", "weekly"])
@pytest.mark.parametrize("n_more", [1, 7, 40])
def test_further_days_change_none_before(n_more: int, settings: InventorySettings) -> None:
    """Of the days that were drawn with the shop, and of those behind them: over ends of weeks and fortnights."""
    days = simulate_days(longer(n_more, settings))
    assert units(days, settings.n_days) == units(simulate_days(settings), settings.n_days)
    n_days = settings.n_days + n_more
    assert units(simulate_days(longer(n_more + 9, settings)), n_days) == units(days, n_days)
    kept = settings.n_days + settings.n_ahead - 1
    assert np.array_equal(days.products.expected[:, :kept], simulate_days(settings).products.expected)


def test_further_days_are_like_those_before() -> None:
    """Demand goes on around its forecast, and promotions come as often."""
    days = simulate_days(longer(364, InventorySettings(n_days=182, n_products=40, promotion_share=0.15)))
    further = slice(182, 546)
    assert abs(days.demand[:, further].sum() / days.products.expected[:, further].sum() - 1) < 0.25
    assert 0.1 < days.products.is_promoted[:, further].mean() < 0.2


def test_two_weeks_pass_and_earlier_days_stay(shop: Path) -> None:
    """Byte for byte; the record has every unit, and stock goes on from one day to the next."""
    before = files_of(shop)
    days = [deliver_next_day(shop) for _ in range(15)]
    assert days == [SETTINGS.first_day + timedelta(days=SETTINGS.n_days + number) for number in range(15)]
    after = files_of(shop)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after} - {name.split("/")[0] for name in before} == {*map(str, days)}
    rows = pq.read_table(shop / "stock_days.parquet").to_pylist()
    assert max(row["day"] for row in rows) == days[-1]
    found = {(row["article"], row["day"]): row for row in rows}
    for (article, day), row in found.items():
        assert row["closing"] == row["opening"] + row["received"] - row["sold"] - row["shrinkage"]
        if (article, day + timedelta(days=1)) in found:
            assert found[article, day + timedelta(days=1)]["opening"] == row["closing"]
    own = SHOP_FILE.load(shop)
    assert (own.n_days, own.drawn_days) == (45, 30)


def test_the_files_hold_what_the_record_says(tmp_path: Path) -> None:
    """Units sold by product and day, over the end of what was drawn; late lines of the last drawn day come."""
    dirt = StockDirt.none().model_copy(update={"late_rate": 0.3})
    settings = SETTINGS.model_copy(update={"dirt": dirt, "refund_share": 0.0})
    write_inventory_logs(tmp_path, settings)
    for _ in range(4):
        deliver_next_day(tmp_path)
    sold = Counter[tuple[str, date]]()
    for path in (tmp_path / "logs").glob("*/sales.csv"):
        header, *lines = path.read_text(encoding="latin-1").splitlines()
        for line in lines:
            row = dict(zip(header.split(";"), line.split(";"), strict=True))
            day, month, year = map(int, row["Zeitpunkt"].split(" ")[0].split("."))
            sold[row["Artikel"], date(year, month, day)] += int(row["Menge"])
    last = settings.first_day + timedelta(days=33)
    rows = pq.read_table(tmp_path / "stock_days.parquet").to_pylist()
    expected = {(row["article"], row["day"]): row["sold"] for row in rows if row["sold"] and row["day"] < last}
    assert {key: n for key, n in sold.items() if key[1] < last} == expected


def test_every_price_is_told(shop: Path) -> None:
    """Those too that hold behind the days that were drawn, and would have been told in them."""
    for _ in range(20):
        deliver_next_day(shop)
    told = Counter[str]()
    for path in (shop / "logs").glob(f"*/{PRODUCT_FILE}"):
        told.update(path.read_text(encoding="latin-1").splitlines()[1:])
    days = simulate_days(longer(20 + SETTINGS.notice_days + 8))
    due = [line for day, lines in product_lines(days).items() if day < SETTINGS.n_days + 20 for line in lines]
    assert told == Counter(due)


def test_the_record_of_lines_goes_on(shop: Path) -> None:
    """Of the new day what was written, of the others what it said."""
    before = json.loads((shop / "delivered.json").read_text())["feeds"]["sales"]["days"]
    day = deliver_next_day(shop)
    sales = json.loads((shop / "delivered.json").read_text())["feeds"]["sales"]
    assert {name: sales["days"][name] for name in before} == before
    lines = (shop / "logs" / str(day) / "sales.csv").read_text(encoding="latin-1").splitlines()
    assert sum(sales["days"][str(day)].values()) == len(lines) - 1


def test_an_interrupted_delivery_is_done_anew(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the records were kept, before the day is there."""
    other = tmp_path / "other"
    other.mkdir()
    write_inventory_logs(other, SETTINGS)
    day = deliver_next_day(other)
    kept = next_day._keep

    def killed(folder: Path, found: Any) -> None:
        kept(folder, found)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(next_day, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver_next_day(shop)
    assert deliver_next_day(shop) == day
    assert files_of(shop) == files_of(other)
    for name in ("delivered.json", "inventory_shop.json"):
        assert (shop / name).read_text() == (other / name).read_text()


def test_a_folder_with_a_gap_is_refused(shop: Path) -> None:
    """Rather than continued at a wrong day."""
    (shop / "logs" / str(SETTINGS.first_day)).rename(shop / "elsewhere")
    with pytest.raises(ShopError, match="expected a folder for each day from 2025-09-01 on, got 29"):
        deliver_next_day(shop)
