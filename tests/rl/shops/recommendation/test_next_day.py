"""Another day of a shop of sessions: the days before stay, its shoppers go on, its truth is what it was."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rl.errors import ShopError
from rl.shops.next_day import delivering
from rl.shops.recommendation import next_day
from rl.shops.recommendation.next_day import LIFE_FILE, deliver_next_day
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.shop_settings import SHOP_FILE, Dirt, ShopSettings
from rl.shops.recommendation.writer import write_shop_logs

SETTINGS = ShopSettings(n_days=4, n_shoppers=80)


def files_of(folder: Path) -> dict[str, bytes]:
    logs = folder / "logs"
    return {str(path.relative_to(logs)): path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()}


def lines_of(folder: Path, day: date) -> list[str]:
    paths = sorted((folder / "logs" / str(day)).glob("events-*.jsonl.gz"))
    return [line for path in paths for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def events_of(folder: Path, day: date) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(folder, day)]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_shop_logs(tmp_path, SETTINGS)
    return tmp_path


def test_a_week_passes_and_earlier_days_stay(shop: Path) -> None:
    """Byte for byte, each day after each other one."""
    before = files_of(shop)
    for number in range(7):
        assert deliver_next_day(shop) == SETTINGS.last_date + timedelta(days=number + 1)
        after = files_of(shop)
        assert {name: after[name] for name in before} == before
        assert len(after) == len(before) + 4
        before = after
    assert SHOP_FILE.load(shop).n_days == SETTINGS.n_days + 7


def test_the_same_days_come_however_they_are_delivered(shop: Path, tmp_path: Path) -> None:
    """Chance follows from seed and day."""
    other = tmp_path / "other"
    other.mkdir()
    write_shop_logs(other, SETTINGS)
    for folder in (shop, other):
        deliver_next_day(folder)
        deliver_next_day(folder)
    assert files_of(shop) == files_of(other)


def test_what_was_still_to_come_is_delivered(tmp_path: Path) -> None:
    """Lines of the simulated days that fall on later ones: late lines, purchases of visits late in the evening."""
    settings = SETTINGS.model_copy(update={"dirt": Dirt.none().model_copy(update={"late_rate": 0.2})})
    write_shop_logs(tmp_path, settings)
    n_to_come = json.loads((tmp_path / "delivered.json").read_text())["n_after_last_delivery"]
    assert n_to_come > 0
    day = deliver_next_day(tmp_path)
    ids = {event["decision_id"] for event in events_of(tmp_path, day)}
    assert any(not one.startswith("own-") for one in ids), "nothing of the days before came"
    assert any(one.startswith("own-") for one in ids), "nothing of the day itself came"


def test_nothing_happens_twice_and_every_purchase_has_its_decision(tmp_path: Path) -> None:
    """Over the simulated days and those after them, without dirt."""
    write_shop_logs(tmp_path, SETTINGS.model_copy(update={"dirt": Dirt.none()}))
    days = [SETTINGS.first_date + timedelta(days=number) for number in range(SETTINGS.n_days)]
    days += [deliver_next_day(tmp_path) for _ in range(3)]
    events = [event for day in days for event in events_of(tmp_path, day)]
    assert max(Counter(event["event_id"] for event in events).values()) == 1
    shown = {event["decision_id"] for event in events if event["event_type"] == "impression"}
    assert {event["decision_id"] for event in events} == shown


def test_the_record_counts_every_line(shop: Path) -> None:
    """`delivered.json` says of the new day what its files hold, and of the others what it said."""
    before = json.loads((shop / "delivered.json").read_text())
    day = deliver_next_day(shop)
    after = json.loads((shop / "delivered.json").read_text())
    assert sum(after["days"][str(day)].values()) == len(lines_of(shop, day))
    assert {name: after["days"][name] for name in before["days"]} == before["days"]
    assert after["n_lines"] == before["n_lines"] + len(lines_of(shop, day))


def test_the_shop_stays_the_same(shop: Path) -> None:
    """Catalogue, and what is in stock on the days before: what every policy's true value follows from."""
    before = build_shop(SHOP_FILE.load(shop))
    deliver_next_day(shop)
    after = build_shop(SHOP_FILE.load(shop))
    assert after.catalogue.item_ids == before.catalogue.item_ids
    assert (after.catalogue.taste_types == before.catalogue.taste_types).all()
    assert (after.availability[: len(before.availability)] == before.availability).all()


@pytest.mark.parametrize("killed_at", ["delivered", "life", "settings"])
def test_an_interrupted_delivery_is_finished(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    """Killed before each of the files that it writes; the next call leaves what an undisturbed one does."""
    other = tmp_path / "other"
    other.mkdir()
    write_shop_logs(other, SETTINGS)
    day = deliver_next_day(other)

    def kill(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if killed_at == "delivered":
            patched.setattr(next_day, "write_atomically", kill)
        elif killed_at == "life":
            patched.setattr(ShopLife, "save", kill)
        else:
            patched.setattr(type(SHOP_FILE), "save", kill)
        with pytest.raises(KeyboardInterrupt):
            deliver_next_day(shop)
    assert deliver_next_day(shop) == day
    assert {name: content for name, content in files_of(shop).items() if not name.startswith("other/")} == files_of(
        other
    )
    for name in ("delivered.json", "shop.json", LIFE_FILE):
        assert (shop / name).read_text() == (other / name).read_text()


def test_one_process_at_a_time_delivers(shop: Path) -> None:
    """A second one would live the same day."""
    with delivering(shop), pytest.raises(ShopError, match="another process delivers for this shop"), delivering(shop):
        pass


def test_a_life_of_another_shop_is_refused(shop: Path) -> None:
    """Rather than continued."""
    deliver_next_day(shop)
    SHOP_FILE.save(SETTINGS.model_copy(update={"n_days": 2}), shop)
    with pytest.raises(ShopError, match="has lived 5 days, expected 2 or one more"):
        deliver_next_day(shop)
