"""`simulate-inventory` leaves logs and their record, for days that end where they are asked to."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conf.settings import Settings
from rl.commands.simulate_inventory import run
from rl.errors import ShopError
from rl.shops.inventory.inventory_settings import SHOP_FILE


def test_logs_end_on_the_day_asked_for(tmp_path: Path) -> None:
    """Four weeks up to a Wednesday; the folder holds all that the docs name."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    result = run(settings=settings, out=None, last_date=date(2026, 1, 14), n_days=28, n_products=5, seed=6)
    folder = tmp_path / "shops" / "simulated_inventory"
    assert result["logs"] == str(folder / "logs")
    assert (result["first_date"], result["last_date"]) == ("2025-12-18", "2026-01-14")
    assert sorted(path.name for path in (folder / "logs").iterdir())[-1] == "2026-01-14"
    assert len(list((folder / "logs").iterdir())) == 28
    shop = SHOP_FILE.load(folder)
    assert (shop.n_products, shop.seed, shop.first_day) == (5, 6, date(2025, 12, 18))
    assert json.loads((folder / "delivered.json").read_text()) == result["delivered"]
    assert (folder / "stock_days.parquet").exists()


def test_the_buyer_orders_on_the_weekdays_asked_for(tmp_path: Path) -> None:
    """Twice a week by the settings beside the logs, and on no other day of the record; other names are refused."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    asked: dict[str, Any] = {
        "settings": settings,
        "out": None,
        "last_date": None,
        "n_days": 28,
        "n_products": 5,
        "seed": 6,
    }
    run(**asked, weekdays=["monday", "thursday"])
    folder = tmp_path / "shops" / "simulated_inventory"
    assert SHOP_FILE.load(folder).order_weekdays == ("monday", "thursday")
    record = pq.read_table(folder / "stock_days.parquet", columns=["day", "ordered"]).to_pylist()
    assert {row["day"].strftime("%A") for row in record if row["ordered"]} == {"Monday", "Thursday"}
    with pytest.raises(ShopError, match="monday"):
        run(**asked, weekdays=["Mon"])
