"""Another day of a shop of weekly offers: the days before stay, and what follows is what a longer log would hold."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rl.errors import ShopError
from rl.shops.promotion import next_day
from rl.shops.promotion.next_day import deliver_next_day
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.writer import deliver, write_promotion_logs

SETTINGS = PromotionSettings(n_weeks=4, n_shoppers=120)
N_DAYS = 28


def files_of(logs: Path) -> dict[str, bytes]:
    return {path.relative_to(logs).as_posix(): path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    write_promotion_logs(folder, SETTINGS)
    return folder


def test_days_go_on_as_a_longer_log_of_the_shop_does(shop: Path, tmp_path: Path) -> None:
    """Over the end of a week; the days before stay byte for byte.

    The day that was the last one put no line off, so that the first new day has none of these.
    """
    before = files_of(shop / "logs")
    days = [deliver_next_day(shop) for _ in range(9)]
    assert days == [SETTINGS.first_monday + timedelta(days=N_DAYS + number) for number in range(9)]
    after = files_of(shop / "logs")
    assert {name: after[name] for name in before} == before
    longer = SETTINGS.model_copy(update={"n_weeks": 6, "joining_weeks": 4})
    deliver(simulate(longer), tmp_path / "longer")
    expected = files_of(tmp_path / "longer")
    for day in days[1:]:
        own = {name for name in expected if name.startswith(str(day))}
        assert own
        assert {name: after[name] for name in own} == {name: expected[name] for name in own}
    saved = SHOP_FILE.load(shop)
    assert (saved.n_weeks, saved.joining_weeks, saved.drawn_weeks) == (6, 4, 4)


def test_no_line_is_lost_where_the_shop_goes_on(tmp_path: Path) -> None:
    """Without duplicates and dirt the days hold exactly what a longer log holds, late lines of the last day too."""
    dirt = dict.fromkeys(type(SETTINGS.dirt).model_fields, 0.0) | {"late_rate": 0.2}
    settings = SETTINGS.model_copy(update={"dirt": type(SETTINGS.dirt)(**dirt)})
    shop = tmp_path / "shop"
    shop.mkdir()
    write_promotion_logs(shop, settings)
    deliver_next_day(shop)
    longer = settings.model_copy(update={"n_weeks": 5, "joining_weeks": 4})
    deliver(simulate(longer), tmp_path / "longer")
    expected = files_of(tmp_path / "longer")
    assert files_of(shop / "logs") == {name: expected[name] for name in files_of(shop / "logs")}


def test_the_record_goes_on(shop: Path) -> None:
    """Lines of each kind by day, money by week and by decision; the true values' file isn't touched."""
    (shop / "true_values.json").write_text("{}")
    before = json.loads((shop / "delivered.json").read_text())["feeds"]["orders"]["days"]
    day = deliver_next_day(shop)
    orders = json.loads((shop / "delivered.json").read_text())["feeds"]["orders"]
    assert {name: orders["days"][name] for name in before} == before
    assert Counter(orders["kinds"]) == sum((Counter(one) for one in orders["days"].values()), Counter())
    assert set(orders["days"]) - set(before) == {str(day)}
    weeks = json.loads((shop / "money.json").read_text())["weeks"]
    decisions = pq.read_table(shop / "decisions.parquet").to_pylist()
    assert len(weeks) == 5
    assert sum(one["amount"] for one in decisions) == sum(one["amount"] for one in weeks)
    assert (shop / "true_values.json").read_text() == "{}"


def test_an_interrupted_delivery_is_done_anew(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the records were kept, before the day is there."""
    other = tmp_path / "other"
    other.mkdir()
    write_promotion_logs(other, SETTINGS)
    day = deliver_next_day(other)

    def killed(folder: Path, found: Any) -> None:
        kept(folder, found)
        raise KeyboardInterrupt

    kept = next_day._keep
    with monkeypatch.context() as patched:
        patched.setattr(next_day, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver_next_day(shop)
    assert deliver_next_day(shop) == day
    assert files_of(shop) == files_of(other)


def test_a_folder_with_a_gap_is_refused(shop: Path) -> None:
    """Rather than continued at a wrong day."""
    first = shop / "logs" / str(SETTINGS.first_monday)
    first.rename(shop / "elsewhere")
    with pytest.raises(ShopError, match="expected a folder for each day from 2025-09-01 on, got 27"):
        deliver_next_day(shop)
