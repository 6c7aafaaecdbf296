"""`simulate-promotion` leaves logs, their record and the truth, for days that end where they are asked to."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from conf.settings import Settings
from rl.commands.simulate_promotion import run
from rl.errors import ShopError
from rl.shops.promotion.promotion_settings import SHOP_FILE

GIVEN = {"n_weeks": 2, "n_shoppers": 40, "seed": 6}


def test_logs_end_on_the_day_asked_for(tmp_path: Path) -> None:
    """Two weeks up to a Sunday begin on a Monday; the folder holds all that the docs name."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    result = run(settings=settings, out=None, last_date=date(2026, 1, 11), **GIVEN)
    folder = tmp_path / "shops" / "simulated_promotion"
    assert result["logs"] == str(folder / "logs")
    assert (result["first_date"], result["last_date"]) == ("2025-12-29", "2026-01-11")
    assert sorted(path.name for path in (folder / "logs").iterdir())[-1] == "2026-01-11"
    assert len(list((folder / "logs").iterdir())) == 14
    shop = SHOP_FILE.load(folder)
    assert (shop.n_shoppers, shop.seed, shop.first_monday) == (40, 6, date(2025, 12, 29))
    assert json.loads((folder / "delivered.json").read_text()) == result["delivered"]
    for name in ("money.json", "decisions.parquet", "true_values.json"):
        assert (folder / name).exists(), name


def test_days_that_are_no_weeks_are_refused(tmp_path: Path) -> None:
    """A last day that is no Sunday is named with the nearest one, and nothing is written."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    with pytest.raises(ShopError, match=r"2026-01-07 is no Sunday.*2026-01-04"):
        run(settings=settings, out=tmp_path / "shop", last_date=date(2026, 1, 7), **GIVEN)
    assert not (tmp_path / "shop").exists()
