"""The loop's days and nights, with nights that decide at once: who decides when, and going on after an interruption."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.specs.scenario import load_pipeline
from rl.errors import LoopError
from rl.loop.day_loop import STATE_FILE, begun
from rl.loop.session_loop import LIFE_FILE, SessionLoop
from rl.loop.state import LoopState, RunNight
from rl.serving.shop_tables import ShopTables
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import ACTIONS, promote, settings_at

PIPELINE = load_pipeline("recommendation", "served_shop")


class Killed(Exception):
    """The process ended here."""


@dataclass
class FakeNights:
    """Nights that register nothing; the second one promotes, and one may be killed."""

    home: Path
    logs: Path
    killed_at: date | None = None
    ran: list[date] = field(default_factory=list)

    def run(self, day: date) -> RunNight:
        if day == self.killed_at:
            raise Killed
        self.ran.append(day)
        promotes = day == date(2026, 3, 4)
        if promotes:
            promote(self.home, 0, make_policy(*ACTIONS, seed=1), source="served_shop")
        return RunNight(date=day, verdict="promote" if promotes else "reject", version=1, is_promoted=promotes)


@pytest.fixture(autouse=True)
def small_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    _make_small(monkeypatch)


def _make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few shoppers, and a service that knows what is sold without an ingest of it."""
    shop = build_shop(ShopSettings(n_days=10))
    sold = [tuple(np.array(shop.catalogue.item_ids)[row].tolist()) for row in shop.availability]
    tables = ShopTables(dict(zip(shop.availability_ids, sold, strict=True)))
    monkeypatch.setattr("rl.serving.service.read_tables", lambda _: tables)
    monkeypatch.setattr("rl.serving.service.tables_digest", lambda _: "told")
    monkeypatch.setattr(
        SessionLoop,
        "shop_settings",
        property(lambda loop: ShopSettings(n_shoppers=40, n_days=loop.state.n_past + loop.state.n_days + 1)),
    )


def _loop(home: Path, nights: FakeNights, **more: Any) -> SessionLoop:
    home.mkdir(exist_ok=True)
    asked: dict[str, Any] = {"seed": 1, "n_past": 2, "n_days": 3} | more
    settings = settings_at(home)
    state = begun(settings, PIPELINE, **asked)
    return SessionLoop(settings, PIPELINE, state, nights, tell=lambda _: None)  # type: ignore[arg-type]


def _nights(home: Path, **more: Any) -> FakeNights:
    return FakeNights(home, home / "shops" / "served_shop" / "logs", **more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop that was killed in its third night, whose second promoted, and then went on to its end."""
    home = tmp_path_factory.mktemp("loop")
    with pytest.MonkeyPatch.context() as patch:
        _make_small(patch)
        with pytest.raises(Killed):
            _loop(home, _nights(home, killed_at=date(2026, 3, 5))).run()
        shop = home / "shops" / "served_shop"
        shutil.copytree(shop, home / "when_killed")
        nights = _nights(home)
        _loop(home, nights).run()
        assert [str(day) for day in nights.ran] == ["2026-03-05", "2026-03-06"]
    return home


def test_what_a_night_promotes_decides_from_the_next_day_on(home: Path) -> None:
    shop = home / "shops" / "served_shop"
    state = LoopState.model_validate_json((shop / STATE_FILE).read_text())
    assert [day.version for day in state.days] == [None, None, None, 1, 1]
    assert [str(night.date) for night in state.nights] == ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]
    files = sorted(path.relative_to(shop / "logs") for path in shop.rglob("decisions-*.jsonl"))
    assert [str(path) for path in files] == [f"{day}/decisions-{day}.jsonl" for day in ("2026-03-05", "2026-03-06")]
    assert all(len(path.read_text().splitlines()) > 10 for path in shop.rglob("decisions-*.jsonl"))


def test_what_was_delivered_before_a_kill_stays_as_it_was(home: Path) -> None:
    before = home / "when_killed" / "logs"
    delivered = [path for path in before.rglob("*.*") if path.is_file()]
    assert len(delivered) > 12
    for path in delivered:
        after = home / "shops" / "served_shop" / "logs" / path.relative_to(before)
        assert after.read_bytes() == path.read_bytes()


def test_a_day_that_was_delivered_but_not_noted_is_not_lived_again(home: Path) -> None:
    nights = _nights(home)
    path = nights.logs.parent / STATE_FILE
    state = LoopState.model_validate_json(path.read_text())
    state.model_copy(update={"days": state.days[:-1]}).save(path)
    delivered = {one: one.read_bytes() for one in nights.logs.rglob("*.*") if one.is_file()}
    found = _loop(home, nights).run()
    assert found == state
    assert all(one.read_bytes() == content for one, content in delivered.items())


def test_half_a_day_is_lived_anew(home: Path) -> None:
    """A day whose service was killed has left decisions that no shopper was shown to the end."""
    shop = home / "shops" / "served_shop"
    for name in (STATE_FILE, LIFE_FILE):
        shutil.copy(home / "when_killed" / name, shop / name)
    half = shop / "logs" / "2026-03-06" / "decisions-2026-03-06.jsonl"
    half.write_text("".join(half.read_text().splitlines(keepends=True)[:3]))
    _loop(home, _nights(home)).run()
    assert len(half.read_text().splitlines()) > 10


@pytest.mark.parametrize(
    ("more", "why"), [({"seed": 2}, "seed 1"), ({"n_days": 5}, "DAYS=3"), ({"n_past": 1}, "2 days")]
)
def test_another_loop_in_the_same_folder_is_refused(tmp_path: Path, more: dict[str, int], why: str) -> None:
    path = tmp_path / "shops" / "served_shop" / STATE_FILE
    path.parent.mkdir(parents=True)
    LoopState(scenario="recommendation", seed=1, n_past=2, n_days=3).save(path)
    with pytest.raises(LoopError, match=why):
        _loop(tmp_path, _nights(tmp_path), **more)


def test_a_state_that_cant_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shops" / "served_shop" / STATE_FILE
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(LoopError, match="not a loop's state"):
        _loop(tmp_path, _nights(tmp_path))
